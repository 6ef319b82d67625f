"""What ADBC says of bound parameters: rows, names, and every Arrow type that a value can have."""

from __future__ import annotations

import datetime
import decimal

import pyarrow
import pytest
from conftest import rows, status

from adbc_driver_databricks import dbapi

UTC = datetime.timezone.utc


def decimals(unscaled, digits, scale):
    """Decimals with a negative scale, which pyarrow makes of no Python value."""
    data = b"".join(value.to_bytes(16, "little", signed=True) for value in unscaled)
    return pyarrow.Array.from_buffers(
        pyarrow.decimal128(digits, scale), len(unscaled), [None, pyarrow.py_buffer(data)]
    )


def bound(statement, array):
    statement.set_sql_query("SELECT ? AS value")
    statement.bind(pyarrow.record_batch([array], names=["value"]))
    return rows(statement.execute_query()[0])["value"]


SAME = [
    pyarrow.array([True, None, False]),
    pyarrow.array([-128, 127], pyarrow.int8()),
    pyarrow.array([-(2**15)], pyarrow.int16()),
    pyarrow.array([-(2**31), None], pyarrow.int32()),
    pyarrow.array([-(2**63), 2**63 - 1], pyarrow.int64()),
    pyarrow.array([3.4028234663852886e38, 1.401298464324817e-45], pyarrow.float32()),
    pyarrow.array([1.7976931348623157e308, float("inf"), -0.0], pyarrow.float64()),
    pyarrow.array(["", "it's; -- \"?\" \\ `", "世界 🚀", None]),
    pyarrow.array([b"", b"\x00\xff", None]),
    pyarrow.array([decimal.Decimal("-1.50"), None], pyarrow.decimal128(10, 2)),
    pyarrow.array([datetime.date(1, 1, 1), datetime.date(9999, 12, 31)]),
    pyarrow.array([-62_135_596_800_000_000, 253_402_300_799_999_999, None], pyarrow.timestamp("us")),
]


@pytest.mark.parametrize("array", SAME, ids=lambda array: str(array.type))
def test_values_come_back_in_their_type(statement, array):
    got = bound(statement, array)
    assert got.type == array.type
    assert got.to_pylist() == array.to_pylist()


OTHER = [
    (pyarrow.nulls(2), pyarrow.nulls(2, pyarrow.string())),
    (pyarrow.array([255], pyarrow.uint8()), pyarrow.array([255], pyarrow.int16())),
    (pyarrow.array([2**64 - 1], pyarrow.uint64()), pyarrow.array([2**64 - 1], pyarrow.decimal128(20, 0))),
    (pyarrow.array([1.5, None], pyarrow.float16()), pyarrow.array([1.5, None], pyarrow.float32())),
    (pyarrow.array(["a"], pyarrow.large_string()), pyarrow.array(["a"])),
    (pyarrow.array(["a" * 20, None], pyarrow.string_view()), pyarrow.array(["a" * 20, None])),
    (pyarrow.array([b"a" * 20, None], pyarrow.binary_view()), pyarrow.array([b"a" * 20, None])),
    (pyarrow.array([b"abcd", None], pyarrow.binary(4)), pyarrow.array([b"abcd", None])),
    (pyarrow.array([b"a"], pyarrow.large_binary()), pyarrow.array([b"a"])),
    (pyarrow.array(["a", None, "a"]).dictionary_encode(), pyarrow.array(["a", None, "a"])),
    (pyarrow.array([7, 8, 7]).dictionary_encode(), pyarrow.array([7, 8, 7])),
    (pyarrow.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"]), pyarrow.array(["a", "a", "b"])),
    (
        pyarrow.array([decimal.Decimal("1.5")], pyarrow.decimal256(38, 2)),
        pyarrow.array([decimal.Decimal("1.5")], pyarrow.decimal128(38, 2)),
    ),
    (decimals([99, -10], 2, -2), pyarrow.array([decimal.Decimal(9900), decimal.Decimal(-1000)], pyarrow.decimal128(4, 0))),
    (pyarrow.array([datetime.date(2026, 11, 21)], pyarrow.date64()), pyarrow.array([datetime.date(2026, 11, 21)])),
    (pyarrow.array([1_684_158_330], pyarrow.timestamp("s")), pyarrow.array([1_684_158_330_000_000], pyarrow.timestamp("us"))),
    (pyarrow.array([-1], pyarrow.timestamp("ms")), pyarrow.array([-1000], pyarrow.timestamp("us"))),
    (
        pyarrow.array([-(2**63), -1, 2**63 - 1], pyarrow.timestamp("ns")),
        pyarrow.array([-9_223_372_036_854_776, -1, 9_223_372_036_854_775], pyarrow.timestamp("us")),
    ),
]


@pytest.mark.parametrize(("array", "expected"), OTHER, ids=lambda array: str(array.type))
def test_values_come_back_in_the_type_that_databricks_has_for_them(statement, array, expected):
    got = bound(statement, array)
    assert got.type == expected.type
    assert got.combine_chunks() == expected


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "+02:00"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_an_instant_is_the_same_whatever_its_zone_and_unit(statement, zone, unit):
    instant = datetime.datetime(2023, 5, 15, 13, 45, 30, tzinfo=UTC)
    got = bound(statement, pyarrow.array([instant, None], pyarrow.timestamp(unit, zone)))
    assert got.type.tz is not None
    assert got.to_pylist() == [instant, None]


@pytest.mark.parametrize(
    "array",
    [
        pyarrow.array([2**63 - 1], pyarrow.timestamp("us")),
        pyarrow.array([2**63 - 1], pyarrow.timestamp("s")),
        pyarrow.array([2**31 - 1], pyarrow.date32()),
    ],
    ids=lambda array: str(array.type),
)
def test_a_value_that_cannot_be_said_is_an_error_and_not_null(statement, array):
    with pytest.raises(dbapi.DataError, match="bound column 1") as raised:
        bound(statement, array)
    assert status(raised) == "INVALID_DATA"


@pytest.mark.parametrize(
    ("array", "advice"),
    [
        (pyarrow.array([1], pyarrow.time32("s")), "bind them as text"),
        (pyarrow.array([1], pyarrow.time64("ns")), "bind them as text"),
        (pyarrow.array([[1]]), "from_json"),
        (pyarrow.array([{"a": 1}]), "from_json"),
        (pyarrow.array([1], pyarrow.duration("us")), "cannot be bound"),
        (pyarrow.array([decimal.Decimal(1)], pyarrow.decimal256(39, 0)), "cannot be bound"),
    ],
    ids=lambda case: str(getattr(case, "type", "")),
)
def test_a_type_that_databricks_lacks_is_refused_with_advice(statement, array, advice):
    with pytest.raises(dbapi.NotSupportedError, match=f"bound column 1.*{advice}"):
        bound(statement, array)


def test_several_rows_execute_once_each_and_their_results_follow_one_another(statement):
    statement.set_sql_query("SELECT 1 + ?")
    statement.bind(pyarrow.record_batch({"0": [1, 2, 3, 4]}))
    statement.prepare()
    assert rows(statement.execute_query()[0])[0].to_pylist() == [2, 3, 4, 5]


def test_several_batches_of_a_stream_change_a_table(statement, cursor, table):
    batch = pyarrow.record_batch({"id": [1, None], "name": ["a", "b"]})
    statement.set_sql_query(f"INSERT INTO {table} VALUES (?, ?)")
    statement.prepare()
    statement.bind_stream(pyarrow.RecordBatchReader.from_batches(batch.schema, [batch, batch]))
    assert statement.execute_update() == 4
    cursor.execute(f"SELECT count(*), count(id) FROM {table}")
    assert cursor.fetchone() == (4, 2)


def test_a_null_without_a_type_fits_any_column(statement, cursor, table):
    statement.set_sql_query(f"INSERT INTO {table} VALUES (?, ?)")
    statement.bind(pyarrow.record_batch([pyarrow.nulls(1), pyarrow.array(["a"])], names=["0", "1"]))
    assert statement.execute_update() == 1
    cursor.execute(f"SELECT id, name FROM {table}")
    assert cursor.fetchall() == [(None, "a")]


def test_names_find_their_places_and_may_come_in_any_order(statement):
    statement.set_sql_query("SELECT :whole - :part AS rest, :part AS part")
    statement.set_options(**{"adbc.statement.bind_by_name": True})
    statement.bind(pyarrow.record_batch({"part": [1, 2], "whole": [10, 20]}))
    assert rows(statement.execute_query()[0]).to_pylist() == [{"rest": 9, "part": 1}, {"rest": 18, "part": 2}]


@pytest.mark.parametrize(("sql", "columns"), [("SELECT ?, ?", 1), ("SELECT ?", 2), ("SELECT 1", 1)])
def test_as_many_values_are_bound_as_there_are_places(statement, sql, columns):
    statement.set_sql_query(sql)
    statement.prepare()
    statement.bind(pyarrow.record_batch({str(column): [1] for column in range(columns)}))
    with pytest.raises(dbapi.ProgrammingError) as raised:
        rows(statement.execute_query()[0])
    assert status(raised) == "INVALID_ARGUMENT"


def test_a_place_without_a_value_is_an_error(statement):
    statement.set_sql_query("SELECT ?")
    with pytest.raises(dbapi.ProgrammingError, match="UNBOUND_SQL_PARAMETER"):
        statement.execute_query()
