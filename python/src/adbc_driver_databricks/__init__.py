"""The Databricks SQL driver for ADBC (Arrow Database Connectivity).

For queries use :mod:`adbc_driver_databricks.dbapi`. This module holds what is below it: the options, and
:func:`connect`, which gives the low-level handle that driver managers work with.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import pathlib
import sys
import typing

import adbc_driver_manager

from ._options import ConnectionOptions, DatabaseOptions, StatementOptions
from .local import LocalWorkspace, databricks_local

__all__ = [
    "ConnectionOptions",
    "DatabaseOptions",
    "LocalWorkspace",
    "StatementOptions",
    "__version__",
    "connect",
    "databricks_local",
]

__version__ = importlib.metadata.version("adbc-driver-databricks")

OptionValue = typing.Union[str, bytes, int, float, bool, "os.PathLike[str]"]
"""What an option can be set to."""

Options = typing.Union[
    typing.Mapping[str, typing.Optional[OptionValue]],
    typing.Mapping[DatabaseOptions, typing.Optional[OptionValue]],
    typing.Mapping[ConnectionOptions, typing.Optional[OptionValue]],
]
"""Options by key; ``None`` is not set. A mapping's type says exactly what its keys are, hence one for each kind of them."""

ENTRYPOINT = "AdbcDriverDatabricksInit"
"""The function by which a driver manager enters the shared library."""


def connect(
    uri: str | None = None,
    *,
    db_kwargs: Options | None = None,
) -> adbc_driver_manager.AdbcDatabase:
    """Make a low-level ADBC database.

    Nothing is sent yet: connections are made of it.

    Parameters
    ----------
    uri
        Where to connect to: ``databricks://token:TOKEN@HOST/sql/1.0/warehouses/ID``.
    db_kwargs
        Further options, by key (:class:`DatabaseOptions`). They win over what the URI says.

    Raises
    ------
    adbc_driver_manager.ProgrammingError
        An option's value is not understood.
    adbc_driver_manager.NotSupportedError
        There is no such option.
    """
    options = option_texts(db_kwargs)
    if uri is not None:
        options[DatabaseOptions.URI.value] = uri
    return adbc_driver_manager.AdbcDatabase(driver=driver_path(), entrypoint=ENTRYPOINT, **options)


def option_texts(options: Options | None) -> dict[str, typing.Any]:
    """Options as the driver manager takes them: ``True`` is ``"true"``, a path is its text, ``None`` is not set."""
    return {str(key): _option_text(value) for key, value in (options or {}).items() if value is not None}


def _option_text(value: OptionValue) -> str | bytes:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return str(value)


@functools.cache
def driver_path() -> str:
    """The driver's shared library: the one in this package, else one in the environment, else its name for the loader."""
    # The wheel calls it so on every platform, as the wheels of Apache Arrow do.
    name = "libadbc_driver_databricks.so"
    bundled = pathlib.Path(__file__).parent / name
    environment = pathlib.Path(sys.prefix) / "lib" / name
    for candidate in (bundled, environment):
        if candidate.is_file():
            return str(candidate)
    return "adbc_driver_databricks"
