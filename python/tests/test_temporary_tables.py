"""Rows go into a table of the connection's session, in every mode, and no other connection sees it."""

from __future__ import annotations

import pyarrow
import pytest

from adbc_driver_databricks import LocalWorkspace


def test_every_mode(cursor, databricks_workspace: LocalWorkspace):
    rows = pyarrow.table({"id": [1, 2]})

    def ingest(mode: str) -> int:
        return cursor.adbc_ingest("own", rows, mode=mode, temporary=True)

    def count() -> int:
        cursor.execute("SELECT count(*) FROM own")
        return cursor.fetchone()[0]

    with pytest.raises(Exception, match="NOT_FOUND"):
        ingest("append")
    assert ingest("create") == 2
    assert ingest("append") == 2
    assert ingest("create_append") == 2
    assert count() == 6
    assert ingest("replace") == 2
    assert count() == 2
    with databricks_workspace.connect() as other, other.cursor() as stranger:
        with pytest.raises(Exception, match="TABLE_OR_VIEW_NOT_FOUND"):
            stranger.execute("SELECT count(*) FROM own")
    cursor.execute("DROP TABLE own")
