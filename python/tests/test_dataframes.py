"""The libraries that people read results with."""

from __future__ import annotations

import datetime

import duckdb
import pandas
import polars
import pyarrow
import pytest

from adbc_driver_databricks import dbapi

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


FRAME = pandas.DataFrame({"id": [1, 2], "name": ["a", None], "day": pandas.to_datetime(["2026-11-21", None])})


def test_pandas_to_sql_in_each_mode(databricks_connection):
    FRAME.to_sql("pandas_to_sql", databricks_connection, index=False, if_exists="replace")
    with pytest.raises(ValueError, match="already exists"):
        FRAME.to_sql("pandas_to_sql", databricks_connection, index=False)
    assert FRAME.to_sql("pandas_to_sql", databricks_connection, index=False, if_exists="append") == 2
    assert FRAME.to_sql("pandas_to_sql", databricks_connection, schema="default", index=False, if_exists="append") == 2
    back = pandas.read_sql("SELECT * FROM pandas_to_sql ORDER BY id", databricks_connection)
    assert list(back.columns) == ["id", "name", "day"]
    assert back["id"].tolist() == [1, 1, 1, 2, 2, 2]
    assert back["day"].isna().sum() == 3
    assert len(pandas.read_sql("pandas_to_sql", databricks_connection)) == 6, "by the table's name"


def test_pandas_with_arrow_types(databricks_connection):
    frame = pandas.read_sql(SQL, databricks_connection, dtype_backend="pyarrow")
    assert frame.dtypes["region"] == pandas.ArrowDtype(pyarrow.int64())


def test_polars_in_batches_and_with_parameters(databricks_connection):
    batches = polars.read_database(SQL, databricks_connection, iter_batches=True, batch_size=10)
    assert sum(batch.height for batch in batches) == 25
    sql = "SELECT n_name FROM samples.tpch.nation WHERE n_nationkey = ?"
    frame = polars.read_database(sql, databricks_connection, execute_options={"parameters": [2]})
    assert frame.item() == "BRAZIL"


def test_polars_by_uri_finds_the_driver_itself(databricks_workspace):
    frame = polars.read_database_uri(SQL, databricks_workspace.uri, engine="adbc")
    assert frame.shape == (25, 2)


def test_polars_write_database(databricks_workspace, databricks_connection):
    frame = polars.DataFrame(
        {"id": [1, 2], "name": ["a", None], "at": [datetime.datetime(2026, 11, 21, 1, 2, 3, 4)] * 2},
        schema_overrides={"name": polars.Categorical},
    )
    for connection in (databricks_connection, databricks_workspace.uri):
        assert frame.write_database("polars_write", connection, engine="adbc", if_table_exists="replace") == 2
    place = {"catalog_name": "main", "db_schema_name": "default"}
    frame.write_database(
        "polars_write", databricks_connection, engine="adbc", if_table_exists="append", engine_options=place
    )
    with pytest.raises(databricks_connection.ProgrammingError, match="ALREADY_EXISTS"):
        frame.write_database("polars_write", databricks_connection, engine="adbc", if_table_exists="fail")
    back = polars.read_database("SELECT * FROM polars_write ORDER BY id", databricks_connection)
    assert back["name"].to_list() == ["a", "a", None, None]
    assert back["at"].to_list() == frame["at"].to_list() * 2


@pytest.mark.parametrize(
    "rows",
    [
        polars.DataFrame({"number": [1, 2, 3]}),
        duckdb.sql("SELECT unnest([1, 2, 3]) AS number"),
        pyarrow.table({"number": [1, 2, 3]}),
    ],
    ids=["polars", "DuckDB", "pyarrow"],
)
def test_whatever_speaks_the_arrow_stream_interface_is_ingested(cursor, rows):
    assert cursor.adbc_ingest("from_a_stream", rows, mode="replace") == 3
    cursor.execute("SELECT sum(number) FROM from_a_stream")
    assert cursor.fetchone() == (6,)


def test_a_result_is_an_arrow_stream_to_whoever_takes_it_once(cursor):
    cursor.execute(SQL)
    assert pyarrow.table(cursor.fetch_arrow()).num_rows == 25
    with pytest.raises(dbapi.ProgrammingError, match="closed or consumed"):
        cursor.fetch_arrow()


def test_duckdb_over_the_stream_interface(cursor):
    cursor.execute(SQL)
    nations = cursor.fetch_arrow()
    assert nations is not None  # DuckDB finds it by the name of the variable
    assert duckdb.sql("SELECT count(*), min(name) FROM nations").fetchall() == [(25, "ALGERIA")]
