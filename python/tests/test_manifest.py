"""Without this package's own library: the driver manager finds the driver by the manifest that ``dbsql driver install`` writes."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import venv

import pytest

import adbc_driver_databricks
from adbc_driver_databricks.local import find_dbsql

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the folders of manifests are Linux's here")

QUERY = """
import os, sys
from adbc_driver_manager import dbapi
with dbapi.connect(*eval(sys.argv[1]), **eval(sys.argv[2])) as connection, connection.cursor() as cursor:
    cursor.execute("SELECT count(*) FROM samples.tpch.nation")
    print(cursor.fetchone())
"""


class Desk:
    """A home of the test's own, with the driver installed in it."""

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home
        hidden = ("ADBC_", "VIRTUAL_ENV", "CONDA_PREFIX", "XDG_")
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
        self.environment["HOME"] = str(home)
        self.python = pathlib.Path(sys.executable)
        library = adbc_driver_databricks.driver_path()
        install = [str(find_dbsql()), "driver", "install", "--copy", "--library", library]
        subprocess.run(install, env=self.environment, check=True, capture_output=True)
        self.manifests = home / ".config" / "adbc" / "drivers"

    def query(self, *args: str, **named: object) -> str:
        command = [str(self.python), "-c", QUERY, repr(args), repr({"autocommit": True, **named})]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def desk(tmp_path: pathlib.Path) -> Desk:
    return Desk(tmp_path)


def test_by_name_and_by_uri(desk, databricks_workspace):
    uri = databricks_workspace.uri
    assert desk.query("databricks", uri) == "(25,)"
    assert desk.query(uri) == "(25,)"


def test_in_each_place(desk, databricks_workspace, tmp_path):
    text = (desk.manifests / "databricks.toml").read_text()
    (desk.manifests / "databricks.toml").unlink()
    for name, below in {"XDG_CONFIG_HOME": "adbc/drivers", "ADBC_DRIVER_PATH": "."}.items():
        place = tmp_path / name
        (place / below).mkdir(parents=True)
        (place / below / "databricks.toml").write_text(text)
        desk.environment[name] = str(place)
        assert desk.query(databricks_workspace.uri) == "(25,)", name
        del desk.environment[name]


def test_in_the_virtual_environment(desk, databricks_workspace, tmp_path):
    # An empty environment that borrows this one's packages: the manager looks into the one that it runs in.
    environment = tmp_path / "venv"
    venv.create(environment, symlinks=True)
    drivers = environment / "etc" / "adbc" / "drivers"
    drivers.mkdir(parents=True)
    (desk.manifests / "databricks.toml").rename(drivers / "databricks.toml")
    desk.environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    desk.python = environment / "bin" / "python"
    assert desk.query(databricks_workspace.uri) == "(25,)"


def test_by_a_connection_profile(desk, databricks_workspace):
    profiles = desk.home / ".config" / "adbc" / "profiles"
    profiles.mkdir(parents=True)
    (profiles / "local.toml").write_text(
        'profile_version = 1\ndriver = "databricks"\n[Options]\n'
        f'"databricks.host" = "{databricks_workspace.url}"\n'
        f'"databricks.warehouse_id" = "{databricks_workspace.http_path.rpartition("/")[2]}"\n'
        '"databricks.access_token" = "{{ env_var(TOKEN_OF_MINE) }}"\n'
        '"databricks.statement.timeout_s" = 60\n'
    )
    desk.environment["TOKEN_OF_MINE"] = databricks_workspace.token
    assert desk.query("profile://local") == "(25,)"
    assert desk.query(profile="local") == "(25,)"
