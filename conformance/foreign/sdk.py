"""databricks-sdk: the workspace's REST API in the first five minutes."""

import io
import json
import urllib.request

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError, NotFound, Unauthenticated
from databricks.sdk.service import sql

import script
from workspace import ENDLESS, TOKEN, WAREHOUSE

TEXTS = {
    "bool": "true",
    "tiny": "-128", "small": "-32768", "i": "2147483647", "big": "9223372036854775807", "f": "1.5",
    "d": "1.0E300", "dec": "12345678901234567890.0123456789", "text": "Größe 🦀", "bin": "AP8Q",
    "day": "1969-07-20",
    "ts": "2024-02-29T12:34:56.789012Z", "ntz": "1969-07-20T20:17:40.500", "list": '["1","2",null]',
    "map": '{"a":"1","b":"2"}', "struct": '{"x":"1","y":"z"}', "months": "1-2", "days": "1 02:03:04.000000000",
    "nothing": None, "no_int": None, "no_text": None,
}
"""The values as the statement API's JSON has them."""


def connect(token: str = TOKEN) -> WorkspaceClient:
    return WorkspaceClient(host=script.HTTPS, token=token, auth_type="pat")


def statements(client: WorkspaceClient) -> None:
    def execute(text: str, **more) -> sql.StatementResponse:
        answer = client.statement_execution.execute_statement(warehouse_id=WAREHOUSE, statement=text, **more)
        if answer.status.state is sql.StatementState.FAILED:
            raise RuntimeError(answer.status.error.message)
        script.same(answer.status.state, sql.StatementState.SUCCEEDED, "the state")
        return answer

    answer = execute(script.SELECT_TYPES)
    names = [column.name for column in answer.manifest.schema.columns]
    script.same(dict(zip(names, answer.result.data_array[0])), TEXTS, "the values")
    script.done(f"{len(names)} types as JSON")
    given = [sql.StatementParameterListItem(name="p", value="7", type="INT")]
    script.same(execute("SELECT :p + 1", parameters=given).result.data_array, [["8"]], "a parameter")
    script.done("a parameter")
    large(client, execute)
    script.failures(execute, RuntimeError)

    pending = client.statement_execution.execute_statement(
        warehouse_id=WAREHOUSE, statement=ENDLESS, wait_timeout="0s"
    ).statement_id
    client.statement_execution.cancel_execution(pending)
    state = client.statement_execution.get_statement(pending).status.state
    script.same(state, sql.StatementState.CANCELED, "the state")
    script.done("a statement cancelled")


def large(client: WorkspaceClient, execute) -> None:
    links = {"disposition": sql.Disposition.EXTERNAL_LINKS, "format": sql.Format.JSON_ARRAY}
    answer = execute(script.LARGE, wait_timeout="50s", **links)
    rows, total, result = 0, 0, answer.result
    while True:
        (link,) = result.external_links
        with urllib.request.urlopen(link.external_link) as file:
            for identity, _ in json.load(file):
                rows, total = rows + 1, total + int(identity)
        if link.next_chunk_index is None:
            break
        result = client.statement_execution.get_statement_result_chunk_n(answer.statement_id, link.next_chunk_index)
    script.large(rows, total)


def catalogs(client: WorkspaceClient) -> None:
    script.same([it.name for it in client.catalogs.list()], ["main", "samples", "system"], "catalogs")
    script.same([it.name for it in client.schemas.list("samples")], ["information_schema", "tpch"], "schemas")
    script.same([it.name for it in client.tables.list("samples", "tpch", max_results=3)], script.TABLES, "tables")
    columns = [(it.name, it.type_text) for it in client.tables.get("samples.tpch.region").columns]
    script.same(columns, [("r_regionkey", "bigint"), ("r_name", "string"), ("r_comment", "string")], "columns")
    script.same(client.tables.exists("samples.tpch.nope").table_exists, False, "a table that does not exist")
    for ask in (lambda: client.tables.get("samples.tpch.nope"), lambda: client.schemas.get("nope.x")):
        try:
            ask()
        except NotFound:
            continue
        raise AssertionError("no error for what does not exist")
    script.done("catalogs, schemas, tables, columns of Unity Catalog")


def files(client: WorkspaceClient) -> None:
    client.statement_execution.execute_statement(
        warehouse_id=WAREHOUSE, statement="CREATE VOLUME IF NOT EXISTS main.default.foreign_sdk"
    )
    script.same([it.name for it in client.volumes.list("main", "default")], ["foreign_sdk"], "volumes")
    directory = "/Volumes/main/default/foreign_sdk/d"
    client.files.create_directory(directory)
    client.files.upload(f"{directory}/a.txt", io.BytesIO(b"hello"), overwrite=True)
    script.same([it.path for it in client.files.list_directory_contents(directory)], [f"{directory}/a.txt"], "files")
    script.same(client.files.get_metadata(f"{directory}/a.txt").content_length, 5, "the size")
    script.same(client.files.download(f"{directory}/a.txt").contents.read(), b"hello", "the content")
    client.files.delete(f"{directory}/a.txt")
    client.files.delete_directory(directory)
    script.done("files put, listed, read and removed")


def play() -> None:
    client = connect()
    script.same(client.current_user.me().user_name, "local@localhost", "the user")
    script.same([it.id for it in client.warehouses.list()], [WAREHOUSE], "warehouses")
    script.same(client.warehouses.get(WAREHOUSE).state, sql.State.RUNNING, "the warehouse's state")
    client.warehouses.start(WAREHOUSE).result()
    script.done("the user, the warehouse")
    statements(client)
    catalogs(client)
    files(client)
    for what, kind, ask in (
        ("a wrong token", Unauthenticated, lambda: connect("wrong").current_user.me()),
        ("an unknown warehouse", NotFound, lambda: client.warehouses.get("f00")),
        ("an endpoint that is not there", NotFound, lambda: list(client.clusters.list())),
    ):
        try:
            ask()
        except DatabricksError as error:
            assert isinstance(error, kind), error
            script.done(f"{what}: {type(error).__name__}: {str(error)[:90]}")
        else:
            raise AssertionError(f"{what}: no error")


if __name__ == "__main__":
    play()
