"""What the tests share. The workspace and its connections come from the package's own pytest plugin."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import typing

import adbc_driver_manager
import pyarrow
import pytest

from adbc_driver_databricks import LocalWorkspace

ENDLESS = "SELECT count(*) FROM range(1000) AS a CROSS JOIN range(1000000000000) AS b WHERE (a.id + b.id) % 7 = 3"
"""A query that does not end by itself within a test's life."""

DEADLINE_S = 120
"""Bounds a failure, not a success."""


class Script:
    """Runs Python programs of their own against the workspace."""

    def __init__(self, workspace: LocalWorkspace) -> None:
        self.environment = {**os.environ, "URI": workspace.uri, "ENDLESS": ENDLESS}

    def command(self, text: str) -> list[str]:
        head = "import os, sys\nimport adbc_driver_databricks.dbapi as dbapi\nURI = os.environ['URI']\n"
        return [sys.executable, "-c", head + textwrap.dedent(text)]

    def start(self, text: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(self.command(text), env=self.environment, stdout=pipe, stderr=pipe, text=True)

    def run(self, text: str) -> str:
        """What the program printed. It must have ended well."""
        done = subprocess.run(
            self.command(text), env=self.environment, capture_output=True, text=True, timeout=DEADLINE_S
        )
        assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def script(databricks_workspace: LocalWorkspace) -> Script:
    return Script(databricks_workspace)


@pytest.fixture
def cursor(databricks_connection: typing.Any) -> typing.Iterator[typing.Any]:
    with databricks_connection.cursor() as cursor:
        yield cursor


@pytest.fixture
def statement(databricks_connection: typing.Any) -> typing.Iterator[adbc_driver_manager.AdbcStatement]:
    """A statement as driver managers see it, below the DB-API."""
    with adbc_driver_manager.AdbcStatement(databricks_connection.adbc_connection) as statement:
        yield statement


def rows(stream: typing.Any) -> pyarrow.Table:
    """Everything that comes out of a stream of the driver manager."""
    return pyarrow.RecordBatchReader.from_stream(stream).read_all()


def status(error: pytest.ExceptionInfo[adbc_driver_manager.Error]) -> str:
    """The name of the ADBC status that an error has."""
    return error.value.status_code.name


@pytest.fixture
def table(cursor: typing.Any, request: pytest.FixtureRequest) -> typing.Iterator[str]:
    """The name of an empty table ``(id BIGINT, name STRING)`` of the test's own."""
    name = f"main.default.`{request.node.name.lower()}`"
    cursor.execute(f"CREATE OR REPLACE TABLE {name} (id BIGINT, name STRING)")
    yield name
    cursor.execute(f"DROP TABLE {name}")
