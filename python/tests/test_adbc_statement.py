"""What ADBC says of statements: what each call needs, what it gives, and how results live on."""

from __future__ import annotations

import concurrent.futures
import gc

import adbc_driver_manager
import pyarrow
import pytest
from conftest import DEADLINE_S, rows, status

import adbc_driver_databricks
from adbc_driver_databricks import dbapi

CALLS = ["execute_query", "execute_update", "execute_schema", "execute_partitions", "prepare", "get_parameter_schema"]


@pytest.mark.parametrize("call", CALLS)
def test_without_a_query_there_is_nothing_to_do(statement, call):
    with pytest.raises(dbapi.ProgrammingError, match="no SQL text") as raised:
        getattr(statement, call)()
    assert status(raised) == "INVALID_STATE"


def test_a_cancel_with_nothing_to_cancel_is_an_invalid_state(statement):
    with pytest.raises(dbapi.ProgrammingError) as raised:
        statement.cancel()
    assert status(raised) == "INVALID_STATE"


def test_substrait_is_not_supported(statement):
    with pytest.raises(dbapi.NotSupportedError, match="Substrait"):
        statement.set_substrait_plan(b"plan")


def test_preparing_asks_nobody_and_may_be_repeated(statement):
    statement.set_sql_query("SELECT * FROM a_table_that_is_nowhere WHERE id = ?")
    statement.prepare()
    statement.prepare()


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT 1", []),
        ("SELECT 1 + ?", [""]),
        ("SELECT 1 + ? + ?", ["", ""]),
        ("SELECT :b + :a + :b", ["b", "a"]),
        ("SELECT '?', \"?\", `?` /* ? */ -- ?\n", []),
    ],
)
def test_parameters_are_listed_in_order_and_names_once(statement, sql, names):
    statement.set_sql_query(sql)
    statement.prepare()
    schema = pyarrow.schema(statement.get_parameter_schema())
    assert schema.names == names
    assert all(field.type == pyarrow.null() for field in schema), "nobody knows their types"


def test_the_schema_of_expressions_without_names(statement):
    statement.set_sql_query("SELECT n_nationkey + 1, 'x' FROM samples.tpch.nation")
    assert len(pyarrow.schema(statement.execute_schema())) == 2


def test_asking_for_the_schema_changes_nothing(statement, cursor, table):
    statement.set_sql_query(f"DROP TABLE {table}")
    assert pyarrow.schema(statement.execute_schema()).names == []
    statement.set_sql_query(f"INSERT INTO {table} VALUES (1, 'a')")
    assert "num_affected_rows" in pyarrow.schema(statement.execute_schema()).names
    cursor.execute(f"SELECT count(*) FROM {table}")
    assert cursor.fetchone() == (0,)


def test_an_update_says_how_many_rows_changed(statement, table):
    changes = [
        (f"INSERT INTO {table} VALUES (1, 'a'), (2, 'b')", 2),
        (f"UPDATE {table} SET id = id + 1 WHERE id = 1", 1),
        (f"DELETE FROM {table} WHERE id = 77", 0),
        (f"DELETE FROM {table}", 2),
        (f"CREATE OR REPLACE TABLE {table} (id BIGINT, name STRING)", -1),
        ("SELECT 1", -1),
    ]
    for sql, expected in changes:
        statement.set_sql_query(sql)
        assert statement.execute_update() == expected, sql


def test_a_query_says_how_many_rows_come(statement):
    statement.set_sql_query("SELECT * FROM samples.tpch.nation")
    stream, count = statement.execute_query()
    assert count == rows(stream).num_rows == 25


def test_a_result_without_rows_has_its_columns(statement):
    statement.set_sql_query("SELECT * FROM samples.tpch.nation WHERE 1 = 0")
    result = rows(statement.execute_query()[0])
    assert (result.num_rows, result.num_columns) == (0, 4)


def test_text_comes_back_as_it_went_whatever_its_alphabet(statement):
    statement.set_sql_query("SELECT 'Grüße, 世界 🚀' AS greeting")
    assert rows(statement.execute_query()[0]).to_pylist() == [{"greeting": "Grüße, 世界 🚀"}]


def test_definitions_have_no_rows_to_fetch(cursor, table):
    cursor.execute(f"CREATE OR REPLACE TABLE {table} (id BIGINT, name STRING)")
    assert cursor.fetchone() is None
    assert cursor.fetchall() == []


def test_a_stream_outlives_statement_connection_and_database(databricks_workspace):
    database = adbc_driver_databricks.connect(databricks_workspace.uri)
    connection = adbc_driver_manager.AdbcConnection(database)
    statement = adbc_driver_manager.AdbcStatement(connection)
    statement.set_sql_query("SELECT * FROM samples.tpch.lineitem")
    stream, _ = statement.execute_query()
    for handle in (statement, connection, database):
        handle.close()
    del handle, statement, connection, database
    gc.collect()
    assert rows(stream).num_rows == 60_175


def test_executing_again_leaves_the_earlier_result_whole(statement):
    statement.set_sql_query("SELECT * FROM samples.tpch.lineitem")
    earlier, _ = statement.execute_query()
    statement.set_sql_query("SELECT 1 AS one")
    assert rows(statement.execute_query()[0]).to_pylist() == [{"one": 1}]
    assert rows(earlier).num_rows == 60_175


def test_a_result_that_is_dropped_half_read_leaves_the_statement_usable(statement):
    statement.set_sql_query("SELECT * FROM samples.tpch.lineitem")
    with pyarrow.RecordBatchReader.from_stream(statement.execute_query()[0]) as reader:
        reader.read_next_batch()
    statement.set_sql_query("SELECT 1 AS one")
    assert rows(statement.execute_query()[0]).to_pylist() == [{"one": 1}]


def test_statements_of_one_connection_are_read_in_turns(databricks_connection):
    with databricks_connection.cursor() as one, databricks_connection.cursor() as other:
        one.execute("SELECT id FROM range(5) ORDER BY id")
        other.execute("SELECT id FROM range(5) ORDER BY id DESC")
        assert [(one.fetchone()[0], other.fetchone()[0]) for _ in range(5)] == [(0, 4), (1, 3), (2, 2), (3, 1), (4, 0)]


def test_statements_of_one_connection_execute_at_the_same_time(databricks_connection):
    def count(number):
        with databricks_connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM samples.tpch.lineitem WHERE l_orderkey % 4 = {number}")
            return cursor.fetchone()[0]

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(count, range(4), timeout=DEADLINE_S)) == 60_175


@pytest.mark.parametrize("fetch", ["fetchone", "fetchall", "fetch_arrow_table", "fetch_df"])
def test_a_cancel_reaches_every_way_to_read(cursor, fetch):
    cursor.execute("SELECT * FROM samples.tpch.lineitem")
    cursor.adbc_cancel()
    with pytest.raises(dbapi.OperationalError) as raised:
        getattr(cursor, fetch)()
    assert (status(raised), raised.value.sqlstate) == ("CANCELLED", "57014")


def test_an_error_has_the_sqlstate_and_the_workspaces_own_words(statement):
    statement.set_sql_query("SELECT * FROM nowhere")
    with pytest.raises(dbapi.ProgrammingError, match=r"\[TABLE_OR_VIEW_NOT_FOUND\].*`nowhere`") as raised:
        statement.execute_query()
    details = dict(raised.value.details)
    assert (status(raised), raised.value.sqlstate) == ("NOT_FOUND", "42P01")
    assert details[b"databricks.error_class"] == b"TABLE_OR_VIEW_NOT_FOUND"
    assert details[b"databricks.statement_id"]
