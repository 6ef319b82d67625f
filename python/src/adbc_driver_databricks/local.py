"""A Databricks SQL workspace on this machine, for tests and first steps: no account, no network."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import functools
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import threading
import time
import typing
import urllib.parse

if typing.TYPE_CHECKING:
    from .dbapi import Connection


LABELS = ("url", "http path", "token")
"""The lines of `dbsql serve` that say where the workspace is."""


@dataclasses.dataclass(frozen=True)
class LocalWorkspace:
    """A running workspace, and what is needed to connect to it."""

    url: str
    """``http://127.0.0.1:PORT``."""
    http_path: str
    """The path of its one warehouse."""
    token: str = dataclasses.field(repr=False)
    """The token that it accepts."""

    @property
    def uri(self) -> str:
        """All of it in the form that :func:`adbc_driver_databricks.dbapi.connect` takes."""
        token = urllib.parse.quote(self.token, safe="")
        return f"databricks://token:{token}@{self.url.partition('://')[2]}{self.http_path}"

    def connect(self, **options: typing.Any) -> Connection:
        """Connect to it; the options are those of :func:`adbc_driver_databricks.dbapi.connect`."""
        from . import dbapi

        return dbapi.connect(self.uri, **options)


@contextlib.contextmanager
def databricks_local(
    *,
    scale_factor: float = 0.01,
    data: str | os.PathLike[str] | None = None,
    flags: typing.Mapping[str, str] | None = None,
    faults: typing.Sequence[str] = (),
    dbsql: str | os.PathLike[str] | None = None,
    timeout: float = 60.0,
) -> typing.Iterator[LocalWorkspace]:
    """Run a workspace for as long as the ``with`` block lasts, on a free port of this machine.

    Parameters
    ----------
    scale_factor
        The size of ``samples.tpch``; 1 makes 6,001,215 line items.
    data
        A directory whose Parquet, CSV and JSON files become tables of ``main.data``.
    flags
        Feature flags of the workspace.
    faults
        Requests that go wrong, to see what your program does then: ``"GET /results/=hang"`` is a download that never ends,
        ``"POST /api/2.0/sql/=status:503*2"`` a warehouse that refuses twice. ``dbsql serve --help`` has all of them.
    dbsql
        The ``dbsql`` program. Otherwise the environment variable ``DBSQL`` names it, or it is on the ``PATH``, or it was built
        in the checkout that the working directory is in.
    timeout
        For how many seconds to wait until the workspace listens.

    Raises
    ------
    FileNotFoundError
        There is no ``dbsql``; the message says how to get it.
    RuntimeError
        It ended, or did not listen in time; the message holds what it printed.
    """
    command = [str(find_dbsql(dbsql)), "serve", "--port", "0", "--scale-factor", str(scale_factor)]
    if data is not None:
        command += ["--data", os.fspath(data)]
    for name, value in (flags or {}).items():
        command += ["--flag", f"{name}={value}"]
    for fault in faults:
        command += ["--fault", fault]
    # A process group of its own: Ctrl-C in a terminal is for the program that uses the workspace, not for the workspace.
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    # An object of its own: `unregister` takes away all that are equal, those of other workspaces too.
    stop = functools.partial(_stop, process)
    atexit.register(stop)
    try:
        yield _ready(process, timeout)
    finally:
        atexit.unregister(stop)
        stop()


def find_dbsql(given: str | os.PathLike[str] | None = None) -> pathlib.Path:
    """The ``dbsql`` program: what is given, what ``DBSQL`` names, what is on the ``PATH``, what the checkout has built.

    Raises
    ------
    FileNotFoundError
        None of these.
    """
    named = given or os.environ.get("DBSQL")
    if named:
        path = pathlib.Path(named)
        if path.is_file():
            return path
        raise FileNotFoundError(f"no such program: {path} (from {'the argument dbsql' if given else 'DBSQL'})")
    if on_path := shutil.which("dbsql"):
        return pathlib.Path(on_path)
    built = [path for target in _targets() for path in target.glob("*/dbsql*") if path.name in ("dbsql", "dbsql.exe")]
    if built:
        return max(built, key=lambda path: path.stat().st_mtime)
    raise FileNotFoundError(
        "the program dbsql, which runs the workspace, was not found: set DBSQL to its path, put it on the PATH, "
        "or build it with `cargo build -p dbsql` in a checkout of adbc-databricks and work there"
    )


def _targets() -> typing.Iterator[pathlib.Path]:
    if target := os.environ.get("CARGO_TARGET_DIR"):
        yield pathlib.Path(target)
    here = pathlib.Path.cwd()
    for directory in (here, *here.parents):
        if (directory / "crates" / "dbsql" / "Cargo.toml").is_file():
            yield directory / "target"


def _ready(process: subprocess.Popen[str], timeout: float) -> LocalWorkspace:
    """Read what the workspace prints until it has said where it is, and the rest in the background, lest it block."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                if not ready.is_set():
                    lines.put(line)
        lines.put(None)

    threading.Thread(target=read, name="dbsql-serve", daemon=True).start()
    deadline = time.monotonic() + timeout
    printed: list[str] = []
    facts: dict[str, str] = {}
    while len(facts) < len(LABELS):
        try:
            line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise RuntimeError(f"the workspace did not listen within {timeout} s: {''.join(printed)}") from None
        if line is None:
            raise RuntimeError(f"the workspace ended with {process.wait()}: {''.join(printed)}")
        printed.append(line)
        for label in LABELS:
            if line.strip().startswith(label):
                facts[label] = line.strip().removeprefix(label).strip()
    ready.set()
    return LocalWorkspace(url=facts["url"], http_path=facts["http path"], token=facts["token"])


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
