"""What ADBC says of a connection's metadata: the tree of objects at each depth, schemas of tables, statistics."""

from __future__ import annotations

import pytest
from conftest import rows, status

from adbc_driver_databricks import dbapi

ODD = "odd `name`.of a table"


@pytest.fixture(scope="module")
def odd(databricks_workspace):
    """A table whose name needs quotes."""
    name = f"`{ODD.replace('`', '``')}`"
    with databricks_workspace.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE OR REPLACE TABLE main.default.{name} (id INT NOT NULL, `a b` STRING)")
        yield ODD
        cursor.execute(f"DROP TABLE main.default.{name}")


@pytest.fixture
def tree(databricks_connection):
    def ask(**filters):
        return databricks_connection.adbc_get_objects(**filters).read_all().to_pylist()

    return ask


def flat(objects):
    """The names on the way to each leaf of a tree, as deep as it goes."""
    for catalog in objects:
        schemas = catalog["catalog_db_schemas"]
        if schemas is None:
            yield (catalog["catalog_name"],)
        for schema in schemas or ():
            tables = schema["db_schema_tables"]
            if tables is None:
                yield catalog["catalog_name"], schema["db_schema_name"]
            for table in tables or ():
                path = catalog["catalog_name"], schema["db_schema_name"], table["table_name"]
                if table["table_columns"] is None:
                    yield path
                for column in table["table_columns"] or ():
                    yield *path, column["column_name"]


@pytest.mark.parametrize(
    ("depth", "leaf"),
    [
        ("catalogs", ("samples",)),
        ("db_schemas", ("samples", "tpch")),
        ("tables", ("samples", "tpch", "nation")),
        ("columns", ("samples", "tpch", "nation", "n_name")),
        ("all", ("samples", "tpch", "nation", "n_name")),
    ],
)
def test_the_tree_ends_at_the_depth_with_null_and_lists_nothing_twice(tree, depth, leaf):
    leaves = list(flat(tree(depth=depth)))
    assert leaf in leaves
    assert len(set(leaves)) == len(leaves)
    assert {len(path) for path in leaves} == {len(leaf)}


FILTERS = ["catalog_filter", "db_schema_filter", "table_name_filter", "column_name_filter"]
DEPTHS = ["catalogs", "db_schemas", "tables", "columns"]


@pytest.mark.parametrize("level", range(4), ids=DEPTHS)
@pytest.mark.parametrize("pattern", ["nowhere", ""], ids=["no match", "without a name"])
def test_a_filter_that_nothing_matches_leaves_lists_that_are_empty(tree, level, pattern):
    within = {"catalog_filter": "samples", "db_schema_filter": "tpch"} if level > 1 else {}
    objects = tree(depth=DEPTHS[level], **within, **{FILTERS[level]: pattern})
    assert list(flat(objects)) == []
    # What is above the filter stays, as ADBC has it.
    assert bool(objects) == (level > 0)


@pytest.mark.parametrize("level", range(4), ids=DEPTHS)
def test_patterns_have_wildcards(tree, level):
    patterns = dict(zip(FILTERS, ["sampl_s", "t%ch", "natio_", "%_name"], strict=True))
    path = ("samples", "tpch", "nation", "n_name")[: level + 1]
    wanted = {name: patterns[name] for name in FILTERS[: level + 1]}
    assert list(flat(tree(depth=DEPTHS[level], **wanted))) == [path]


def test_types_of_tables_are_filtered_and_an_empty_list_is_no_filter(tree):
    def names(types):
        return set(
            flat(tree(depth="tables", catalog_filter="samples", db_schema_filter="tpch", table_types_filter=types))
        )

    every = names(None)
    assert ("samples", "tpch", "nation") in every
    assert names(["TABLE", "VIEW"]) == names([]) == every
    assert names(["NO SUCH TYPE"]) == set()


def test_columns_have_their_place_type_and_nullability(tree, odd):
    objects = tree(depth="columns", catalog_filter="main", db_schema_filter="default", table_name_filter=odd)
    (table,) = objects[0]["catalog_db_schemas"][0]["db_schema_tables"]
    assert table["table_name"] == odd
    facts = ["column_name", "ordinal_position", "xdbc_type_name", "xdbc_nullable", "xdbc_is_nullable"]
    assert [tuple(column[fact] for fact in facts) for column in table["table_columns"]] == [
        ("id", 1, "INT", 0, "NO"),
        ("a b", 2, "STRING", 1, "YES"),
    ]


def test_the_schema_of_a_table_with_an_odd_name(databricks_connection, odd):
    schema = databricks_connection.adbc_get_table_schema(odd)
    assert [(field.name, str(field.type)) for field in schema] == [("id", "int32"), ("a b", "string")]


def test_the_schema_of_a_table_elsewhere(databricks_connection):
    get = databricks_connection.adbc_get_table_schema
    assert get("nation", catalog_filter="samples", db_schema_filter="tpch").names[1] == "n_name"
    assert "table_name" in get("columns", db_schema_filter="information_schema").names


@pytest.mark.parametrize(
    "place",
    [
        {"table_name": "nowhere"},
        {"table_name": "(SELECT current_date())"},
        {"table_name": "x`; DROP TABLE y; --"},
        {"table_name": "%"},
        {"table_name": "nation", "db_schema_filter": "nowhere"},
        {"table_name": "nation", "catalog_filter": "nowhere", "db_schema_filter": "tpch"},
    ],
    ids=lambda place: " ".join(place.values()),
)
def test_a_table_that_does_not_exist_is_not_found(databricks_connection, place):
    with pytest.raises(dbapi.ProgrammingError) as raised:
        databricks_connection.adbc_get_table_schema(**place)
    # The table, or already the schema or catalog that it should be in.
    missing = "42704" if "db_schema_filter" in place else "42P01"
    assert (status(raised), raised.value.sqlstate) == ("NOT_FOUND", missing)


def test_types_of_tables(databricks_connection):
    types = rows(databricks_connection.adbc_connection.get_table_types())
    assert not types.schema.field("table_type").nullable
    assert {"TABLE", "VIEW"} <= set(types["table_type"].to_pylist())


def test_statistics_of_its_own_have_names_and_numbers_from_1024(databricks_connection):
    names = rows(databricks_connection.adbc_connection.get_statistic_names()).to_pylist()
    assert {"statistic_name": "databricks.statistic.table_size_bytes", "statistic_key": 1024} in names
    assert all(name["statistic_key"] >= 1024 for name in names)


def test_statistics_of_a_table(databricks_connection, cursor, table):
    cursor.execute(f"INSERT INTO {table} VALUES (1, 'a'), (2, 'b')")
    name = table.rpartition(".")[2].strip("`")
    statistics = databricks_connection.adbc_get_statistics(
        catalog_filter="main", db_schema_filter="default", table_name_filter=name
    )
    (catalog,) = statistics.read_all().to_pylist()
    (schema,) = catalog["catalog_db_schemas"]
    values = {fact["statistic_key"]: fact["statistic_value"] for fact in schema["db_schema_statistics"]}
    assert values[6] == 2, "ADBC's number for the count of rows"
