"""Questions to a published warehouse, against the same on a native wide table: a row a step, a column a metric.

Metrics that are named alike (`train/metric_3`) are asked for, as most are; `loss` stands beside for one that is not.
"""

from benchmarks.harness import Figure, folder, median, ratio, task
from benchmarks.serve import Shape, Size, run_name
from benchmarks.stored import MILLIONS, first_sync

SCENARIO = "queries"
GOAL = 1.5
METRIC = "train/metric_3"
_CURVES = 200
_POINTS = 500

Questions = dict[str, tuple[str, str]]


def questions(shape: Shape) -> Questions:
    """What is asked: in the warehouse, and of the wide table."""
    one = run_name(shape.runs // 2)
    chosen = ", ".join(
        f"'{run_name(n)}'" for n in range(0, shape.runs, max(shape.runs // _CURVES, 1))[:_CURVES]
    )
    width = max(shape.rows // _POINTS, 1)
    return {
        "last value of a metric, each run": (
            f"SELECT run_id, arg_max(value, step) FROM history WHERE key = '{METRIC}' GROUP BY run_id",
            f'SELECT run_id, arg_max("{METRIC}", _step) FROM history GROUP BY run_id',
        ),
        "last value of `loss`, each run": (
            "SELECT run_id, arg_max(value, step) FROM history WHERE key = 'loss' GROUP BY run_id",
            "SELECT run_id, arg_max(loss, _step) FROM history GROUP BY run_id",
        ),
        "last value of a metric, each run, by `metrics`": (
            f"SELECT run_id, last_value FROM metrics WHERE key = '{METRIC}'",
            f'SELECT run_id, arg_max("{METRIC}", _step) FROM history GROUP BY run_id',
        ),
        "smallest value of a metric, each run": (
            f"SELECT run_id, min(value) FROM history WHERE key = '{METRIC}' GROUP BY run_id",
            f'SELECT run_id, min("{METRIC}") FROM history GROUP BY run_id',
        ),
        f"curves of {_CURVES} runs, {_POINTS} points each": (
            (
                f"SELECT run_id, step // {width} AS point, round(avg(value), 9) FROM history"
                f" WHERE key = '{METRIC}' AND run_id IN ({chosen}) GROUP BY ALL"
            ),
            (
                f'SELECT run_id, _step // {width} AS point, round(avg("{METRIC}"), 9) FROM history'
                f" WHERE run_id IN ({chosen}) GROUP BY ALL"
            ),
        ),
        "mean curve of a metric by config": (
            (
                "SELECT c.value, h.step // 50, round(avg(h.value), 9) FROM history h JOIN run_config c USING (run_id)"
                f" WHERE h.key = '{METRIC}' AND c.key = 'lr' GROUP BY ALL"
            ),
            (
                f'SELECT c.value, h._step // 50, round(avg(h."{METRIC}"), 9) FROM history h'
                " JOIN run_config c USING (run_id) WHERE c.key = 'lr' GROUP BY ALL"
            ),
        ),
        "one metric of one run": (
            f"SELECT step, value FROM history WHERE key = '{METRIC}' AND run_id = '{one}'",
            f"SELECT _step, \"{METRIC}\" FROM history WHERE run_id = '{one}'",
        ),
        "every value of one run": (
            f"SELECT key, step, value FROM history WHERE run_id = '{one}'",
            (
                f"SELECT key, _step, value FROM (UNPIVOT (FROM history WHERE run_id = '{one}')"
                " ON COLUMNS(* EXCLUDE (run_id, _step)) INTO NAME key VALUE value)"
            ),
        ),
    }


def run(*, size: Size, repetitions: int) -> list[Figure]:
    """Measure on 100 million values, three times as often as asked: a query takes little."""
    stored = first_sync(MILLIONS[size][-1])
    asked = questions(stored.shape)
    with folder() as place:
        known = {
            "warehouse": str(stored.warehouse),
            "wide": str(place / "wide.duckdb"),
            "files": str(stored.files),
        }
        task("wide_table", known)
        pairs = task("queries", {**known, "questions": asked, "repeats": 3 * repetitions})["pairs"]
    return [
        ratio(
            SCENARIO,
            f"{name}: time of the wide table",
            pairs[name],
            GOAL,
            at_least=False,
            note="{:.3g} ms, wide {:.3g} ms".format(
                *(1000 * median([pair[side] for pair in pairs[name]]) for side in (0, 1))
            ),
        )
        for name in asked
    ]
