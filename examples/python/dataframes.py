"""One query, read as pandas, polars, DuckDB and as a stream of Arrow batches. Needs: pip install ./python pandas polars duckdb pyarrow"""

import duckdb
import polars
from adbc_driver_databricks import databricks_local

SQL = "SELECT o_orderpriority, o_totalprice FROM samples.tpch.orders"

with databricks_local() as workspace, workspace.connect() as connection:
    with connection.cursor() as cursor:
        prices = cursor.execute(SQL).fetch_df()
        print("pandas:", prices.groupby("o_orderpriority")["o_totalprice"].count().to_dict())

    frame = polars.read_database(SQL, connection)
    print("polars:", frame.group_by("o_orderpriority").len().sort("o_orderpriority").rows())

    with connection.cursor() as cursor:
        reader = cursor.execute(SQL).fetch_record_batch()
        print("DuckDB:", duckdb.sql("SELECT count(*), max(o_totalprice) FROM reader").fetchall())

    with connection.cursor() as cursor:
        batches = [batch.num_rows for batch in cursor.execute(SQL).fetch_record_batch()]
        print("Arrow: ", sum(batches), "rows in", len(batches), "batches, never all of them in memory")
