"""Queries as people write them."""

from __future__ import annotations

import datetime
import decimal

import pyarrow
import pytest

LINE_ITEMS = 60_175


def test_rows_come_one_by_one_in_part_and_all_together(cursor):
    cursor.execute("SELECT id, CAST(id AS STRING) AS text FROM range(10) ORDER BY id")
    assert [column[0] for column in cursor.description] == ["id", "text"]
    assert cursor.rowcount == 10
    assert cursor.fetchone() == (0, "0")
    assert cursor.fetchmany(3) == [(1, "1"), (2, "2"), (3, "3")]
    assert [row[0] for row in cursor.fetchall()] == [4, 5, 6, 7, 8, 9]
    assert cursor.fetchone() is None


def test_an_arrow_table_has_all_rows(cursor):
    cursor.execute("SELECT * FROM samples.tpch.lineitem")
    table = cursor.fetch_arrow_table()
    assert table.num_rows == LINE_ITEMS
    assert cursor.rowcount == LINE_ITEMS
    assert table.schema.field("l_extendedprice").type == pyarrow.decimal128(18, 2)


def test_a_reader_streams_batches(cursor):
    cursor.execute("SELECT l_orderkey FROM samples.tpch.lineitem")
    reader = cursor.fetch_record_batch()
    assert sum(batch.num_rows for batch in reader) == LINE_ITEMS


def test_one_cursor_executes_again_and_again(cursor):
    for number in range(20):
        cursor.execute(f"SELECT {number}")
        assert cursor.fetchone() == (number,)


@pytest.mark.parametrize(
    "value",
    [
        1,
        -(2**62),
        1.5,
        True,
        "it's; -- \"text\" ? é 漢",
        None,
        b"\x00\xff",
        datetime.date(2026, 11, 21),
        datetime.datetime(2026, 11, 21, 12, 30, 45, 123456),
        decimal.Decimal("12345.6789"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_parameter_comes_back_as_it_went(cursor, value):
    cursor.execute("SELECT ? AS value", (value,))
    (got,) = cursor.fetchone()
    if isinstance(got, datetime.datetime) and got.tzinfo is not None:
        got = got.replace(tzinfo=None)
    assert got == value


def test_parameters_by_name(cursor):
    cursor.execute("SELECT :big - :small", {"small": 1, "big": 10})
    assert cursor.fetchone() == (9,)


def test_changes_say_how_many_rows(cursor, table):
    cursor.execute(f"INSERT INTO {table} VALUES (1, 'a'), (2, 'b')")
    assert cursor.rowcount == 2
    cursor.executemany(f"INSERT INTO {table} VALUES (?, ?)", [(3, "c"), (4, None), (5, "e")])
    assert cursor.rowcount == 3
    cursor.execute(f"DELETE FROM {table} WHERE id > ?", (4,))
    assert cursor.rowcount == 1
    cursor.execute(f"SELECT id, name FROM {table} ORDER BY id")
    assert cursor.fetchall() == [(1, "a"), (2, "b"), (3, "c"), (4, None)]


def test_all_rows_of_a_change_are_carried_out_though_nobody_reads_the_answer(cursor, table):
    rows = pyarrow.record_batch({"id": [1, 2, 3], "name": ["a", "b", "c"]})
    cursor.execute(f"INSERT INTO {table} VALUES (?, ?)", rows)
    assert cursor.rowcount == 3
    cursor.execute(f"SELECT count(*) FROM {table}")
    assert cursor.fetchone() == (3,)


def test_the_schema_of_a_query_without_running_it(cursor):
    schema = cursor.adbc_execute_schema("SELECT 1 AS one, 'x' AS two")
    assert schema.names == ["one", "two"]


def test_schemas_of_tables(databricks_connection):
    schema = databricks_connection.adbc_get_table_schema("nation", catalog_filter="samples", db_schema_filter="tpch")
    assert schema.names == ["n_nationkey", "n_name", "n_regionkey", "n_comment"]
