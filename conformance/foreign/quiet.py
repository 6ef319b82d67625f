"""The connector with all of its clients, nothing said about telemetry: the workspace's feature flags decide."""

import logging

from databricks import sql

import script
from workspace import HTTP_PATH, TOKEN

if __name__ == "__main__":
    logging.disable(logging.WARNING)
    common = {"http_path": HTTP_PATH, "access_token": TOKEN, "_tls_trusted_ca_file": script.AUTHORITY}
    thrift = {"server_hostname": "localhost"}
    sea = {"server_hostname": "localhost", "use_sea": True}
    kernel = {"server_hostname": script.HTTPS, "use_kernel": True}
    for more in (thrift, sea, kernel):
        with sql.connect(**common, **more) as connection, connection.cursor() as cursor:
            script.same(tuple(cursor.execute("SELECT 1").fetchone()), (1,), "the row")
    script.done("a query by each of the connector's clients")
