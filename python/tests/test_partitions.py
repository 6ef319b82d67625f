"""Results in parts: executed here, read by other processes with connections of their own."""

from __future__ import annotations

import multiprocessing
import pickle

import pytest
from conftest import status

from adbc_driver_databricks import dbapi

SQL = "SELECT id, repeat('canary', 200) AS text FROM range(50000)"
"""60 MB, which the workspace makes chunks of up to 20 MiB of."""


def read(uri: str, partition: bytes) -> tuple[int, int, str]:
    """What a worker makes of a part: its rows, the sum of its keys, and the session that read it."""
    with dbapi.connect(uri) as connection, connection.cursor() as cursor:
        cursor.adbc_read_partition(partition)
        keys = [row[0] for row in cursor.fetchall()]
        return len(keys), sum(keys), connection.adbc_connection.get_option("databricks.session_id")


@pytest.fixture
def partitions(cursor):
    return cursor.adbc_execute_partitions(SQL)


def test_workers_read_the_parts_of_a_result_with_connections_of_their_own(databricks_workspace):
    with databricks_workspace.connect() as connection, connection.cursor() as cursor:
        parts, schema = cursor.adbc_execute_partitions(SQL)
        cursor.execute("SELECT count(*), sum(id) FROM range(50000)")
        expected = cursor.fetchone()
    # The connection that executed is closed; the parts are only bytes.
    assert len(parts) > 1
    assert schema.names == ["id", "text"]
    work = [(databricks_workspace.uri, part) for part in pickle.loads(pickle.dumps(parts))]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        done = pool.starmap(read, work, chunksize=1)
    counts, sums, sessions = zip(*done, strict=True)
    assert (sum(counts), sum(sums)) == expected
    assert len(set(sessions)) == len(parts)


def test_a_part_is_read_as_often_as_one_likes(cursor, partitions):
    parts, schema = partitions
    tables = []
    for _ in range(2):
        cursor.adbc_read_partition(parts[0])
        tables.append(cursor.fetch_arrow_table())
    assert tables[0] == tables[1]
    assert tables[0].schema == schema


def test_a_sorted_result_is_one_part(cursor):
    parts, _ = cursor.adbc_execute_partitions(f"{SQL} ORDER BY id")
    assert len(parts) == 1


def test_a_part_holds_neither_rows_nor_sql_nor_the_token(databricks_workspace, partitions):
    for part in partitions[0]:
        assert databricks_workspace.token.encode() not in part
        assert b"canary" not in part


@pytest.mark.parametrize("damage", [lambda part: b"", lambda part: b"nonsense", lambda part: part[:-1]])
def test_bytes_that_are_no_part_are_an_invalid_argument(cursor, partitions, damage):
    with pytest.raises(dbapi.ProgrammingError) as raised:
        cursor.adbc_read_partition(damage(partitions[0][0]))
    assert status(raised) == "INVALID_ARGUMENT"
