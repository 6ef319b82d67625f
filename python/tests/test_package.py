"""The package as a whole: its types, its documentation, its version."""

from __future__ import annotations

import importlib.metadata
import inspect
import pathlib
import subprocess
import sys

import pytest

import adbc_driver_databricks
from adbc_driver_databricks import dbapi

PROGRAM = """
import adbc_driver_databricks
import adbc_driver_databricks.dbapi as dbapi
from adbc_driver_databricks import ConnectionOptions, DatabaseOptions, LocalWorkspace, databricks_local


def first(workspace: LocalWorkspace) -> tuple[object, ...] | None:
    options = {DatabaseOptions.STATEMENT_TIMEOUT_S: 60, DatabaseOptions.TELEMETRY_ENABLED: False}
    with workspace.connect(db_kwargs=options) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT ?", [1])
        return cursor.fetchone()


def connection(token: str | None) -> dbapi.Connection:
    names = {ConnectionOptions.CATALOG: "main"}
    return dbapi.connect(host="host", http_path="path", access_token=token, conn_kwargs=names)


with databricks_local(scale_factor=0.001, faults=["GET /results/=hang"]) as workspace:
    made: dbapi.Connection = workspace.connect()
    version: str = adbc_driver_databricks.__version__
    try:
        first(workspace)
    except dbapi.Error as error:
        state: str | None = error.sqlstate
"""


def mypy(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_strictly_typed_program_is_understood_by_mypy(tmp_path: pathlib.Path):
    (tmp_path / "program.py").write_text(PROGRAM)
    mypy("--cache-dir", str(tmp_path / "cache"), str(tmp_path / "program.py"))


def test_the_package_is_strictly_typed_itself(tmp_path: pathlib.Path):
    mypy("--cache-dir", str(tmp_path / "cache"), "-p", "adbc_driver_databricks")


@pytest.mark.parametrize("module", [adbc_driver_databricks, dbapi], ids=lambda module: module.__name__)
def test_help_has_something_to_say_of_every_name(module):
    assert inspect.getdoc(module)
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), name


def test_the_driver_comes_with_the_package():
    assert pathlib.Path(adbc_driver_databricks.driver_path()).is_file()


def test_pytest_finds_the_fixtures_by_their_entry_point():
    (plugin,) = importlib.metadata.entry_points(group="pytest11", name="adbc_driver_databricks")
    assert plugin.load().databricks_workspace
