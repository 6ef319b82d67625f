"""Fixtures for tests that need a workspace. Loaded by pytest wherever this package is installed."""

from __future__ import annotations

import typing

import pytest

from .local import LocalWorkspace, databricks_local

if typing.TYPE_CHECKING:
    from .dbapi import Connection


@pytest.fixture(scope="session")
def databricks_workspace() -> typing.Iterator[LocalWorkspace]:
    """A workspace on this machine, for the whole run."""
    with databricks_local() as workspace:
        yield workspace


@pytest.fixture
def databricks_connection(databricks_workspace: LocalWorkspace) -> typing.Iterator[Connection]:
    """A connection to the workspace, for one test."""
    with databricks_workspace.connect() as connection:
        yield connection
