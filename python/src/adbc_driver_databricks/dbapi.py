"""The DB-API 2.0 (PEP 249) face of the driver, with Arrow beside it.

>>> import adbc_driver_databricks.dbapi as dbapi
>>> with dbapi.connect("databricks://token:TOKEN@HOST/sql/1.0/warehouses/ID") as connection:  # doctest: +SKIP
...     with connection.cursor() as cursor:
...         cursor.execute("SELECT * FROM samples.tpch.nation WHERE n_regionkey = ?", [1])
...         table = cursor.fetch_arrow_table()
"""

from __future__ import annotations

import adbc_driver_manager
import adbc_driver_manager.dbapi

from . import ConnectionOptions, DatabaseOptions, Options, connect as _connect_database, option_texts

__all__ = [
    "BINARY",
    "Connection",
    "Cursor",
    "DATETIME",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NUMBER",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "ROWID",
    "STRING",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Warning",
    "apilevel",
    "connect",
    "paramstyle",
    "threadsafety",
]

apilevel = adbc_driver_manager.dbapi.apilevel
threadsafety = adbc_driver_manager.dbapi.threadsafety
paramstyle = "qmark"
"""``?`` for positional parameters. With a dict of parameters they are named, ``:name``."""

Warning = adbc_driver_manager.dbapi.Warning
Error = adbc_driver_manager.dbapi.Error
InterfaceError = adbc_driver_manager.dbapi.InterfaceError
DatabaseError = adbc_driver_manager.dbapi.DatabaseError
DataError = adbc_driver_manager.dbapi.DataError
OperationalError = adbc_driver_manager.dbapi.OperationalError
IntegrityError = adbc_driver_manager.dbapi.IntegrityError
InternalError = adbc_driver_manager.dbapi.InternalError
ProgrammingError = adbc_driver_manager.dbapi.ProgrammingError
NotSupportedError = adbc_driver_manager.dbapi.NotSupportedError

Date = adbc_driver_manager.dbapi.Date
Time = adbc_driver_manager.dbapi.Time
Timestamp = adbc_driver_manager.dbapi.Timestamp
DateFromTicks = adbc_driver_manager.dbapi.DateFromTicks
TimeFromTicks = adbc_driver_manager.dbapi.TimeFromTicks
TimestampFromTicks = adbc_driver_manager.dbapi.TimestampFromTicks
STRING = adbc_driver_manager.dbapi.STRING
BINARY = adbc_driver_manager.dbapi.BINARY
NUMBER = adbc_driver_manager.dbapi.NUMBER
DATETIME = adbc_driver_manager.dbapi.DATETIME
ROWID = adbc_driver_manager.dbapi.ROWID

Cursor = adbc_driver_manager.dbapi.Cursor


class Connection(adbc_driver_manager.dbapi.Connection):
    """A connection whose statements commit by themselves."""

    def commit(self) -> None:
        """Do nothing: each statement has committed by itself. (PEP 249 asks for this; pandas calls it.)"""


def connect(
    uri: str | None = None,
    *,
    host: str | None = None,
    http_path: str | None = None,
    access_token: str | None = None,
    catalog: str | None = None,
    schema: str | None = None,
    db_kwargs: Options | None = None,
    conn_kwargs: Options | None = None,
    autocommit: bool = True,
) -> Connection:
    """Connect to a warehouse. Blocks until it answered; a stopped one may take minutes to.

    Parameters
    ----------
    uri
        Where to connect to: ``databricks://token:TOKEN@HOST/sql/1.0/warehouses/ID``.
    host, http_path, access_token
        The same in parts, as the workspace's page of connection details shows them. They win over the URI.
    catalog, schema
        Where names start.
    db_kwargs
        Further options of the database, by key (:class:`~adbc_driver_databricks.DatabaseOptions`).
    conn_kwargs
        Further options of the connection, by key (:class:`~adbc_driver_databricks.ConnectionOptions`).
    autocommit
        Whether each statement commits by itself. Warehouses do nothing else: ``False`` is answered with the driver
        manager's warning, and statements commit by themselves all the same.

    Raises
    ------
    ProgrammingError
        An option is wrong, or the workspace refused the credentials.
    OperationalError
        The workspace could not be reached.
    """
    parts = {
        DatabaseOptions.HOST: host,
        DatabaseOptions.HTTP_PATH: http_path,
        DatabaseOptions.ACCESS_TOKEN: access_token,
    }
    place = {ConnectionOptions.CATALOG: catalog, ConnectionOptions.DB_SCHEMA: schema}
    options = {**option_texts(parts), **option_texts(db_kwargs)}
    texts = {**option_texts(place), **option_texts(conn_kwargs)}
    database = connection = None
    try:
        database = _connect_database(uri, db_kwargs=options)
        connection = adbc_driver_manager.AdbcConnection(database, **texts)
        return Connection(database, connection, texts, autocommit=autocommit)
    except BaseException:
        if connection is not None:
            connection.close()
        if database is not None:
            database.close()
        raise
