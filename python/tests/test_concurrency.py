"""Cancelling, threads, event loops."""

from __future__ import annotations

import asyncio
import concurrent.futures
import signal
import threading
import time

import pytest
from conftest import DEADLINE_S, ENDLESS

from adbc_driver_databricks import StatementOptions, databricks_local, dbapi


def cancel_when_it_runs(cursor) -> None:
    """A cancel before anything runs is refused: try again until it is not."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            return cursor.adbc_cancel()
        except dbapi.ProgrammingError as error:
            assert "INVALID_STATE" in str(error)
            assert time.monotonic() < deadline, "nothing ever ran"


def test_a_cancel_from_another_thread_ends_execute(cursor):
    other = threading.Thread(target=cancel_when_it_runs, args=(cursor,), daemon=True)
    other.start()
    with pytest.raises(dbapi.OperationalError, match="CANCELLED") as raised:
        cursor.execute(ENDLESS)
    other.join()
    assert raised.value.sqlstate == "57014"
    cursor.execute("SELECT 1")
    assert cursor.fetchone() == (1,)


def test_a_cancel_ends_reading(cursor):
    cursor.execute("SELECT * FROM samples.tpch.lineitem")
    cursor.fetchone()
    cursor.adbc_cancel()
    with pytest.raises(dbapi.OperationalError, match="CANCELLED") as raised:
        cursor.fetchall()
    assert raised.value.sqlstate == "57014"


def test_options_are_read_while_a_statement_executes(cursor):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(cursor.execute, ENDLESS)
        # The execution ends only by the cancel below: a read that waited for it would wait for ever.
        try:
            for _ in range(100):
                assert cursor.adbc_statement.get_option("databricks.result.format") == "ARROW_STREAM"
                assert cursor.adbc_statement.get_option_float(StatementOptions.EXEC_PROGRESS) == 0
        finally:
            # Or else the pool would wait for it for ever.
            cancel_when_it_runs(cursor)
        with pytest.raises(dbapi.OperationalError, match="CANCELLED"):
            running.result(DEADLINE_S)
    cursor.execute("SELECT * FROM samples.tpch.nation")
    assert cursor.adbc_statement.get_option_float(StatementOptions.EXEC_PROGRESS) == 25
    assert cursor.adbc_statement.get_option_float(StatementOptions.EXEC_MAX_PROGRESS) == 25


def test_ctrl_c_during_a_long_query(script):
    program = script.start(
        """
        with dbapi.connect(URI) as connection, connection.cursor() as cursor:
            try:
                print("running", flush=True)
                cursor.execute(os.environ["ENDLESS"])
            except KeyboardInterrupt:
                print("interrupted", flush=True)
            except dbapi.OperationalError as error:  # what the driver manager makes of it inside a call
                print("interrupted" if error.sqlstate == "57014" else error, flush=True)
            cursor.execute("SELECT 1")
            print(cursor.fetchone()[0], flush=True)
        """
    )
    assert program.stdout.readline() == "running\n"
    # The query never ends by itself, so whenever this comes it is in the middle of it, or just before.
    threading.Event().wait(0.5)
    program.send_signal(signal.SIGINT)
    out, error = program.communicate(timeout=DEADLINE_S)
    assert (program.returncode, out.split()) == (0, ["interrupted", "1"]), error


HANGING = "GET /results/=hang"
"""A workspace whose results never come, so that whoever reads them is in the middle of it."""

BIG = "SELECT id, repeat('x', 1000) AS text FROM range(20000)"
"""Too much for the answer itself: it comes behind links."""


@pytest.mark.parametrize("fetch", ["cursor.fetchall()", "cursor.fetch_arrow_table()", "cursor.fetch_df()"])
def test_ctrl_c_in_the_middle_of_a_fetch(script, fetch):
    with databricks_local(scale_factor=0.001, faults=[HANGING]) as workspace:
        script.environment["URI"] = workspace.uri
        script.environment["BIG"] = BIG
        program = script.start(
            f"""
            with dbapi.connect(URI) as connection, connection.cursor() as cursor:
                try:
                    print("fetching", flush=True)
                    cursor.execute(os.environ["BIG"])
                    {fetch}
                except KeyboardInterrupt:
                    print("interrupted", flush=True)
                except dbapi.OperationalError as error:
                    print("interrupted" if error.sqlstate == "57014" else error, flush=True)
                cursor.execute("SELECT 1")
                print(cursor.fetchone()[0], flush=True)
            """
        )
        assert program.stdout.readline() == "fetching\n"
        # It never ends by itself, so whenever this comes it is in the middle of it, or just before.
        threading.Event().wait(1)
        program.send_signal(signal.SIGINT)
        out, error = program.communicate(timeout=DEADLINE_S)
    assert (program.returncode, out.split()) == (0, ["interrupted", "1"]), error


def test_a_task_that_is_cancelled_cancels_its_query(databricks_connection):
    async def main(cursor) -> None:
        query = asyncio.create_task(asyncio.to_thread(cursor.execute, ENDLESS))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(query), 0.5)
        await asyncio.to_thread(cancel_when_it_runs, cursor)
        with pytest.raises(dbapi.OperationalError, match="CANCELLED"):
            await query

    with databricks_connection.cursor() as cursor:
        asyncio.run(main(cursor))
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_a_block_that_raises_closes_its_cursor_and_connection(databricks_workspace):
    with pytest.raises(ValueError, match="mine"):
        with databricks_workspace.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT * FROM samples.tpch.lineitem")
            cursor.fetchone()
            raise ValueError("mine")
    for use in (lambda: cursor.execute("SELECT 1"), connection.cursor):
        with pytest.raises(dbapi.ProgrammingError, match="INVALID_STATE"):
            use()


def test_two_connections_in_64_threads(databricks_workspace):
    with databricks_workspace.connect() as one, databricks_workspace.connect() as two:

        def work(number: int) -> int:
            with (one, two)[number % 2].cursor() as cursor:
                cursor.execute("SELECT count(*) + ? FROM samples.tpch.nation", (number,))
                return cursor.fetchone()[0]

        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            assert list(pool.map(work, range(128))) == [25 + number for number in range(128)]


def test_an_event_loop_with_queries_in_threads(databricks_workspace):
    def query(number: int) -> int:
        with databricks_workspace.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT {number}")
            return cursor.fetchone()[0]

    async def main() -> list[int]:
        return await asyncio.gather(*(asyncio.to_thread(query, number) for number in range(8)))

    assert asyncio.run(main()) == list(range(8))
