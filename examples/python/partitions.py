"""One query, its result read by several processes, each with a connection of its own. Needs: pip install ./python pyarrow"""

import multiprocessing

import adbc_driver_databricks.dbapi as dbapi
import pyarrow.compute
from adbc_driver_databricks import databricks_local

SQL = "SELECT * FROM samples.tpch.lineitem"


def read(uri, partition):
    """In a worker: download one part of the result and boil it down."""
    with dbapi.connect(uri) as connection, connection.cursor() as cursor:
        cursor.adbc_read_partition(partition)
        prices = cursor.fetch_arrow_table()["l_extendedprice"]
        return len(prices), pyarrow.compute.sum(prices).as_py()


if __name__ == "__main__":
    with databricks_local(scale_factor=0.05) as workspace:
        with workspace.connect() as connection, connection.cursor() as cursor:
            # Bytes that hold neither rows nor credentials: send them to other machines if you like.
            partitions, schema = cursor.adbc_execute_partitions(SQL)
        print(len(partitions), "parts of", len(partitions[0]), "bytes, of", len(schema), "columns")

        with multiprocessing.get_context("spawn").Pool(2) as pool:
            parts = pool.starmap(read, [(workspace.uri, partition) for partition in partitions])
        print("rows: ", " + ".join(str(rows) for rows, _ in parts), "=", sum(rows for rows, _ in parts))
        print("total:", sum(total for _, total in parts))
