"""Every foreign client against one workspace, one after the other, and then what their telemetry left there.

    DBSQL=target/debug/dbsql python conformance/foreign/run.py [CLIENT...]
"""

from __future__ import annotations

import collections
import json
import os
import pathlib
import subprocess
import sys
import time

from workspace import proxy, serve

HERE = pathlib.Path(__file__).parent

CLIENTS = {
    "connector (Thrift)": ["connector.py", "thrift"],
    "connector (use_sea)": ["connector.py", "sea"],
    "connector (use_kernel)": ["connector.py", "kernel"],
    "kernel": ["kernel.py"],
    "arrowbricks (sea)": ["bricks.py", "sea"],
    "arrowbricks (thrift)": ["bricks.py", "thrift"],
    "node (Thrift)": ["node.py", "thrift"],
    "node (useKernel)": ["node.py", "kernel"],
    "sdk": ["sdk.py"],
    "sqlalchemy (Thrift)": ["alchemy.py", "thrift"],
    "sqlalchemy (use_kernel)": ["alchemy.py", "kernel"],
}

PORTLESS = {"connector (Thrift)", "connector (use_sea)", "sqlalchemy (Thrift)", "sqlalchemy (use_kernel)"}
"""Clients of which a part goes to a host without its port."""

LIMIT_S = 120
"""What one client may take."""

MISPLACED_TIME = {
    # The kernel puts the time one level too high, where the service does not find it.
    "context.client_context.timestamp_millis: missing",
    "context.timestamp_millis: unknown member",
}

DRIVERS = {"Databricks SQL Kernel": MISPLACED_TIME, "Databricks SQL Python Connector": MISPLACED_TIME}
"""Who sends telemetry, by `driver_name`, and which violations of the schema are theirs (docs/foreign-clients.md)."""


def environment_of(workspace, way: str, *, by_proxy: bool) -> dict[str, str]:
    environment = {
        **os.environ,
        "FOREIGN_HTTP": workspace.url,
        "FOREIGN_HTTPS": workspace.https,
        "FOREIGN_CA": workspace.authority,
        "SSL_CERT_FILE": workspace.authority,
        "REQUESTS_CA_BUNDLE": workspace.authority,
        "PYTHONWARNINGS": "ignore",
    }
    if by_proxy:
        environment["HTTPS_PROXY"] = way
    return environment


def play(name: str, workspace, way: str) -> bool:
    print(f"{name}", flush=True)
    began = time.monotonic()
    try:
        script, *arguments = CLIENTS[name]
        environment = environment_of(workspace, way, by_proxy=name in PORTLESS)
        code = subprocess.run([sys.executable, HERE / script, *arguments], env=environment, timeout=LIMIT_S).returncode
    except subprocess.TimeoutExpired:
        code = f"none after {LIMIT_S} s"
    verdict = "passed" if code == 0 else f"FAILED (exit code {code})"
    print(f"  {verdict} in {time.monotonic() - began:.1f} s", flush=True)
    return code == 0


def inbox(workspace, names: list[str]) -> bool:
    print("the inbox")
    rows = workspace.sql(
        "SELECT driver_name, driver_version, user_agent, violations FROM system.telemetry.driver_log LIMIT 5000"
    )
    events = collections.Counter((row[0], row[1], row[2]) for row in rows)
    violations = collections.defaultdict(collections.Counter)
    for driver, version, agent, found in rows:
        for violation in json.loads(found or "[]"):
            violations[driver, version, agent][violation] += 1
    good = True
    for sender, count in sorted(events.items(), key=str):
        driver, version, agent = sender
        print(f"  {count:4} events of {driver} {version} ({agent})")
        for violation, times in sorted(violations[sender].items()):
            known = violation in DRIVERS.get(driver, set())
            good &= known
            print(f"       {'theirs' if known else 'UNKNOWN'}: {violation} ({times} times)")
    if set(names) == set(CLIENTS):
        for driver in DRIVERS.keys() - {driver for driver, *_ in events}:
            good = False
            print(f"  FAILED: no event of {driver}")
    return good


def silence() -> bool:
    """A workspace gets no telemetry: its clients ask for them, and take its word."""
    print("a workspace whose flags are off")
    with serve(telemetry=False) as workspace, proxy(workspace) as way:
        environment = environment_of(workspace, way, by_proxy=True)
        environment["NO_PROXY"] = "127.0.0.1"
        code = subprocess.run([sys.executable, HERE / "quiet.py"], env=environment, timeout=LIMIT_S).returncode
        ((count,),) = workspace.sql("SELECT count(*) FROM system.telemetry.driver_log")
    print(f"  {count} events, exit code {code}")
    return (code, count) == (0, "0")


def main() -> int:
    names = sys.argv[1:] or list(CLIENTS)
    with serve(telemetry=True) as workspace, proxy(workspace) as way:
        passed = [play(name, workspace, way) for name in names]
        passed.append(inbox(workspace, names))
    if set(names) == set(CLIENTS):
        passed.append(silence())
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
