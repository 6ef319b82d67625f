"""The local workspace, as a client that nobody here wrote meets it: over TLS, with an authority that nobody knows."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import socket
import socketserver
import subprocess
import threading
import urllib.request

WAREHOUSE = "0123456789abcdef"
HTTP_PATH = f"/sql/1.0/warehouses/{WAREHOUSE}"
TOKEN = "dapi-foreign"
FLAGS = "databricks.partnerplatform.clientConfigsFeatureFlags.enableTelemetryFor"
ENDLESS = "SELECT count(*) FROM range(1000000000) AS a CROSS JOIN range(1000000000) AS b WHERE (a.id + b.id) % 7 = 3"


class Workspace:
    """Where a running `dbsql serve` is."""

    def __init__(self, process: subprocess.Popen[str], url: str, https: str, authority: str) -> None:
        self.process, self.url, self.https, self.authority = process, url, https, authority

    @property
    def pid(self) -> int:
        return self.process.pid

    def get(self, path: str) -> dict:
        return self._ask(urllib.request.Request(self.url + path))

    def sql(self, text: str) -> list[list[str]]:
        """The rows of a small result, as the statement API's JSON."""
        body = {"warehouse_id": WAREHOUSE, "statement": text, "wait_timeout": "50s"}
        answer = self._ask(urllib.request.Request(self.url + "/api/2.0/sql/statements", json.dumps(body).encode()))
        assert answer["status"]["state"] == "SUCCEEDED", answer["status"]
        assert answer["manifest"]["total_chunk_count"] <= 1, "more than one chunk"
        return answer["result"].get("data_array", [])

    def sessions(self) -> int:
        """How many sessions are open."""
        return self.get(f"/api/2.0/sql/warehouses/{WAREHOUSE}")["num_active_sessions"]

    def _ask(self, request: urllib.request.Request) -> dict:
        request.add_header("authorization", f"Bearer {TOKEN}")
        request.add_header("content-type", "application/json")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return json.load(answer)


@contextlib.contextmanager
def serve(*, telemetry: bool):
    """A workspace whose feature flags for the telemetry of these clients are on, or off."""
    command = [os.environ["DBSQL"], "serve", "--tls", "--port", "0", "--token", TOKEN, "--scale-factor", "0.01"]
    for flag in ("Kernel", "PythonDriver"):
        command += ["--flag", f"{FLAGS}{flag}={str(telemetry).lower()}"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("Rust"):
                break
        found = [re.search(rf"^  {label} +(\S+)$", said, re.M) for label in ("url", "https", "CA")]
        assert all(found), f"dbsql serve did not say where it is:\n{said}"
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield Workspace(process, *(match[1] for match in found))
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


@contextlib.contextmanager
def proxy(workspace: Workspace):
    """A proxy in whose network the workspace is `localhost` on port 443, as workspaces are."""
    there = ("127.0.0.1", int(workspace.https.rpartition(":")[2]))

    class Tunnel(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            request = self.rfile.readline().split()
            while self.rfile.readline().strip():
                pass
            if request[:2] != [b"CONNECT", b"localhost:443"]:
                self.wfile.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
                return
            with socket.create_connection(there) as up:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                ends = {self.connection: up, up: self.connection}
                while True:
                    for end in select.select(list(ends), [], [])[0]:
                        data = end.recv(1 << 16)
                        if not data:
                            return
                        ends[end].sendall(data)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request, client_address) -> None:
            """A client that goes away in the middle is no news."""

    with Server(("127.0.0.1", 0), Tunnel) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
