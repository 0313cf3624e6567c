"""Numbers for runs and metrics, which stand for their texts in millions of stored values."""

from collections.abc import Mapping

import pyarrow as pa

from wandb_warehouse.arrow.history import RunRef
from wandb_warehouse.schema import NUMBER_TABLES

__all__ = ["Numbers"]


class Numbers:
    """The numbers of one warehouse: those it has, and new ones, counting on, for what it lacks.

    >>> numbers = Numbers({RunRef("team", "project", "r1"): 4}, {"loss": 0})
    >>> numbers.run(RunRef("team", "project", "r2")), numbers.key("loss"), numbers.key("acc")
    (5, 0, 1)
    >>> numbers.new()["key_numbers"].to_pylist()
    [{'key_number': 1, 'key': 'acc'}]
    """

    def __init__(
        self, runs: Mapping[RunRef, int] | None = None, keys: Mapping[str, int] | None = None
    ) -> None:
        self._runs = dict(runs or {})
        self._keys = dict(keys or {})
        self._new_runs: list[tuple[int, RunRef]] = []
        self._new_keys: list[tuple[int, str]] = []
        self._next_run = max(self._runs.values(), default=-1) + 1
        self._next_key = max(self._keys.values(), default=-1) + 1

    def run(self, run: RunRef) -> int:
        """Give the number of a run."""
        number = self._runs.get(run)
        if number is None:
            number = self._runs[run] = self._next_run
            self._new_runs.append((number, run))
            self._next_run += 1
        return number

    def key(self, key: str) -> int:
        """Give the number of a metric."""
        number = self._keys.get(key)
        if number is None:
            number = self._keys[key] = self._next_key
            self._new_keys.append((number, key))
            self._next_key += 1
        return number

    def rename(self, old: tuple[str, str], new: tuple[str, str]) -> None:
        """Give the runs of a project (entity, name) their numbers under a new name, which the warehouse takes over."""
        self._runs = {
            RunRef(*new, run.run_id) if (run.entity, run.project) == old else run: number
            for run, number in self._runs.items()
        }

    def new(self) -> dict[str, pa.Table]:
        """Give what the warehouse lacks, as rows of `run_numbers` and `key_numbers`."""
        rows = {
            "run_numbers": [
                {"run_number": number, "entity": run.entity, "project": run.project, "run_id": run.run_id}
                for number, run in self._new_runs
            ],
            "key_numbers": [{"key_number": number, "key": key} for number, key in self._new_keys],
        }
        return {
            name: pa.Table.from_pylist(found, schema=NUMBER_TABLES[name].arrow)
            for name, found in rows.items()
        }
