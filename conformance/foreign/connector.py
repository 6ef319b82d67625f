"""databricks-sql-connector: over Thrift, its default (`thrift`), or over the Statement Execution API, by its own client of it (`sea`) or
the kernel (`kernel`)."""

import logging
import pathlib
import sys
import tempfile

from databricks import sql

import script
from workspace import ENDLESS, HTTP_PATH, TOKEN

BACKEND = sys.argv[1]
logging.disable(logging.WARNING)  # It warns of itself at each connection.
Error = sql.exc.ServerOperationError


def connect(token=TOKEN, **more):
    common = {"http_path": HTTP_PATH, "access_token": token, "_tls_trusted_ca_file": script.AUTHORITY, **more}
    if BACKEND != "kernel":
        # Its telemetry goes to the host without the port, so the host is one without (HTTPS_PROXY leads there).
        return sql.connect(server_hostname="localhost", use_sea=BACKEND == "sea", **common)
    return sql.connect(server_hostname=script.HTTPS, use_kernel=True, **common)


def types(cursor) -> None:
    cursor.execute(script.SELECT_TYPES)
    row = script.row_of(cursor.fetchall_arrow())
    script.types(script.in_utc(row, "ts"), {} if BACKEND == "sea" else script.INTERVALS)
    # As rows. pandas, which they go through, has no months.
    columns = [name for name in script.TYPES if name != "months" or BACKEND != "sea"]
    cursor.execute("SELECT " + ", ".join(f"{script.TYPES[name][0]} AS {name}" for name in columns))
    script.same([column[0] for column in cursor.description], columns, "the description")
    (row,) = cursor.fetchall()
    for name in ("bool", "tiny", "small", "i", "big", "f", "d", "dec", "text", "bin", "day", "ntz", "map", "struct"):
        script.same(row[name], script.TYPES[name][1], name)
    script.same(row["ts"].astimezone(script.UTC), script.TYPES["ts"][1], "ts")
    script.same((row["nothing"], row["no_int"], row["no_text"]), (None, None, None), "NULLs")
    script.done("the same as rows")


def parameters(cursor) -> None:
    values = {"i": 7, "t": "it's", "f": 1.5, "n": None, "b": True}
    cursor.execute("SELECT :i AS i, :t AS t, :f AS f, :n AS n, :b AS b", values)
    script.same(cursor.fetchall()[0].asDict(), values, "named parameters")
    script.done("named parameters")
    if BACKEND == "sea":
        return  # It has named ones only.
    cursor.execute("SELECT ? + 1 AS i, ? AS t", [41, "x"])
    script.same(tuple(cursor.fetchall()[0]), (42, "x"), "parameters by position")
    script.done("parameters by position")


def large(cursor) -> None:
    tries = 3 if BACKEND == "kernel" else 1
    short = 0
    for _ in range(tries):
        cursor.execute(script.LARGE)
        table = cursor.fetchall_arrow()
        if BACKEND == "kernel" and table.num_rows < script.LARGE_ROWS:
            short += 1
            script.theirs(f"{script.LARGE_ROWS - table.num_rows} of {script.LARGE_ROWS} rows lost, without an error")
            continue
        script.large(table.num_rows, sum(chunk.to_numpy().sum().item() for chunk in table.column("id").chunks))
    if tries > 1:
        print(f"  note    {short} of {tries} reads of the large result lost rows")


def metadata(cursor) -> None:
    cursor.catalogs()
    script.same(sorted(row[0] for row in cursor.fetchall()), ["main", "samples", "system"], "catalogs")
    cursor.schemas(catalog_name="samples")
    script.same(sorted(row[0] for row in cursor.fetchall()), ["information_schema", "tpch"], "schemas")
    cursor.tables(catalog_name="samples", schema_name="tpch")
    names = [column[0] for column in cursor.description]
    at = next(names.index(name) for name in ("TABLE_NAME", "tableName") if name in names)
    script.same(sorted(row[at] for row in cursor.fetchall()), script.TABLES, "tables")
    cursor.columns(catalog_name="samples", schema_name="tpch", table_name="nation")
    names = [column[0] for column in cursor.description]
    at = next(names.index(name) for name in ("COLUMN_NAME", "col_name") if name in names)
    columns = [row[at] for row in cursor.fetchall()]
    script.same(columns, ["n_nationkey", "n_name", "n_regionkey", "n_comment"], "columns")
    script.done("catalogs, schemas, tables, columns")


def changes(cursor) -> None:
    table = f"main.default.foreign_{BACKEND}"
    cursor.execute(f"CREATE OR REPLACE TABLE {table} (id BIGINT, name STRING)")
    cursor.execute(f"INSERT INTO {table} VALUES (1, 'a'), (2, NULL)")
    if BACKEND == "thrift":
        script.same(cursor.rowcount, 2, "the rows that were put")
    cursor.execute(f"UPDATE {table} SET name = 'b' WHERE id = 2")
    cursor.execute(f"SELECT * FROM {table} ORDER BY id")
    script.same([tuple(row) for row in cursor.fetchall()], [(1, "a"), (2, "b")], "the table")
    cursor.execute(f"DROP TABLE {table}")
    cursor.execute("SELECT * FROM samples.tpch.nation WHERE FALSE")
    script.same(cursor.fetchall(), [], "an empty result")
    script.done("a table created, changed, read and dropped; an empty result")


def inline() -> None:
    """Without links: the rows come with the answers, in turns."""
    with connect(use_cloud_fetch=False) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id, repeat('x', 20) AS text FROM range(300000)")
        total, rows = 0, 0
        while some := cursor.fetchmany(100_000):
            rows, total = rows + len(some), total + sum(row.id for row in some)
        script.same((rows, total), (300_000, 44_999_850_000), "rows and the sum of their ids")
    script.done("300000 rows without links, in turns")


def plain() -> None:
    """Over http, where the connector has a door for it."""
    there = script.HTTP + HTTP_PATH
    options = {"http_path": HTTP_PATH, "access_token": TOKEN, "enable_telemetry": False, "_connection_uri": there}
    with sql.connect(server_hostname="localhost", **options) as connection, connection.cursor() as cursor:
        script.same(tuple(cursor.execute("SELECT 1").fetchone()), (1,), "the row")
    script.done("a query over http")


def files() -> None:
    with tempfile.TemporaryDirectory() as directory, connect(staging_allowed_local_path=directory) as connection:
        source, copy = pathlib.Path(directory, "a.txt"), pathlib.Path(directory, "b.txt")
        source.write_text("hello")
        with connection.cursor() as cursor:
            cursor.execute("CREATE VOLUME IF NOT EXISTS main.default.foreign_thrift")
            there = "/Volumes/main/default/foreign_thrift/a.txt"
            cursor.execute(f"PUT '{source}' INTO '{there}' OVERWRITE")
            cursor.execute(f"GET '{there}' TO '{copy}'")
            script.same(copy.read_text(), "hello", "the file")
            cursor.execute(f"REMOVE '{there}'")
            cursor.execute("DROP VOLUME main.default.foreign_thrift")
    script.done("a file put into a volume, got back and removed")


def refusals() -> None:
    elsewhere = "/sql/1.0/warehouses/f00"
    for what, more in {"a wrong token": {"token": "wrong"}, "an unknown warehouse": {"http_path": elsewhere}}.items():
        try:
            connect(**more).close()
        except sql.exc.Error as error:
            script.done(f"{what}: {type(error).__name__}: {str(error).splitlines()[0][:110]}")
        else:
            raise AssertionError(f"{what}: no error")


def play() -> None:
    with connect() as connection:
        with connection.cursor() as cursor:
            types(cursor)
            parameters(cursor)
            large(cursor)
            script.failures(cursor.execute, Error)
            metadata(cursor)
            changes(cursor)
        with connection.cursor() as cursor:
            script.cancelled(lambda: cursor.execute(ENDLESS), cursor.cancel, sql.exc.Error)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            script.same(cursor.fetchone()[0], 1, "after a cancel")
    with connect(session_configuration={"ansi_mode": "true"}, catalog="samples", schema="tpch") as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_catalog(), current_schema(), count(*) FROM nation")
            script.same(tuple(cursor.fetchone()), ("samples", "tpch", 25), "the place of a session")
    script.done("a session that starts in samples.tpch")
    if BACKEND == "thrift":
        inline()
        files()
        plain()
    refusals()


if __name__ == "__main__":
    play()
