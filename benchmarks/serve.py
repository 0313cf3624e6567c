"""The sandbox in a process of its own, filled with generated runs: the server every scenario reads from.

Started by `harness.Server`; prints one line of JSON with its addresses, answers a line for each line of its input,
and ends when its input does.

Exports are written directly from random doubles, so that filling takes seconds. Runs beyond `distinct` share the
bodies of earlier ones; each still has addresses, details and rows of its own as far as a client can tell.
"""

import io
import json
import sys
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wandb_warehouse.sandbox import DEFAULT_KEY, Sandbox
from wandb_warehouse.sandbox.rows import Rows
from wandb_warehouse.sandbox.store import Sweep

Size = Literal["full", "quick", "tiny"]
"""How much of a scenario: all, a fifth of the runs, or next to nothing, which proves only that it runs."""

ENTITY = "bench"
_CREATED = 1_700_000_000


@dataclass(frozen=True)
class Shape:
    """Runs to serve: how many, how many rows each, values a row (`_timestamp` and `_runtime` among them)."""

    runs: int
    rows: int
    keys: int
    exported: bool = True
    distinct: int = 200
    config: int = 3
    project: str = "runs"
    team: bool = False
    """Runs of sweeps and of groups, and models that come from data sets, as a team's project has them."""

    @property
    def values(self) -> int:
        """History values in all."""
        return self.runs * self.rows * self.keys

    def at(self, size: Size) -> "Shape":
        """The shape at a size."""
        if size == "quick":
            return replace(self, runs=max(self.runs // 5, 1))
        if size == "tiny":
            return replace(self, runs=min(self.runs, 4), rows=min(self.rows, 20))
        return self


def run_name(number: int) -> str:
    """Id of a run by its number, from 0."""
    return f"r{number:06d}"


def main() -> None:
    """Fill a sandbox as the first argument says, serve it at every latency the second lists, until input ends."""
    shape = Shape(**json.loads(sys.argv[1]))
    boxes = [Sandbox(latency=latency) for latency in json.loads(sys.argv[2])]
    for box in boxes:
        box.store, box.shelf = boxes[0].store, boxes[0].shelf
        box.start()
    _fill(boxes[0], shape)
    store = boxes[0].store
    exports = {
        run.name: store.export_paths(run)
        for run in store.projects[ENTITY, shape.project].live_runs
        if run.exports
    }
    told = {
        "key": DEFAULT_KEY,
        "servers": [{"base": box.base_url, "storage": box.storage_url} for box in boxes],
        "exports": exports,
    }
    print(json.dumps(told), flush=True)
    for line in sys.stdin:
        command, arguments = json.loads(line)
        if command == "requests":
            answer = sum(len(box.requests) for box in boxes)
            for box in boxes:
                box.clear_requests()
        else:
            assert command == "log"
            answer = _log(boxes[0], shape, *arguments)
        print(answer, flush=True)
    for box in boxes:
        box.stop()


def _log(box: Sandbox, shape: Shape, runs: list[str], rows: int) -> int:
    """Let some runs go on by as many rows and end again; tells how many values that are."""
    assert shape.distinct == 1, "the lines of other runs are not those of their exports"
    for name in runs:
        run = box.store.projects[ENTITY, shape.project].runs[name]
        lines, run.history = run.history.lines, Rows()  # so far it shared them with other runs
        run.history.write(0, lines)
        columns = _columns(np.random.default_rng(len(lines)), replace(shape, rows=rows))
        more = list(zip(*(columns[key].tolist() for key in columns if key != "_step"), strict=True))
        names = [key for key in columns if key != "_step"]
        box.append_rows(ENTITY, shape.project, name, [dict(zip(names, row, strict=True)) for row in more])
        box.finish(ENTITY, shape.project, name)
    box.advance(3_600)  # a run that ended just now would be looked at once more
    return len(runs) * rows * shape.keys


def _fill(box: Sandbox, shape: Shape) -> None:
    rng = np.random.default_rng(7)
    models = []
    for number in range(min(shape.runs, shape.distinct if shape.exported else 4)):
        columns = _columns(rng, shape)
        names = list(columns)
        # An exported run is never read as lines: one set of them is enough for the index and the counts.
        if shape.rows and (number == 0 or not shape.exported):
            lines = [
                dict(zip(names, row, strict=True))
                for row in zip(*map(np.ndarray.tolist, columns.values()), strict=True)
            ]
        else:
            lines = []
        model = box.add_run("bench", "models", f"m{number:05d}", rows=lines)
        if shape.exported and shape.rows:
            body = _parquet(columns)
            box.store.add_exports(model, [body], shape.rows, replace=True)
        models.append(model)
    for number in range(shape.runs):
        model = models[number % len(models)]
        run = box.add_run(
            ENTITY,
            shape.project,
            run_name(number),
            config={"lr": 10.0 ** -(number % 5), "model": {"layers": number % 7, "name": f"m{number % 7}"}}
            | {f"option_{place}": number + place for place in range(shape.config - 3)},
            summary={"loss": float(rng.random()), "_step": shape.rows - 1, "_runtime": float(shape.rows)},
            created_at=_CREATED + number,
        )
        run.history = models[0].history if shape.exported else model.history
        run.exports, run.exported = model.exports, len(run.history) if model.exports else 0
    if shape.team:
        _work_as_a_team(box, shape)


_SWEEPS, _GROUPS, _MODELS = 4, 5, 4
_SWEPT = """method: random
metric: {name: loss, goal: minimize}
parameters: {lr: {min: 0.0001, max: 1}, option_3: {min: 0, max: 1000}}
"""


def _work_as_a_team(box: Sandbox, shape: Shape) -> None:
    """Let two thirds of the runs be of sweeps, a fifth of groups, and a tenth log a model that a run evaluates."""
    home = box.store.projects[ENTITY, shape.project]
    for number in range(_SWEEPS):
        sweep = Sweep(f"sweep{number}", _SWEPT, _CREATED + number, "FINISHED", display_name=f"Sweep {number}")
        home.sweeps[sweep.name] = sweep
    runs = list(home.runs.values())
    raw = box.add_artifact(ENTITY, shape.project, "raw", "raw", kind="dataset", run_id=runs[0].name)
    clean = [
        box.add_artifact(ENTITY, shape.project, "clean", f"clean {number}", kind="dataset", run_id=run.name)
        for number, run in enumerate(runs[1:4])
    ]
    raw.used_by.extend(runs[1:4])
    for number, run in enumerate(runs):
        if number % 15 < 10:
            run.sweep = f"sweep{number % _SWEEPS}"
        elif number % 15 < 13:
            run.group = f"group {number % _GROUPS}"
        if number % 10 == 3:
            clean[number // 10 % len(clean)].used_by.append(run)
            name = f"model{number // 10 % _MODELS}"
            model = box.add_artifact(ENTITY, shape.project, name, f"{number}", run_id=run.name)
            model.used_by.extend(runs[number + 1 : number + 2])


def _columns(rng: np.random.Generator, shape: Shape) -> dict[str, np.ndarray]:
    steps = np.arange(shape.rows)
    columns: dict[str, np.ndarray] = {"_step": steps}
    if shape.keys:
        columns |= {
            "_timestamp": 1.7e9 + steps * 1.5 + rng.random(shape.rows),
            "_runtime": steps * 1.5 + 0.25,
        }
    for number in range(shape.keys - 2):
        noise = rng.random(shape.rows)
        columns["loss" if number == 0 else f"train/metric_{number}"] = noise / np.sqrt(steps + 1.0)
    return columns


def _parquet(columns: dict[str, np.ndarray]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, use_dictionary=False, compression="snappy", store_schema=False)
    return sink.getvalue()


if __name__ == "__main__":
    main()
