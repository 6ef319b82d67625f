"""The driver in one process for a long time: connects, queries, errors, cancels, forks, again and again.

    DBSQL=target/release/dbsql python3 bench/soak.py --seconds 600

Needs the package (`pip install ./python[dbapi]`) and Linux (`/proc`). After each round, with everything closed, it
looks at what is left: memory, threads, sockets, sessions in the workspace; and at whether the workspace's inbox has one
record, and only one, of everything that was executed. Ends with 1 when something is lost, leaks or grows.
"""

from __future__ import annotations

import argparse
import collections
import json
import multiprocessing
import os
import pathlib
import statistics
import sys
import threading
import time
import urllib.request
import warnings

import adbc_driver_databricks.dbapi as dbapi
from adbc_driver_databricks.local import LocalWorkspace, databricks_local

FLAG = "databricks.partnerplatform.clientConfigsFeatureFlags.enableTelemetryForAdbc"
ENDLESS = "SELECT count(*) FROM range(1000000000) AS a CROSS JOIN range(1000000000) AS b WHERE (a.id + b.id) % 7 = 3"
ROWS = 200_000
LARGE = f"SELECT id, concat('row ', id) AS text FROM range({ROWS})"
FAILURES = ("SELEC 1", "SELECT * FROM nope", "SELECT n_nationkey / 0 FROM samples.tpch.nation")
FORKS = 2

KINDS = {
    "CREATE_SESSION": "sessions opened",
    "DELETE_SESSION": "sessions closed",
    "EXECUTE_STATEMENT": "executions",
    "EXECUTE_STATEMENT_ASYNC": "executions",
}
"""What the wire calls them. A statement that was polled for is an asynchronous one."""

WARM_UP = 0.3
"""The part of the time after which memory must not grow any more."""
GROWTH_MIB = 16
"""What counts as flat, from one median to another: an allocator's moods."""
PATIENCE_S = 20
"""For how long a round waits for its records. They are sent when a connection closes, so they are there."""


class Count(collections.Counter):
    """What was done, from several threads."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def add(self, name: str, count: int = 1) -> None:
        with self._lock:
            self[name] += count


def queries(workspace: LocalWorkspace, count: Count) -> None:
    with workspace.connect() as connection:
        count.add("connects")
        for number in range(8):
            with connection.cursor() as cursor:
                cursor.execute("SELECT ? + 1, n_name FROM samples.tpch.nation ORDER BY n_nationkey", [number])
                count.add("queries")
                row = cursor.fetchone()
                assert row == (number + 1, "ALGERIA"), row


def results(workspace: LocalWorkspace, count: Count) -> None:
    """One large result read to its end, and one that is left in the middle."""
    with workspace.connect() as connection:
        count.add("connects")
        with connection.cursor() as cursor:
            cursor.execute(LARGE)
            count.add("queries")
            rows = sum(batch.num_rows for batch in cursor.fetch_record_batch())
            assert rows == ROWS, f"{rows} of {ROWS} rows"
        with connection.cursor() as cursor:
            cursor.execute(LARGE)
            count.add("queries")
            cursor.fetchone()


def errors(workspace: LocalWorkspace, count: Count) -> None:
    with workspace.connect() as connection:
        count.add("connects")
        for text in FAILURES:
            with connection.cursor() as cursor:
                try:
                    cursor.execute(text)
                    cursor.fetchall()
                except dbapi.Error as error:
                    assert error.sqlstate and error.sqlstate != "00000", error
                else:
                    raise AssertionError(f"{text}: no error")
                count.add("errors")


def cancels(workspace: LocalWorkspace, count: Count) -> None:
    """Of statements whose id the driver knows at once: of another cancel the server hears when it has told the id."""
    with workspace.connect(db_kwargs={"databricks.statement.wait_timeout": "0s"}) as connection:
        count.add("connects")
        for delay in (0.3, 0.6):
            with connection.cursor() as cursor:
                timer = threading.Timer(delay, cursor.adbc_cancel)
                timer.start()
                try:
                    cursor.execute(ENDLESS)
                    cursor.fetchall()
                except dbapi.Error:
                    count.add("cancels")
                else:
                    raise AssertionError("the query that does not end has ended")
                timer.join()


def forks(workspace: LocalWorkspace, count: Count) -> None:
    """Children of a process whose driver is at work; each connects for itself."""

    def child() -> None:
        with workspace.connect() as own, own.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)

    fork = multiprocessing.get_context("fork")
    with workspace.connect() as connection, connection.cursor() as cursor:
        count.add("connects")
        cursor.execute(LARGE)
        count.add("queries")
        cursor.fetchone()
        children = [fork.Process(target=child) for _ in range(FORKS)]
        for process in children:
            process.start()
        for process in children:
            process.join(60)
            assert process.exitcode == 0, f"a forked child ended with {process.exitcode}"
        count.add("forks", FORKS)
        assert len(cursor.fetchall()) == ROWS - 1


def together(workspace: LocalWorkspace, count: Count) -> None:
    """Everything but forks at once, in threads."""
    failed: list[BaseException] = []

    def guarded(work) -> None:
        try:
            work(workspace, count)
        except BaseException as error:  # noqa: BLE001 it is raised again below
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in (queries, results, errors, cancels)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


class Probe:
    """What the workspace says about itself, over plain HTTP."""

    def __init__(self, workspace: LocalWorkspace) -> None:
        self.workspace = workspace
        self.warehouse = workspace.http_path.rpartition("/")[2]

    def sessions(self) -> int:
        return self._ask(f"/api/2.0/sql/warehouses/{self.warehouse}")["num_active_sessions"]

    def inbox(self) -> dict[str, tuple[int, int]]:
        """By the kind of operation: records, and different ids among them."""
        text = (
            "SELECT operation_type, count(*), count(DISTINCT event_id), count_if(cardinality(violations) > 0) "
            "FROM system.telemetry.driver_log GROUP BY operation_type"
        )
        body = {"warehouse_id": self.warehouse, "statement": text, "wait_timeout": "50s"}
        answer = self._ask("/api/2.0/sql/statements", json.dumps(body).encode())
        assert answer["status"]["state"] == "SUCCEEDED", answer["status"]
        rows = answer["result"].get("data_array", [])
        assert all(row[3] == "0" for row in rows), f"records that do not fit the schema: {rows}"
        found = collections.defaultdict(lambda: (0, 0))
        for kind, records, different, _ in rows:
            before = found[KINDS.get(kind, kind)]
            found[KINDS.get(kind, kind)] = (before[0] + int(records), before[1] + int(different))
        return found

    def _ask(self, path: str, body: bytes | None = None) -> dict:
        request = urllib.request.Request(self.workspace.url + path, body)
        request.add_header("authorization", f"Bearer {self.workspace.token}")
        request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


def expected(count: Count) -> dict[str, int]:
    """By the kind of operation, how many records there must be."""
    return {
        "sessions opened": count["connects"] + count["forks"],
        "sessions closed": count["connects"] + count["forks"],
        "executions": count["queries"] + count["errors"] + count["cancels"] + count["forks"],
    }


def resident_mib(pid: int | str = "self") -> float:
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def threads(pid: int | str = "self") -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def sockets(pid: int | str = "self") -> int:
    count = 0
    for descriptor in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            count += os.readlink(descriptor).startswith("socket:")
        except FileNotFoundError:
            pass
    return count


def server() -> int:
    """The workspace is this process's one child."""
    (child,) = pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return int(child)


def soak(workspace: LocalWorkspace, seconds: float, table_rows: int) -> list[str]:
    probe, count, pid = Probe(workspace), Count(), server()
    began = time.monotonic()
    shown, samples, wrong = 0.0, [], []
    print(
        f"{'s':>5} {'connects':>9} {'queries':>8} {'errors':>7} {'cancels':>8} {'forks':>6} {'records':>8} {'lost':>5} "
        f"{'RSS MiB':>8} {'threads':>8} {'sockets':>8} {'sessions':>9} {'server MiB':>11} {'threads':>8}"
    )
    while (passed := time.monotonic() - began) < seconds or not samples:
        together(workspace, count)
        forks(workspace, count)

        deadline = time.monotonic() + PATIENCE_S
        while True:
            inbox, wanted = probe.inbox(), expected(count)
            lost = sum(max(0, wanted[kind] - inbox[kind][0]) for kind in wanted)
            if lost == 0 or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        sample = (passed, resident_mib(), threads(), sockets())
        samples.append(sample)
        open_sessions = probe.sessions()
        last = time.monotonic() - began >= seconds
        if last or len(samples) == 1 or passed - shown >= seconds / table_rows:
            shown = passed
            records = sum(records for records, _ in inbox.values())
            print(
                f"{passed:5.0f} {count['connects']:9} {count['queries']:8} {count['errors']:7} {count['cancels']:8} "
                f"{count['forks']:6} {records:8} {lost:5} {sample[1]:8.1f} {sample[2]:8} {sample[3]:8} "
                f"{open_sessions:9} {resident_mib(pid):11.1f} {threads(pid):8}",
                flush=True,
            )
        for kind, number in wanted.items():
            records, different = inbox[kind]
            if (records, different) != (number, number):
                wrong.append(f"{kind}: {number} were done, {records} records with {different} ids came")
        if open_sessions:
            wrong.append(f"{open_sessions} sessions are open when all connections are closed")
        if wrong:
            return wrong
    warm = [sample for sample in samples if sample[0] >= WARM_UP * seconds] or samples
    half = max(1, len(warm) // 2)
    early, late = warm[:half], warm[-half:]
    growth = statistics.median(it[1] for it in late) - statistics.median(it[1] for it in early)
    print(f"{len(samples)} rounds; after {WARM_UP:.0%} of the time: memory {growth:+.1f} MiB from half to half")
    if growth > GROWTH_MIB:
        wrong.append(f"memory grew by {growth:.1f} MiB")
    for at, what in ((2, "threads"), (3, "sockets")):
        if min(it[at] for it in late) > max(it[at] for it in early):
            wrong.append(f"{what} grew")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rows", type=int, default=20, help="lines of the table")
    given = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)  # Forking a process with threads is what is tested.
    with databricks_local(flags={FLAG: "true"}) as workspace:
        wrong = soak(workspace, given.seconds, given.rows)
    for line in wrong:
        print(f"FAILED: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
