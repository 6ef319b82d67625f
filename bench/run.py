"""Compares how clients read results from one server that answers from memory (`replay`), in one run.

    cargo build --release -p bench
    python3 bench/run.py [--rounds N] [--python VENV/bin/python] [--driver libadbc_driver_databricks.so]
    python3 bench/run.py --latency-ms 30 --mib-per-s 20 ...   # the chunks come from storage at a distance

Needs a recording (bench/record.py). Every client is a process of its own, rounds are interleaved, medians are printed, with
ratios to the floor of the same run. CPU time and peak memory are the operating system's (getrusage), of the whole process.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "target/release"


def measured(command, env):
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    output = process.stdout.read()
    complaint = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    # Whoever has printed its line has been measured: arrowbricks 6.2.0 can crash afterwards, while Python exits.
    if not output.strip():
        sys.exit(f"{' '.join(map(str, command))} failed:\n{complaint.decode()}")
    answer = json.loads(output.splitlines()[-1])
    answer["cpu_seconds"] = usage.ru_utime + usage.ru_stime
    answer["peak_mib"] = usage.ru_maxrss / 1024
    answer["process_seconds"] = time.perf_counter() - began
    return answer


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--tape", default=str(ROOT / "target/bench/tape"))
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--queries", type=int, default=1000)
    arguments.add_argument("--python", help="a Python with the other clients and pyarrow")
    arguments.add_argument("--clients", default="kernel,connector,arrowbricks")
    arguments.add_argument("--latency-ms", type=float, default=0, help="how long a chunk waits for its first byte")
    arguments.add_argument("--mib-per-s", type=float, help="how fast a connection to storage is")
    arguments.add_argument("--driver", help="the shared library, to measure it through the C interface from Python")
    options = arguments.parse_args()
    large_answer = json.loads((pathlib.Path(options.tape) / "large.json").read_text())["manifest"]
    rows, chunks = large_answer["total_row_count"], large_answer["total_chunk_count"]

    distance = {"STORAGE_LATENCY_MS": options.latency_ms, "STORAGE_MIB_PER_S": options.mib_per_s}
    distance = {name: str(value) for name, value in distance.items() if value}
    server = subprocess.Popen([BIN / "replay", options.tape], stdout=subprocess.PIPE, text=True, env=dict(os.environ, **distance))
    try:
        url = server.stdout.readline().strip()
        large = {"floor": [BIN / "floor", url, "large", str(chunks)], "this driver, Rust": [BIN / "fetch", url, "large"]}
        small = {"floor": [BIN / "floor", url, "small", str(options.queries)],
                 "this driver, Rust": [BIN / "fetch", url, "small", str(options.queries)]}
        names = options.clients.split(",") if options.python and options.clients else []
        if options.driver:
            names.append("adbc")
        for name in names:
            shown = "this driver, Python" if name == "adbc" else name
            client = [options.python, ROOT / "bench/clients.py", name, url]
            large[shown] = client + ["large"]
            # Some take tens of milliseconds for each.
            small[shown] = client + ["small", str(min(options.queries, 200) if name == "arrowbricks" else options.queries)]
        env = dict(os.environ, DRIVER=options.driver or "")

        def rounds(commands):
            found = {name: [] for name in commands}
            for _ in range(options.rounds):
                for name, command in commands.items():
                    found[name].append(measured(command, env))
            return found

        median = lambda runs, key: statistics.median(run[key] for run in runs)
        found = rounds(large)
        floor = {key: median(found["floor"], key) for key in ("seconds", "cpu_seconds")}
        print(f"{rows:,} rows, {chunks} chunks; {options.rounds} rounds, medians; ratios to the floor\n")
        print("| client | seconds | ratio | CPU s | ratio | first batch ms | peak MiB | rows missing |")
        print("|---|---|---|---|---|---|---|---|")
        for name, runs in found.items():
            seconds, cpu = median(runs, "seconds"), median(runs, "cpu_seconds")
            missing = "–" if name == "floor" else max(rows - run["rows"] for run in runs)
            first = "–" if name == "floor" else f"{median(runs, 'first_batch_ms'):.0f}"
            peak = max(run["peak_mib"] for run in runs)
            print(f"| {name} | {seconds:.2f} | {seconds / floor['seconds']:.2f} | {cpu:.2f} "
                  f"| {cpu / floor['cpu_seconds']:.2f} | {first} | {peak:.0f} | {missing} |")
        if distance:
            return
        print(f"\n{options.queries} small queries, one after the other\n")
        print("| client | p50 ms | p99 ms |\n|---|---|---|")
        for name, runs in rounds(small).items():
            print(f"| {name} | {median(runs, 'p50_ms'):.3f} | {median(runs, 'p99_ms'):.2f} |")
    finally:
        server.kill()


main()
