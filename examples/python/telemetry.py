"""Runs three queries, one of which fails, and shows what the workspace's telemetry inbox then holds. Needs: pip install ./python pandas pyarrow"""

from adbc_driver_databricks import databricks_local

INBOX = """
SELECT operation_type, statement_type, execution_result, error_name, operation_latency_ms, chunks_present
FROM system.telemetry.driver_log
"""

with databricks_local() as workspace:
    with workspace.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1").fetchall()
        cursor.execute("SELECT * FROM samples.tpch.orders").fetch_arrow_table()
        try:
            cursor.execute("SELEC 1")
        except connection.Error as error:
            print(f"the driver says: {error.sqlstate} {str(error).splitlines()[0]}\n")
    # Closing the connection delivered what waited.
    with workspace.connect() as connection, connection.cursor() as cursor:
        print(cursor.execute(INBOX).fetch_df().to_string())
