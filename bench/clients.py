"""One Python client reads the large result, or repeats the small query. Prints one line of JSON.

    python3 bench/clients.py CLIENT URL large|small COUNT
"""

import json
import statistics
import sys
import time

WAREHOUSE = "0123456789abcdef"
HTTP_PATH = f"/sql/1.0/warehouses/{WAREHOUSE}"
LARGE, SMALL = "SELECT * FROM samples.tpch.lineitem", "SELECT 1"


def connector(url):
    from databricks import sql

    host, port = url.rsplit(":", 1)
    connection = sql.connect(server_hostname=host, _port=int(port), http_path=HTTP_PATH, access_token="dapi-bench",
                             use_sea=True, enable_telemetry=False)

    def batches(text):
        with connection.cursor() as cursor:
            cursor.execute(text)
            # The most that one fetch may return; the connector has no reader of batches.
            while (table := cursor.fetchmany_arrow(500_000)).num_rows:
                yield table.num_rows
    return batches


def kernel(url):
    from databricks_sql_kernel import Session

    session = Session(host=url, http_path=HTTP_PATH, auth_type="pat", access_token="dapi-bench")

    def batches(text):
        statement = session.statement()
        statement.set_sql(text)
        result = statement.execute()
        while (batch := result.fetch_next_batch()) is not None:
            yield batch.num_rows
        result.close()
    return batches


def arrowbricks(url):
    import asyncio

    import arrowbricks

    loop = asyncio.new_event_loop()
    connection = arrowbricks.connect(url, WAREHOUSE, token="dapi-bench", protocol="sea")

    def batches(text):
        cursor = connection.cursor()
        loop.run_until_complete(cursor.execute(text))
        while (table := loop.run_until_complete(cursor.fetchmany_arrow(500_000))).num_rows:
            yield table.num_rows
    return batches


def adbc(url):
    """This driver through the ADBC C interface; DRIVER names the shared library."""
    import os

    import adbc_driver_manager
    import pyarrow

    database = adbc_driver_manager.AdbcDatabase(
        driver=os.environ["DRIVER"], uri=url + HTTP_PATH,
        **{"databricks.token": "dapi-bench", "adbc.databricks.telemetry.enabled": "true"})
    connection = adbc_driver_manager.AdbcConnection(database)

    def batches(text):
        with adbc_driver_manager.AdbcStatement(connection) as statement:
            statement.set_sql_query(text)
            stream, _ = statement.execute_query()
            for batch in pyarrow.RecordBatchReader._import_from_c(stream.address):
                yield batch.num_rows
    return batches


def main(client, url, what, count="1"):
    batches = globals()[client](url)
    if what == "large":
        began, first, rows = time.perf_counter(), None, 0
        for found in batches(LARGE):
            first = first or time.perf_counter() - began
            rows += found
        print(json.dumps({"rows": rows, "seconds": time.perf_counter() - began, "first_batch_ms": first * 1e3}))
        return
    times = []
    for _ in range(int(count)):
        began = time.perf_counter()
        assert sum(batches(SMALL)) == 1
        times.append((time.perf_counter() - began) * 1e3)
    print(json.dumps({"p50_ms": statistics.median(times), "p99_ms": sorted(times)[int(len(times) * 0.99)]}))


main(*sys.argv[1:])
