"""Records what a workspace answers, so that `replay` can answer the same from memory.

    python3 bench/record.py http://127.0.0.1:8123 TOKEN target/bench/tape

The large result is all of samples.tpch.lineitem behind links, compressed; the small one is SELECT 1 in the three ways that
clients ask for it. Serve at scale factor 1 (`dbsql serve --scale-factor 1`).
"""

import concurrent.futures
import json
import pathlib
import sys
import urllib.request

WAREHOUSE = "0123456789abcdef"


def main(url, token, directory):
    tape = pathlib.Path(directory)
    tape.mkdir(parents=True, exist_ok=True)

    def ask(path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(url + path, data, headers)) as answer:
            return json.load(answer)

    def execute(statement, disposition, format):
        compression = "NONE" if format == "JSON_ARRAY" else "LZ4_FRAME"
        answer = ask("/api/2.0/sql/statements", {
            "warehouse_id": WAREHOUSE, "statement": statement, "disposition": disposition, "format": format,
            "result_compression": compression, "wait_timeout": "50s"})
        while answer["status"]["state"] in ("PENDING", "RUNNING"):
            answer = ask(f"/api/2.0/sql/statements/{answer['statement_id']}")
        assert answer["status"]["state"] == "SUCCEEDED", answer["status"]
        return answer

    def download(link):
        assert not link.get("http_headers")
        with urllib.request.urlopen(link["external_link"]) as answer:
            return answer.read()

    def keep(name, answer):
        answer.pop("result", None) if name == "large" else None
        (tape / f"{name}.json").write_text(json.dumps(answer))

    for name, disposition, format in [("hybrid", "INLINE_OR_EXTERNAL_LINKS", "ARROW_STREAM"),
                                      ("links", "EXTERNAL_LINKS", "ARROW_STREAM"),
                                      ("json", "INLINE", "JSON_ARRAY")]:
        answer = execute("SELECT 1 AS x", disposition, format)
        if name == "links":
            (tape / "small.chunk").write_bytes(download(answer["result"]["external_links"][0]))
        keep(name, answer)

    answer = execute("SELECT * FROM samples.tpch.lineitem", "EXTERNAL_LINKS", "ARROW_STREAM")
    chunks = answer["manifest"]["total_chunk_count"]

    def fetch(index):
        links = ask(f"/api/2.0/sql/statements/{answer['statement_id']}/result/chunks/{index}")["external_links"]
        body = download(next(link for link in links if link["chunk_index"] == index))
        (tape / f"{index}.chunk").write_bytes(body)
        return len(body)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        total = sum(pool.map(fetch, range(chunks)))
    # Last: whoever finds it finds a whole recording.
    keep("large", answer)
    print(f"{answer['manifest']['total_row_count']} rows in {chunks} chunks, {total >> 20} MiB compressed")


main(*sys.argv[1:])
