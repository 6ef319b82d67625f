"""What ADBC says of databases and connections: options, facts about the driver, where names start, transactions."""

from __future__ import annotations

import re

import adbc_driver_manager
import pyarrow
import pytest
from conftest import rows, status

import adbc_driver_databricks
from adbc_driver_databricks import dbapi

GETTERS = ["get_option", "get_option_bytes", "get_option_int", "get_option_float"]


@pytest.fixture(params=["database", "connection", "statement"])
def handle(request, databricks_connection, statement):
    """Each kind of thing that has options."""
    return {
        "database": databricks_connection.adbc_database,
        "connection": databricks_connection.adbc_connection,
        "statement": statement,
    }[request.param]


@pytest.mark.parametrize("getter", GETTERS)
def test_an_option_that_does_not_exist_is_not_found(handle, getter):
    with pytest.raises(dbapi.ProgrammingError, match="no option 'databricks.nonsense'") as raised:
        getattr(handle, getter)("databricks.nonsense")
    assert status(raised) == "NOT_FOUND"


@pytest.mark.parametrize("value", ["text", b"bytes", 1, 1.5], ids=lambda value: type(value).__name__)
def test_an_option_that_does_not_exist_cannot_be_set(handle, value):
    with pytest.raises(dbapi.NotSupportedError, match="databricks.nonsense") as raised:
        handle.set_options(**{"databricks.nonsense": value})
    assert status(raised) == "NOT_IMPLEMENTED"


def test_the_facts_have_the_types_of_the_specification(databricks_connection):
    info = rows(databricks_connection.adbc_connection.get_info())
    union = info.schema.field("info_value").type
    assert info.schema.field("info_name") == pyarrow.field("info_name", pyarrow.uint32(), nullable=False)
    assert union.mode == "dense"
    names = ["string_value", "bool_value", "int64_value", "int32_bitmask", "string_list", "int32_to_int32_list_map"]
    assert [union.field(place).name for place in range(union.num_fields)] == names


def test_the_facts_name_vendor_driver_and_versions(databricks_connection):
    info = databricks_connection.adbc_get_info()
    assert info["vendor_name"] == "Databricks"
    assert re.fullmatch(r"\d{4}\.\d+", info["vendor_version"])
    assert info["driver_name"] == "ADBC Databricks Driver (Rust)"
    assert info["driver_version"] == f"v{adbc_driver_databricks.__version__}"
    assert re.fullmatch(r"v\d+\.\d+\.\d+", info["driver_arrow_version"])
    assert info["driver_adbc_version"] == 1_001_000


def test_facts_are_given_as_asked_and_unknown_ones_left_out(databricks_connection):
    info = rows(databricks_connection.adbc_connection.get_info([100, 3, 77_777])).to_pylist()
    assert sorted((fact["info_name"], fact["info_value"]) for fact in info) == [
        (3, True),
        (100, "ADBC Databricks Driver (Rust)"),
    ]


def test_the_place_where_names_start_is_read_and_moved(databricks_workspace):
    with databricks_workspace.connect() as connection:
        assert (connection.adbc_current_catalog, connection.adbc_current_db_schema) == ("main", "default")
        connection.adbc_current_catalog = "samples"
        connection.adbc_current_db_schema = "tpch"
        assert (connection.adbc_current_catalog, connection.adbc_current_db_schema) == ("samples", "tpch")
        assert connection.adbc_get_table_schema("nation").names[0] == "n_nationkey"
        with connection.cursor() as cursor:
            cursor.execute("USE main.default")
        assert (connection.adbc_current_catalog, connection.adbc_current_db_schema) == ("main", "default")


@pytest.mark.parametrize("option", ["adbc_current_catalog", "adbc_current_db_schema"])
def test_a_place_that_does_not_exist_is_not_found_and_nothing_moves(databricks_connection, option):
    before = getattr(databricks_connection, option)
    with pytest.raises(dbapi.ProgrammingError, match="nowhere") as raised:
        setattr(databricks_connection, option, "nowhere")
    assert (status(raised), raised.value.sqlstate) == ("NOT_FOUND", "42704")
    assert getattr(databricks_connection, option) == before


def test_there_is_no_transaction_to_end(databricks_connection):
    connection = databricks_connection.adbc_connection
    for end in (connection.commit, connection.rollback):
        with pytest.raises(dbapi.ProgrammingError, match="autocommit is on") as raised:
            end()
        assert status(raised) == "INVALID_STATE"


def test_transactions_are_refused_and_not_pretended(databricks_connection):
    connection = databricks_connection.adbc_connection
    with pytest.raises(dbapi.NotSupportedError, match="transactions are not supported"):
        connection.set_autocommit(False)
    assert connection.get_option("adbc.connection.autocommit") == "true"
    connection.set_autocommit(True)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("adbc.connection.autocommit", "perhaps", "INVALID_ARGUMENT"),
        ("adbc.connection.readonly", "true", "NOT_IMPLEMENTED"),
        (
            "adbc.connection.transaction.isolation_level",
            "adbc.connection.transaction.isolation.serializable",
            "INVALID_ARGUMENT",
        ),
    ],
)
def test_a_promise_that_cannot_be_kept_is_not_made(databricks_connection, option, value, expected):
    connection = databricks_connection.adbc_connection
    before = connection.get_option(option)
    with pytest.raises(dbapi.Error, match=re.escape(expected)) as raised:
        connection.set_options(**{option: value})
    assert status(raised) == expected
    assert connection.get_option(option) == before


def test_a_cancel_with_nothing_to_cancel_is_an_invalid_state(databricks_connection):
    with pytest.raises(dbapi.ProgrammingError) as raised:
        databricks_connection.adbc_connection.cancel()
    assert status(raised) == "INVALID_STATE"


def test_what_is_closed_says_so_and_closing_again_is_nothing(databricks_workspace):
    database = adbc_driver_databricks.connect(databricks_workspace.uri)
    connection = adbc_driver_manager.AdbcConnection(database)
    statement = adbc_driver_manager.AdbcStatement(connection)
    statement.close()
    for handle in (connection, database):
        handle.close()
        handle.close()
    for call in (statement.execute_query, connection.commit):
        with pytest.raises(dbapi.ProgrammingError) as raised:
            call()
        assert status(raised) == "INVALID_STATE"
