"""Errors have their class, their SQLSTATE and their details."""

from __future__ import annotations

import pytest

from adbc_driver_databricks import dbapi


@pytest.mark.parametrize(
    ("sql", "kind", "sqlstate"),
    [
        ("SELECT * FROM main.default.nowhere", dbapi.ProgrammingError, "42P01"),
        ("SELEKT 1", dbapi.ProgrammingError, "42601"),
        ("SELECT 1 / 0", dbapi.DataError, "22012"),
        ("SELECT CAST('x' AS INT)", dbapi.DataError, "22018"),
    ],
)
def test_of_a_statement(cursor, sql, kind, sqlstate):
    with pytest.raises(kind) as raised:
        cursor.execute(sql)
        cursor.fetchall()
    assert raised.value.sqlstate == sqlstate
    assert str(raised.value).count(sqlstate) == 1
    assert dict(raised.value.details)[b"databricks.statement_id"]
    # The cursor is good for the next statement.
    cursor.execute("SELECT 1")
    assert cursor.fetchone() == (1,)


def test_without_a_statement(databricks_connection):
    with databricks_connection.cursor() as cursor, pytest.raises(dbapi.ProgrammingError, match="INVALID_STATE"):
        cursor.adbc_cancel()


def test_text_with_a_nul_is_no_crash(cursor):
    with pytest.raises(dbapi.Error):
        cursor.execute("SELECT 'a\0b' FROM nowhere_at_all")
