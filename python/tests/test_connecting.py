"""Ways to connect, and what goes wrong."""

from __future__ import annotations

import pathlib
import subprocess

import adbc_driver_manager
import pytest

import adbc_driver_databricks
from adbc_driver_databricks import ConnectionOptions, DatabaseOptions, StatementOptions, dbapi, local


def one(connection) -> int:
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone()[0]


def test_by_uri(databricks_workspace):
    assert one(dbapi.connect(databricks_workspace.uri)) == 1


def test_by_parts(databricks_workspace):
    workspace = databricks_workspace
    assert one(dbapi.connect(host=workspace.url, http_path=workspace.http_path, access_token=workspace.token)) == 1


def test_what_is_beside_the_uri_wins(databricks_workspace):
    uri = databricks_workspace.uri.replace(databricks_workspace.token, "wrong")
    assert one(dbapi.connect(uri, access_token=databricks_workspace.token)) == 1


def test_where_names_start(databricks_workspace):
    with databricks_workspace.connect(catalog="samples", schema="tpch") as connection:
        assert connection.adbc_current_catalog == "samples"
        assert connection.adbc_current_db_schema == "tpch"
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM nation")
            assert cursor.fetchone() == (25,)


def test_options_by_enum_in_their_natural_type(databricks_workspace):
    options = {
        DatabaseOptions.CLOUDFETCH_PARALLEL_DOWNLOADS: 2,
        DatabaseOptions.STATEMENT_TIMEOUT_S: 30.5,
        DatabaseOptions.TELEMETRY_ENABLED: False,
        DatabaseOptions.TLS_CA_FILE: None,
    }
    with databricks_workspace.connect(db_kwargs=options) as connection, connection.cursor() as cursor:
        statement = cursor.adbc_statement
        assert statement.get_option_int(StatementOptions.CLOUDFETCH_PARALLEL_DOWNLOADS) == 2
        assert statement.get_option_float(StatementOptions.STATEMENT_TIMEOUT_S) == 30.5
        statement.set_options(**{StatementOptions.RESULT_ROW_LIMIT: 3})
        cursor.execute("SELECT * FROM range(10)")
        assert len(cursor.fetchall()) == 3


def test_secrets_cannot_be_read(databricks_workspace):
    with adbc_driver_databricks.connect(databricks_workspace.uri) as database:
        for key in (DatabaseOptions.URI, DatabaseOptions.ACCESS_TOKEN):
            with pytest.raises(dbapi.ProgrammingError, match="NOT_FOUND"):
                database.get_option(key)


def test_the_low_level_handle(databricks_workspace):
    with adbc_driver_databricks.connect(databricks_workspace.uri) as database:
        with adbc_driver_manager.AdbcConnection(database) as connection:
            with adbc_driver_manager.AdbcStatement(connection) as statement:
                statement.set_sql_query("SELECT 7 AS seven")
                stream, rows = statement.execute_query()
                assert rows == 1
                stream.release()


def test_an_unknown_option_is_not_supported(databricks_workspace):
    with pytest.raises(dbapi.NotSupportedError, match="databricks.nonsense"):
        databricks_workspace.connect(db_kwargs={"databricks.nonsense": "1"})
    with pytest.raises(dbapi.NotSupportedError, match="databricks.nonsense"):
        databricks_workspace.connect(conn_kwargs={"databricks.nonsense": "1"})


def test_a_bad_value_is_named(databricks_workspace):
    with pytest.raises(dbapi.ProgrammingError, match=r"INVALID_ARGUMENT.*parallel_downloads.*many"):
        databricks_workspace.connect(db_kwargs={DatabaseOptions.CLOUDFETCH_PARALLEL_DOWNLOADS: "many"})
    with pytest.raises(dbapi.ProgrammingError, match=r"INVALID_ARGUMENT.*uri"):
        dbapi.connect("nonsense")


def test_a_wrong_token_is_unauthenticated(databricks_workspace):
    with pytest.raises(dbapi.ProgrammingError) as raised:
        databricks_workspace.connect(access_token="wrong-canary")
    assert raised.value.status_code == adbc_driver_manager.AdbcStatusCode.UNAUTHENTICATED
    assert "wrong-canary" not in str(raised.value)


def test_an_unreachable_host_is_operational():
    # Port 9 of this machine: nobody listens.
    options = {DatabaseOptions.RETRY_MAX_RETRIES: 0}
    with pytest.raises(dbapi.OperationalError, match="127.0.0.1:9"):
        dbapi.connect("databricks://token:x@127.0.0.1:9/sql/1.0/warehouses/w", db_kwargs=options)


def test_statements_commit_by_themselves(databricks_workspace):
    with databricks_workspace.connect() as connection:
        connection.commit()
        assert connection.adbc_connection.get_option(ConnectionOptions.AUTOCOMMIT) == "true"
    with pytest.warns(dbapi.Warning, match="Cannot disable autocommit"):
        databricks_workspace.connect(autocommit=False).close()


def test_a_clone_of_a_connection(databricks_connection):
    # The driver manager asks every clone to turn autocommit off.
    with pytest.warns(dbapi.Warning, match="Cannot disable autocommit"):
        clone = databricks_connection.adbc_clone()
    assert one(clone) == 1


def test_any_driver_manager_finds_it_by_manifest_and_by_uri(script, tmp_path: pathlib.Path):
    library = adbc_driver_databricks.driver_path()
    (tmp_path / "databricks.toml").write_text(f'manifest_version = 1\n[Driver]\nshared = "{library}"\n')
    script.environment["ADBC_DRIVER_PATH"] = str(tmp_path)
    printed = script.run(
        """
        from adbc_driver_manager import dbapi as manager
        for arguments in ({"driver": "databricks", "db_kwargs": {"uri": URI}}, {"uri": URI}):
            with manager.connect(**arguments, autocommit=True) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                print(cursor.fetchone()[0])
        """
    )
    assert printed.split() == ["1", "1"]


def test_dbsql_driver_install_makes_it_known(script, tmp_path: pathlib.Path):
    environment = script.environment
    environment.update(HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path / "config"))
    dbsql, library = str(local.find_dbsql()), adbc_driver_databricks.driver_path()
    subprocess.run([dbsql, "driver", "install", "--library", library], env=environment, check=True, capture_output=True)
    program = """
        from adbc_driver_manager import dbapi as manager
        try:
            with manager.connect("databricks", URI, autocommit=True) as connection, connection.cursor() as cursor:
                print(cursor.execute("SELECT 1").fetchone()[0])
        except manager.Error as error:
            print("could not load" in str(error).lower())
    """
    assert script.run(program) == "1\n"
    subprocess.run([dbsql, "driver", "uninstall"], env=environment, check=True, capture_output=True)
    assert script.run(program) == "True\n"
