"""databricks-sqlalchemy, over the connector's Thrift, its default (`thrift`), or kernel (`kernel`). It knows no port: HTTPS_PROXY leads to the
workspace."""

import sys

import sqlalchemy
from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, inspect, select

import script
from workspace import HTTP_PATH, TOKEN

BACKEND = sys.argv[1]
NAME = f"alchemy_{BACKEND}"


def play() -> None:
    engine = sqlalchemy.create_engine(
        f"databricks://token:{TOKEN}@localhost?http_path={HTTP_PATH}&catalog=main&schema=default",
        connect_args={"use_kernel": BACKEND == "kernel", "_tls_trusted_ca_file": script.AUTHORITY},
    )
    metadata = MetaData()
    table = Table(NAME, metadata, Column("id", Integer), Column("name", String))
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(table), [{"id": 1, "name": "a"}, {"id": 2, "name": "it's"}])
        script.same(connection.execute(select(func.count()).select_from(table)).scalar(), 2, "the count")
        rows = connection.execute(select(table).where(table.c.name == "it's")).all()
        script.same([tuple(row) for row in rows], [(2, "it's")], "the rows")
    script.done("a table made from a model, filled, and queried with a parameter")
    there = inspect(engine)
    script.same(NAME in there.get_table_names(schema="default"), True, "the table is there")
    script.same([it["name"] for it in there.get_columns(NAME)], ["id", "name"], "its columns")
    script.done("its inspector sees tables and columns")
    metadata.drop_all(engine)
    engine.dispose()


if __name__ == "__main__":
    play()
