"""How fast the sandbox serves history rows over loopback: it must not be the bottleneck of another benchmark.

    python benchmarks/sandbox_serving.py

Prints rows per second, warm (the same run again and again) and cold (each run for the first time), medians of five,
and the seconds to export 5,000 rows of 12 keys to parquet.
"""

import base64
import http.client
import json
import random
import statistics
import time
from urllib.parse import urlsplit

from wandb_warehouse.sandbox import Sandbox

ROWS = 5_000
REPEATS = 5


def main() -> None:
    """Measure and print."""
    rng = random.Random(3)
    rows = [
        {"_timestamp": 1.7e9 + i, "_runtime": i / 10} | {f"m{k}": rng.random() for k in range(10)}
        for i in range(ROWS)
    ]
    with Sandbox() as box:
        for number in range(REPEATS):
            box.add_run("e", "p", f"r{number}", rows=rows)
        cold = [_fetch(box, f"r{number}") for number in range(REPEATS)]
        warm = [_fetch(box, "r0") for _ in range(REPEATS)]
        export = []
        for number in range(REPEATS):
            started = time.perf_counter()
            box.export("e", "p", f"r{number}")
            export.append(time.perf_counter() - started)
    print(f"warm    {ROWS / statistics.median(warm):12,.0f} rows/s")
    print(f"cold    {ROWS / statistics.median(cold):12,.0f} rows/s")
    print(f"export  {statistics.median(export) * 1000:12,.0f} ms for {ROWS:,} rows of 12 keys")


def _fetch(box: Sandbox, run_id: str) -> float:
    field = f"history(minStep: 0, maxStep: {ROWS}, samples: {ROWS})"
    query = f'{{ project(name: "p", entityName: "e") {{ run(name: "{run_id}") {{ {field} }} }} }}'
    address = urlsplit(box.base_url)
    token = base64.b64encode(f"api:{box.key}".encode()).decode()
    connection = http.client.HTTPConnection(str(address.hostname), address.port)
    started = time.perf_counter()
    connection.request("POST", "/graphql", json.dumps({"query": query}), {"Authorization": f"Basic {token}"})
    body = connection.getresponse().read()
    seconds = time.perf_counter() - started
    connection.close()
    served = json.loads(body)["data"]["project"]["run"]["history"]
    if len(served) != ROWS:
        raise SystemExit(f"served {len(served)} rows of {ROWS}")
    return seconds


if __name__ == "__main__":
    main()
