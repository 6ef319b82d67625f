"""arrowbricks, over the Statement Execution API (`sea`) or Thrift (`thrift`). It takes its certificate authorities from SSL_CERT_FILE."""

import asyncio
import sys

import arrowbricks
import pyarrow

import script
from workspace import ENDLESS, TOKEN, WAREHOUSE

PROTOCOL = sys.argv[1]


def connect(**more):
    options = {"token": TOKEN, "protocol": PROTOCOL, **more}
    return arrowbricks.connect(script.HTTPS, options.pop("warehouse", WAREHOUSE), **options)


async def refusals() -> None:
    for what, more in {"a wrong token": {"token": "wrong"}, "an unknown warehouse": {"warehouse": "f00"}}.items():
        connection = connect(retry_attempts=1, **more)
        try:
            await connection.cursor().execute("SELECT 1")
        except arrowbricks.ArrowbricksError as error:
            script.done(f"{what}: {type(error).__name__}: {str(error)[:110]}")
        else:
            raise AssertionError(f"{what}: no error")
        await connection.close()


async def cancelled(connection) -> None:
    task = asyncio.create_task(connection.cursor().execute(ENDLESS))
    await asyncio.sleep(2)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        script.done("cancelled, as a task of asyncio")
    else:
        raise AssertionError("the query that does not end has ended")


async def play() -> None:
    connection = connect()
    cursor = connection.cursor()
    own = script.INTERVALS if PROTOCOL == "thrift" else {}
    await cursor.execute(script.SELECT_TYPES)
    script.types(script.in_utc(script.row_of(pyarrow.table(await cursor.fetchall_arrow())), "ts"), own)
    await cursor.execute("SELECT :i AS i, :t AS t", parameters=[
        {"name": "i", "value": "7", "type": "INT"}, {"name": "t", "value": "it's", "type": "STRING"},
    ])
    script.same([tuple(row) for row in await cursor.fetchall()], [(7, "it's")], "named parameters")
    script.done("named parameters")
    await cursor.execute(script.LARGE)
    table = pyarrow.table(await cursor.fetchall_arrow())
    script.large(table.num_rows, sum(chunk.to_numpy().sum().item() for chunk in table.column("id").chunks))
    loop = asyncio.get_running_loop()

    def run(text: str) -> None:
        asyncio.run_coroutine_threadsafe(connection.cursor().execute(text), loop).result()

    await asyncio.to_thread(script.failures, run, arrowbricks.StatementError)
    await cancelled(connection)
    await cursor.execute("SELECT * FROM samples.tpch.nation WHERE FALSE")
    script.same(await cursor.fetchall(), [], "an empty result")
    script.done("a query after a cancel; an empty result")
    await connection.close()
    await refusals()


if __name__ == "__main__":
    asyncio.run(play())
