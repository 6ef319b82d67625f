"""The libraries that people read results with."""

from __future__ import annotations

import duckdb
import pandas
import polars

SQL = "SELECT n_name AS name, n_regionkey AS region FROM samples.tpch.nation ORDER BY n_name"


def test_pandas_by_the_cursor(cursor):
    cursor.execute(SQL)
    frame = cursor.fetch_df()
    assert frame.shape == (25, 2)
    assert frame.name[0] == "ALGERIA"


def test_pandas_read_sql(databricks_connection):
    frame = pandas.read_sql(SQL, databricks_connection)
    assert list(frame.columns) == ["name", "region"]
    assert len(frame) == 25


def test_polars_read_database(databricks_connection):
    frame = polars.read_database(SQL, connection=databricks_connection)
    assert frame.shape == (25, 2)
    assert frame["name"][0] == "ALGERIA"


def test_polars_by_the_cursor(cursor):
    cursor.execute(SQL)
    assert polars.DataFrame(cursor.fetch_arrow()).shape == (25, 2)


def test_duckdb_over_the_reader(cursor):
    cursor.execute("SELECT l_returnflag, l_quantity FROM samples.tpch.lineitem")
    reader = cursor.fetch_record_batch()
    assert reader is not None  # DuckDB finds it by the name of the variable
    counts = duckdb.sql("SELECT l_returnflag, count(*) FROM reader GROUP BY ALL ORDER BY ALL").fetchall()
    cursor.execute("SELECT l_returnflag, count(*) FROM samples.tpch.lineitem GROUP BY 1 ORDER BY 1")
    assert counts == cursor.fetchall()
