"""Puts a table into the workspace, reads it back, and changes it. Needs: pip install ./python pyarrow"""

import datetime

import pyarrow
from adbc_driver_databricks import databricks_local

trips = pyarrow.table(
    {
        "id": pyarrow.array(range(10_000), pyarrow.int64()),
        "day": pyarrow.array([datetime.date(2026, 1, 1 + i % 28) for i in range(10_000)]),
        "fare": pyarrow.array([i % 97 + 0.5 for i in range(10_000)]),
    }
)

with databricks_local() as workspace, workspace.connect() as connection, connection.cursor() as cursor:
    print("put: ", cursor.adbc_ingest("trips", trips, mode="create"), "rows")
    cursor.execute("SELECT count(*), min(day), max(fare) FROM trips WHERE id >= ?", [5_000])
    print("read:", cursor.fetchone())
    cursor.execute("UPDATE trips SET fare = 0 WHERE day = DATE'2026-01-01'")
    print("set: ", cursor.rowcount, "fares to zero")
    print("left:", connection.adbc_get_table_schema("trips"))
