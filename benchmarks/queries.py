"""Questions to a published warehouse, against the same on a native wide table: a row a step, a column a metric."""

import http.client
import json
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.harness import Figure, Server, folder, ratio, task
from benchmarks.serve import Shape

GOAL = 1.5

QUESTIONS = {
    "last value of a metric, each run": (
        "SELECT run_id, arg_max(value, step) FROM history WHERE key = 'loss' GROUP BY run_id",
        "SELECT run_id, arg_max(loss, _step) FROM history GROUP BY run_id",
    ),
    "smallest value of a metric, each run": (
        "SELECT run_id, min(value) FROM history WHERE key = 'train/metric_3' GROUP BY run_id",
        'SELECT run_id, min("train/metric_3") FROM history GROUP BY run_id',
    ),
    "mean curve of a metric by config": (
        (
            "SELECT c.value, h.step // 50, round(avg(h.value), 9) FROM history h JOIN run_config c USING (run_id)"
            " WHERE h.key = 'loss' AND c.key = 'lr' GROUP BY ALL"
        ),
        (
            "SELECT c.value, h._step // 50, round(avg(h.loss), 9) FROM history h JOIN run_config c USING (run_id)"
            " WHERE c.key = 'lr' GROUP BY ALL"
        ),
    ),
    "one metric of one run": (
        "SELECT step, value FROM history WHERE key = 'loss' AND run_id = 'r000021'",
        "SELECT _step, loss FROM history WHERE run_id = 'r000021'",
    ),
    "every value of one run": (
        "SELECT key, step, value FROM history WHERE run_id = 'r000021'",
        (
            "SELECT key, _step, value FROM (UNPIVOT (FROM history WHERE run_id = 'r000021')"
            " ON COLUMNS(* EXCLUDE (run_id, _step)) INTO NAME key VALUE value)"
        ),
    ),
}
"""What is asked: in the warehouse, and of the wide table."""


def run(*, quick: bool, repetitions: int) -> list[Figure]:
    """Measure on 30 million values; `quick` on 3 million."""
    shape = Shape(50 if quick else 500, 5_000, 12)
    with Server(shape, [0.0]) as server, folder() as place:
        known = {
            **server.at(0.0),
            "warehouse": str(place / "wandb.duckdb"),
            "wide": str(place / "wide.duckdb"),
        }
        task("sync", known)
        _download(known, place / "files")
        task("wide_table", {**known, "files": str(place / "files")})
        pairs = task("queries", {**known, "repeats": 3 * repetitions})["pairs"]
    return [
        ratio("queries", f"{name}: time of the wide table", pairs[name], GOAL, at_least=False)
        for name in QUESTIONS
    ]


def _download(known: dict[str, str], files: Path) -> None:
    files.mkdir()
    place = urlsplit(known["storage"])
    connection = http.client.HTTPConnection(str(place.hostname), place.port)
    for run_id, paths in json.loads(Path(known["exports"]).read_text()).items():
        for path in paths:
            connection.request("GET", path)
            (files / f"{run_id}.parquet").write_bytes(connection.getresponse().read())
    connection.close()
