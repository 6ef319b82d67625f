"""What every foreign client does, and what must come of it. Each client's own file says how it does it."""

from __future__ import annotations

import datetime
import decimal
import os
import threading
import time

HTTP, HTTPS, AUTHORITY = (os.environ[f"FOREIGN_{name}"] for name in ("HTTP", "HTTPS", "CA"))
UTC = datetime.timezone.utc

DAYS = datetime.timedelta(days=1, hours=2, minutes=3, seconds=4)
"""INTERVAL '1 02:03:04' DAY TO SECOND"""

TYPES = {
    # name: (expression, value)
    "bool": ("TRUE", True),
    "tiny": ("CAST(-128 AS TINYINT)", -128),
    "small": ("CAST(-32768 AS SMALLINT)", -32768),
    "i": ("2147483647", 2147483647),
    "big": ("9223372036854775807L", 9223372036854775807),
    "f": ("CAST(1.5 AS FLOAT)", 1.5),
    "d": ("1e300", 1e300),
    "dec": (
        "CAST('12345678901234567890.0123456789' AS DECIMAL(38,10))",
        decimal.Decimal("12345678901234567890.0123456789"),
    ),
    "text": ("'Größe 🦀'", "Größe 🦀"),
    "bin": ("X'00ff10'", b"\x00\xff\x10"),
    "day": ("DATE'1969-07-20'", datetime.date(1969, 7, 20)),
    "ts": (
        "TIMESTAMP'2024-02-29 12:34:56.789012'",
        datetime.datetime(2024, 2, 29, 12, 34, 56, 789012, UTC),
    ),
    "ntz": ("TIMESTAMP_NTZ'1969-07-20 20:17:40.5'", datetime.datetime(1969, 7, 20, 20, 17, 40, 500000)),
    "list": ("ARRAY(1, 2, NULL)", [1, 2, None]),
    "map": ("MAP('a', 1, 'b', 2)", [("a", 1), ("b", 2)]),
    "struct": ("NAMED_STRUCT('x', 1, 'y', 'z')", {"x": 1, "y": "z"}),
    "months": ("INTERVAL '1-2' YEAR TO MONTH", 14),
    "days": ("INTERVAL '1 02:03:04' DAY TO SECOND", DAYS),
    "nothing": ("NULL", None),
    "no_int": ("CAST(NULL AS INT)", None),
    "no_text": ("CAST(NULL AS STRING)", None),
}

INTERVALS = {"months": "1-2", "days": "1 02:03:04.000000000"}
"""What Thrift has for intervals, and what the kernel makes of them for the connector."""

SELECT_TYPES = "SELECT " + ", ".join(f"{expression} AS {name}" for name, (expression, _) in TYPES.items())

LARGE_ROWS = 3_000_000


def large_of(rows: int) -> str:
    return f"SELECT id, concat('row ', id, ' ', repeat('x', id % 13)) AS text FROM range({rows})"


LARGE = large_of(LARGE_ROWS)
"""Some 70 MB: chunks behind links."""

FAILURES = {
    "SELEC 1": ("PARSE_SYNTAX_ERROR", "42601"),
    "SELECT * FROM samples.tpch.nope": ("TABLE_OR_VIEW_NOT_FOUND", "42P01"),
    "SELECT nope FROM samples.tpch.nation": ("UNRESOLVED_COLUMN", "42703"),
    "SELECT n_nationkey / 0 FROM samples.tpch.nation": ("DIVIDE_BY_ZERO", "22012"),
    "SELECT CAST('x' AS INT)": ("CAST_INVALID_INPUT", "22018"),
}

TABLES = ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"]


def done(what: str) -> None:
    print(f"  ok      {what}", flush=True)


def theirs(what: str) -> None:
    """Something that the client gets wrong by itself; it is counted, and docs/foreign-clients.md has it."""
    print(f"  theirs  {what}", flush=True)


def same(found, expected, what: str) -> None:
    assert found == expected, f"{what}: {found!r} is not {expected!r}"


def types(row: dict, own: dict) -> None:
    """`row` holds the values of SELECT_TYPES; `own` what this client makes of a type that it shows in its own way."""
    same(list(row), list(TYPES), "the columns")
    for name, (_, value) in TYPES.items():
        same(row[name], own.get(name, value), name)
        same(type(row[name]), type(own.get(name, value)), f"the type of {name}")
    done(f"{len(TYPES)} types with their values" + (f", {len(own)} in a form of its own" if own else ""))


def large(rows: int, total: int) -> None:
    """Every row came, and came once: the ids add up."""
    same((rows, total), (LARGE_ROWS, LARGE_ROWS * (LARGE_ROWS - 1) // 2), "rows and the sum of their ids")
    done(f"{rows} rows by links, and their sum")


def failures(run, error: type | tuple, sqlstate_of=None) -> None:
    for text, (condition, sqlstate) in FAILURES.items():
        try:
            run(text)
        except error as caught:
            message = str(caught)
            assert f"[{condition}" in message and f"SQLSTATE: {sqlstate}" in message, message
            if sqlstate_of:
                same(sqlstate_of(caught), sqlstate, "its SQLSTATE")
        else:
            raise AssertionError(f"{text}: no error")
    done(f"{len(FAILURES)} errors with their class and SQLSTATE")


def cancelled(run, cancel, error: type | tuple) -> None:
    """`run` waits for a query that does not end; `cancel`, called from another thread until it works, ends it."""
    ended = threading.Event()

    def pull() -> None:
        while not ended.wait(0.5):
            try:
                cancel()
            except Exception:  # noqa: BLE001 there may be nothing to cancel yet
                pass

    thread = threading.Thread(target=pull)
    thread.start()
    began = time.monotonic()
    try:
        run()
    except error as caught:
        done(f"cancelled after {time.monotonic() - began:.1f} s: {type(caught).__name__}")
    else:
        raise AssertionError("the query that does not end has ended")
    finally:
        ended.set()
        thread.join()


def months_of(table, name: str) -> int:
    """The first value of a column of months, which pyarrow has no Python values for: from its bytes."""
    *_, values = table.to_batches()[0].select([name]).to_struct_array().buffers()
    return int.from_bytes(values.to_pybytes()[:4], "little", signed=True)


def row_of(table) -> dict:
    """The one row of an Arrow table."""
    same(table.num_rows, 1, "rows")
    row = {}
    for field in table.schema:
        is_months = str(field.type) == "month_interval"
        row[field.name] = months_of(table, field.name) if is_months else table[field.name][0].as_py()
    return row


def in_utc(row: dict, *names: str) -> dict:
    """The row with its times in UTC; a zone of the same moment is as good."""
    for name in names:
        row[name] = row[name].astimezone(UTC)
    return row

