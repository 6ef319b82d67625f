"""What ADBC says of bulk ingest: modes and their statuses, sources, names, types, and the statement afterwards."""

from __future__ import annotations

import decimal

import pyarrow
import pytest
from conftest import rows, status

from adbc_driver_databricks import dbapi

DATA = pyarrow.table({"id": [1, 2, 3], "name": ["a", None, "c"]})


@pytest.fixture
def target(cursor, request):
    """The name of a table of the test's own that is not there."""
    name = request.node.name.lower()
    quoted = f"`{name.replace('`', '``')}`"
    cursor.execute(f"DROP TABLE IF EXISTS {quoted}")
    yield name
    cursor.execute(f"DROP TABLE IF EXISTS {quoted}")


def content(cursor, target, order="id"):
    cursor.execute(f"SELECT * FROM `{target}` ORDER BY {order}")
    return cursor.fetch_arrow_table()


@pytest.mark.parametrize("mode", ["create", "create_append", "replace"])
def test_a_table_that_is_not_there_is_made(cursor, target, mode):
    assert cursor.adbc_ingest(target, DATA, mode=mode) == 3
    assert content(cursor, target).to_pydict() == DATA.to_pydict()


def test_appending_to_a_table_that_is_not_there_is_not_found(cursor, target):
    with pytest.raises(dbapi.ProgrammingError, match="TABLE_OR_VIEW_NOT_FOUND") as raised:
        cursor.adbc_ingest(target, DATA, mode="append")
    assert status(raised) == "NOT_FOUND"


def test_making_a_table_that_is_there_is_already_exists_and_leaves_it(cursor, target):
    cursor.adbc_ingest(target, DATA)
    with pytest.raises(dbapi.ProgrammingError) as raised:
        cursor.adbc_ingest(target, DATA.slice(0, 1), mode="create")
    assert status(raised) == "ALREADY_EXISTS"
    assert content(cursor, target).num_rows == 3


@pytest.mark.parametrize(("mode", "count"), [("append", 4), ("create_append", 4), ("replace", 1)])
def test_a_table_that_is_there_is_added_to_or_replaced(cursor, target, mode, count):
    cursor.adbc_ingest(target, DATA)
    assert cursor.adbc_ingest(target, DATA.slice(2), mode=mode) == 1
    assert content(cursor, target).num_rows == count


@pytest.mark.parametrize("mode", ["append", "create_append"])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (DATA.append_column("other", DATA["id"]), "no column 'other'"),
        (DATA.set_column(0, "id", DATA["name"]), "column 'id'"),
    ],
    ids=["another column", "another type"],
)
def test_data_that_does_not_fit_the_table_is_already_exists(cursor, target, mode, data, message):
    cursor.adbc_ingest(target, DATA)
    with pytest.raises(dbapi.ProgrammingError, match=message) as raised:
        cursor.adbc_ingest(target, data, mode=mode)
    assert status(raised) == "ALREADY_EXISTS"
    assert content(cursor, target).num_rows == 3


def test_columns_go_by_name_and_those_that_are_missing_are_null(cursor, target):
    cursor.adbc_ingest(target, DATA)
    cursor.adbc_ingest(target, pyarrow.table({"NAME": ["d"]}), mode="append")
    cursor.adbc_ingest(target, pyarrow.table({"name": ["e"], "id": [5]}), mode="append")
    assert content(cursor, target, "name NULLS FIRST").to_pydict() == {
        "id": [2, 1, 3, None, 5],
        "name": [None, "a", "c", "d", "e"],
    }


SOURCES = {
    "a batch": lambda: DATA.to_batches()[0],
    "a table of several chunks": lambda: pyarrow.concat_tables([DATA.slice(0, 1), DATA.slice(1)]),
    "a list of batches": lambda: DATA.to_batches(max_chunksize=1),
    "a reader": lambda: pyarrow.RecordBatchReader.from_batches(DATA.schema, DATA.to_batches(max_chunksize=2)),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_rows_come_from_any_source_of_arrow_data(cursor, target, source):
    assert cursor.adbc_ingest(target, source()) == 3
    assert content(cursor, target).to_pydict() == DATA.to_pydict()


@pytest.mark.parametrize(
    "source",
    [DATA.slice(0, 0), pyarrow.RecordBatchReader.from_batches(DATA.schema, [])],
    ids=["no rows", "no batches"],
)
def test_a_source_without_rows_makes_an_empty_table(cursor, target, source):
    assert cursor.adbc_ingest(target, source) == 0
    assert [(field.name, str(field.type)) for field in content(cursor, target).schema] == [
        ("id", "int64"),
        ("name", "string"),
    ]


def test_fields_that_are_not_nullable_become_columns_that_are_not(cursor, databricks_connection, target):
    fields = [pyarrow.field("id", pyarrow.int64()), pyarrow.field("name", pyarrow.string(), nullable=False)]
    cursor.adbc_ingest(target, pyarrow.table({"id": [1], "name": ["a"]}, schema=pyarrow.schema(fields)))
    objects = databricks_connection.adbc_get_objects(catalog_filter="main", table_name_filter=target)
    schemas = {schema["db_schema_name"]: schema for schema in objects.read_all().to_pylist()[0]["catalog_db_schemas"]}
    (table,) = schemas["default"]["db_schema_tables"]
    assert [column["xdbc_is_nullable"] for column in table["table_columns"]] == ["YES", "NO"]


def test_names_are_quoted(cursor, target):
    data = pyarrow.table({"index": [1], "a `b`; --": [2], "select": [3], "grün": [4]})
    cursor.adbc_ingest(f"{target} create", data)
    cursor.execute(f"SELECT `index`, `a ``b``; --`, `select`, `grün` FROM `{target} create`")
    assert cursor.fetchall() == [(1, 2, 3, 4)]
    cursor.execute(f"DROP TABLE `{target} create`")


def test_a_table_elsewhere(cursor, target):
    cursor.adbc_ingest(target, DATA, catalog_name="main", db_schema_name="default")
    assert cursor.adbc_ingest(target, DATA, mode="append", db_schema_name="default") == 3
    for place in ({"db_schema_name": "nowhere"}, {"catalog_name": "nowhere", "db_schema_name": "default"}):
        with pytest.raises(dbapi.ProgrammingError, match="nowhere") as raised:
            cursor.adbc_ingest(target, DATA, **place)
        assert status(raised) == "NOT_FOUND"


def test_a_temporary_table_has_no_place(cursor, target):
    with pytest.raises(dbapi.ProgrammingError) as raised:
        cursor.adbc_ingest(target, DATA, temporary=True, catalog_name="main")
    assert status(raised) == "INVALID_STATE"


def test_very_many_columns(cursor, target):
    data = pyarrow.table({f"column_{number}": [number, None] for number in range(600)})
    assert cursor.adbc_ingest(target, data) == 2
    assert content(cursor, target, "column_0 NULLS LAST").to_pydict() == data.to_pydict()


def test_very_long_values(cursor, target):
    data = pyarrow.table({"id": [1, 2], "text": ["x" * 131_072, "é\\'" * 43_691], "bytes": [b"\x00" * 131_072, b""]})
    cursor.adbc_ingest(target, data)
    assert content(cursor, target).to_pydict() == data.to_pydict()


def test_more_rows_than_one_statement_takes(cursor, target):
    data = pyarrow.table({"id": range(4_500), "name": ["foo"] * 4_500})
    assert cursor.adbc_ingest(target, data) == 4_500
    assert content(cursor, target)["id"].to_pylist() == list(range(4_500))


HUNDREDS = pyarrow.Array.from_buffers(
    pyarrow.decimal128(2, -2), 1, [None, pyarrow.py_buffer((99).to_bytes(16, "little"))]
)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (HUNDREDS, pyarrow.array([9900], pyarrow.decimal128(4, 0))),
        (
            pyarrow.array([decimal.Decimal("0.5")], pyarrow.decimal128(2, 2)),
            pyarrow.array([decimal.Decimal("0.5")], pyarrow.decimal128(2, 2)),
        ),
        (pyarrow.array([-1], pyarrow.timestamp("ns")), pyarrow.array([-1], pyarrow.timestamp("us"))),
        (
            pyarrow.array([253_402_300_799_999_999], pyarrow.timestamp("us")),
            pyarrow.array([253_402_300_799_999_999], pyarrow.timestamp("us")),
        ),
        (pyarrow.array(["a", "a"]).dictionary_encode(), pyarrow.array(["a", "a"])),
        (pyarrow.array([b"abcd"], pyarrow.binary(4)), pyarrow.array([b"abcd"])),
        (pyarrow.array(["a" * 20], pyarrow.string_view()), pyarrow.array(["a" * 20])),
    ],
    ids=lambda array: str(array.type),
)
def test_values_arrive_in_the_type_that_databricks_has_for_them(cursor, target, array, expected):
    cursor.adbc_ingest(target, pyarrow.table({"value": array}))
    cursor.execute(f"SELECT value FROM `{target}`")
    assert cursor.fetch_arrow_table()["value"].combine_chunks() == expected


@pytest.mark.parametrize(
    "array",
    [
        pyarrow.array([2**63 - 1], pyarrow.timestamp("us")),
        pyarrow.array([2**63 - 1], pyarrow.timestamp("s")),
        pyarrow.array([2**31 - 1], pyarrow.date32()),
    ],
    ids=lambda array: str(array.type),
)
def test_a_value_that_cannot_be_said_is_an_error_and_leaves_no_table(cursor, target, array):
    with pytest.raises(dbapi.DataError, match="column 'when'") as raised:
        cursor.adbc_ingest(target, pyarrow.table({"when": array}))
    assert status(raised) == "INVALID_DATA"
    with pytest.raises(dbapi.ProgrammingError, match="TABLE_OR_VIEW_NOT_FOUND"):
        cursor.execute(f"SELECT * FROM `{target}`")


def test_times_of_day_are_refused_and_the_column_is_named(cursor, target):
    with pytest.raises(dbapi.NotSupportedError, match="column 'when'"):
        cursor.adbc_ingest(target, pyarrow.table({"when": pyarrow.array([1], pyarrow.time64("us"))}))


def test_without_rows_to_put_it_is_an_invalid_state(statement, target):
    statement.set_options(**{"adbc.ingest.target_table": target})
    with pytest.raises(dbapi.ProgrammingError, match="no rows are bound") as raised:
        statement.execute_update()
    assert status(raised) == "INVALID_STATE"


def test_the_statement_queries_afterwards(statement, target):
    statement.set_options(**{"adbc.ingest.target_table": target})
    statement.bind(DATA.to_batches()[0])
    assert statement.execute_update() == 3
    statement.set_sql_query(f"SELECT count(*) AS count FROM `{target}`")
    assert rows(statement.execute_query()[0]).to_pylist() == [{"count": 3}]
