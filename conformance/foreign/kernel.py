"""databricks-sql-kernel by itself, without the connector."""

import databricks_sql_kernel as kernel
import pyarrow

import script
from workspace import HTTP_PATH, TOKEN

def connect():
    with open(script.AUTHORITY, "rb") as file:
        authority = file.read()
    return kernel.Session(
        host=script.HTTPS,
        http_path=HTTP_PATH,
        auth_type="pat",
        access_token=TOKEN,
        tls_ca_cert=authority,
        telemetry_enabled=True,
    )


def batches(session, text: str) -> list:
    statement = session.statement()
    statement.set_sql(text)
    result = statement.execute()
    found = []
    while (batch := result.fetch_next_batch()) is not None:
        found.append(batch)
    result.close()
    return found


def play() -> None:
    session = connect()
    (batch,) = batches(session, script.SELECT_TYPES)
    script.types(script.in_utc(script.row_of(pyarrow.Table.from_batches([batch])), "ts"), {})
    short = 0
    for _ in range(3):
        found = batches(session, script.LARGE)
        rows = sum(batch.num_rows for batch in found)
        if rows < script.LARGE_ROWS:
            short += 1
            script.theirs(f"{script.LARGE_ROWS - rows} of {script.LARGE_ROWS} rows lost, without an error")
            continue
        script.large(rows, sum(batch.column("id").to_numpy().sum().item() for batch in found))
    print(f"  note    {short} of 3 reads of the large result lost rows")
    script.failures(
        lambda text: batches(session, text), kernel.KernelError, lambda error: getattr(error, "sql_state", None)
    )
    session.close()


if __name__ == "__main__":
    play()
