"""A warehouse against one listing of the server: every run's details and counts, without its rows.

What the server says of a run is taken by the digests of its listing and its details. Where they are those that the
last sync noted, everything stored must be what they say. Where they are others, the run moved since, if it shows: by
its state, its heartbeat or its rows. What else differs is a difference: an edit that no sync brought, a table that
somebody changed, a ledger that lies.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from wandb_warehouse.arrow import detail_digest, listing_digest, parse_time, run_tables
from wandb_warehouse.errors import FatalRemoteError
from wandb_warehouse.resources import LAG, TERMINAL_STATES, Detail, Listing, ProjectPath
from wandb_warehouse.sync import Held
from wandb_warehouse.verification.asked import DETAIL_TABLES, Asked
from wandb_warehouse.verification.report import ProjectVerdict, RunVerdict, VerifyReport
from wandb_warehouse.warehouse import EXPECTED_KEYS, Audit, Difference, RunKey, first_difference, in_order

__all__ = ["PlainReading"]

_EXACT = frozenset({"number", "bool", "string"})
"""W&B's types of values of which the index counts as many as can be read."""

_WHOLE = frozenset({"ok", "deleted", None})
"""States in a ledger of runs that are not known to be incomplete."""

_NOTHING = {"values": 0, "keys": 0, "last_step": -1, "stamped": 0}

_SECOND = timedelta(seconds=1)


class PlainReading:
    """Compares projects of a warehouse with the server, batch by batch; fills a report."""

    def __init__(self, audit: Audit, held: Held, report: VerifyReport) -> None:
        self._audit = audit
        self._held = held
        self._report = report
        self._recounted = audit.recounted()

    def begin(
        self, path: ProjectPath, listing: Listing, due: Iterable[str], only: Collection[str] | None = None
    ) -> list[str]:
        """Compare which runs there are; gives the runs whose details are to be compared.

        Args:
            path: the project.
            listing: all its runs.
            due: ids of those that the filters of the last sync chose.
            only: ids of the runs to look at; all where it is None.
        """
        place = (path.entity, path.project)
        stored = {key[2]: row for key, row in self._held.runs.items() if key[:2] == place}
        there = listing.changed
        if only is not None:
            stored = {run_id: row for run_id, row in stored.items() if run_id in only}
            due = [run_id for run_id in due if run_id in only]
        verdict = ProjectVerdict(str(path), runs_at_server=len(there), runs_stored=len(stored))
        self._report.projects.append(verdict)
        self._compare_project(path, listing)
        for run_id, row in stored.items():
            if row["deleted_at"] is not None and run_id in there:
                self._differ("deleted", "runs", (*place, run_id), "is marked as deleted, the server has it")
            elif row["deleted_at"] is not None:
                self._add(RunVerdict(*place, run_id, "deleted", row["source"]))
            elif run_id not in there:
                self._differ("gone", "runs", (*place, run_id), "is stored, the server does not have it")
                self._add(RunVerdict(*place, run_id, "different", row["source"]))
        cursor = self._held.cursors.get(place)
        for run_id in due:
            if run_id in stored:
                continue
            created = parse_time(there[run_id].get("createdAt")) if run_id in there else None
            if cursor is None or created is None or created >= cursor.time - _SECOND:
                self._add(RunVerdict(*place, run_id, "moved"))
            else:
                self._differ("missing", "runs", (*place, run_id), "is not stored, the server has it")
                self._add(RunVerdict(*place, run_id, "different"))
        return [run_id for run_id in stored if run_id in there]

    def compare(self, path: ProjectPath, listing: Listing, details: Sequence[Detail]) -> None:
        """Compare a batch of runs with what the server says of them."""
        verdicts: dict[str, RunVerdict] = {}
        nodes: list[Mapping[str, Any]] = []
        edited: set[str] = set()
        for detail in details:
            key = (path.entity, path.project, detail.run_id)
            row = self._held.runs[key]
            verdict = RunVerdict(*key, source=row["source"])
            self._add(verdict)
            if detail.node is None:
                self._differ("unread", "runs", key, f"its details cannot be read: {detail.error}")
                continue
            node = Asked.of(row).details.of_node(detail.node)
            light = listing.changed[detail.run_id]
            same = (listing_digest(light), _digest(node)) == (row["listing_digest"], row["detail_digest"])
            if not same and _moved(light, row):
                verdict.state = "moved"
                continue
            if row["state"] == "pending":
                verdict.state = "moved"  # its history was left for the next sync
                continue
            if row["state"] not in _WHOLE:
                self._differ("incomplete", "history", key, f"is {row['state']}: {row['error']}")
            verdicts[detail.run_id] = verdict
            nodes.append(node)
            if not same:
                edited.add(detail.run_id)
        for part in _readable(path, listing, nodes, self._differ):
            self._compare_details(part, verdicts, edited)
            self._compare_histories(part["metrics"], nodes, verdicts)

    def _compare_project(self, path: ProjectPath, listing: Listing) -> None:
        stored = self._audit.rows("projects", (path.entity, path.project, ""))
        expected = {
            "entity": path.entity,
            "project": path.project,
            "project_id": str(listing.project.get("internalId") or ""),
            "created_at": parse_time(listing.project.get("createdAt")),
            "read_only": listing.project.get("readOnly"),
        }
        chosen = any(
            row["details_as"]
            for key, row in self._held.runs.items()
            if key[:2] == (path.entity, path.project)
        )
        if stored != [expected] and (stored or not chosen):
            detail = first_difference("projects", stored, [expected])
            self._differ("details", "projects", (path.entity, path.project, ""), detail)

    def _compare_details(
        self, expected: Mapping[str, pa.Table], verdicts: Mapping[str, RunVerdict], edited: set[str]
    ) -> None:
        """Compare the tables of the runs' details by digest, and find where those that differ do so."""
        runs = _runs(expected["runs"])
        stored = {name: self._audit.digests(name, runs) for name in DETAIL_TABLES}
        wanted = {name: self._audit.digests(name, runs, rows) for name, rows in expected.items()}
        for key in runs:
            verdict = verdicts[key[2]]
            tables = Asked.of(self._held.runs[key]).tables
            verdict.expected_digest = _joined(wanted[name].get(key) for name in tables)
            verdict.stored_digest = _joined(stored[name].get(key) for name in tables)
            differing = [name for name in tables if stored[name].get(key) != wanted[name].get(key)]
            for name in differing:
                theirs = in_order(name, _of_run(expected[name], key))
                where = first_difference(name, self._audit.rows(name, key), theirs)
                self._differ("details", name, key, where)
            if key[2] in edited and not differing:
                detail = "the digests it keeps are not those of the server's answer"
                self._differ("wrong_ledger", "run_ledger", key, detail)

    def _compare_histories(
        self, indexed: pa.Table, nodes: Sequence[Mapping[str, Any]], verdicts: Mapping[str, RunVerdict]
    ) -> None:
        """Compare rows, last steps and values by key with what the server counts."""
        counted = {key[2]: key for key in _runs(indexed)}
        lines = {node["name"]: node for node in nodes}
        expected: list[dict[str, Any]] = []
        keys: dict[str, list[tuple[str, str | None, int | None]]] = {run_id: [] for run_id in counted}
        for run_id, key, types, count in zip(
            *(indexed[name].to_pylist() for name in ("run_id", "key", "types", "count")), strict=True
        ):
            keys[run_id].append((key, types, count))
        for run_id, verdict in verdicts.items():
            if run_id not in lines:
                continue
            node, row = lines[run_id], self._held.runs[verdict.key]
            selection = Asked.of(row).history
            found = self._recounted.get(verdict.key, _NOTHING)
            if selection is None:
                if found["values"]:
                    detail = "its ledger says that no history was read, and there is one"
                    self._differ("wrong_ledger", "run_ledger", verdict.key, detail)
                continue
            verdict.expected_rows = node.get("historyLineCount")
            verdict.stored_rows, verdict.values = row["stored_rows"], found["values"]
            verdict.stored_keys, verdict.stored_last_step = found["keys"], found["last_step"]
            kept = [entry for entry in keys.get(run_id, ()) if selection.keeps(entry[0])]
            verdict.expected_keys = len(kept)
            stamps = [count for key, _, count in kept if key == "_timestamp"]
            whole = verdict.expected_rows is not None and stamps == [verdict.expected_rows]
            if whole:  # every row has a timestamp, so that the rows can be counted in the table
                verdict.stored_rows = found["stamped"]
                verdict.expected_last_step = _last_step(node)
            if row["state"] not in _WHOLE:
                continue
            self._compare_rows(verdict, row)
            expected += [
                {**_names(verdict), "key": key, "count": count if selection.keeps(key) else 0}
                for key, types, count in keys.get(run_id, ())
                if count is not None and (not selection.keeps(key) or _is_exact(types))
            ]
        self._report.add(self._audit.wrong_keys(pa.Table.from_pylist(expected, EXPECTED_KEYS)))

    def _compare_rows(self, verdict: RunVerdict, row: Mapping[str, Any]) -> None:
        for what, expected, stored in (
            ("rows", verdict.expected_rows, verdict.stored_rows),
            ("rows in its ledger", verdict.expected_rows, row["stored_rows"]),
            ("as its last step", verdict.expected_last_step, verdict.stored_last_step),
        ):
            if expected is not None and expected != stored:
                detail = f"{stored} {what}, the server counts {expected}"
                self._differ("rows", "history", verdict.key, detail)

    def _differ(self, check: str, table: str, key: RunKey, detail: str) -> None:
        self._report.add([Difference(check, table, *key, detail)])

    def _add(self, verdict: RunVerdict) -> None:
        self._report.runs.append(verdict)


def _moved(light: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Tell whether a run whose digests are others now has moved since it was synced."""
    heartbeat = parse_time(light.get("heartbeatAt"))
    # Late rows and a late summary may come within the lag: the next sync looks once more.
    settled = heartbeat is None or (row["synced_at"] is not None and row["synced_at"] >= heartbeat + LAG)
    return (
        light.get("state") not in TERMINAL_STATES
        or light.get("state") != row["run_state"]
        or heartbeat != row["heartbeat_at"]
        or light.get("historyLineCount") != row["expected_rows"]
        or not settled
    )


def _readable(
    path: ProjectPath, listing: Listing, nodes: Sequence[Mapping[str, Any]], differ: Any
) -> Iterable[dict[str, pa.Table]]:
    """Tables of the nodes; a node that cannot be read is named, the others are compared."""
    project_id = str(listing.project.get("internalId") or "")
    if not nodes:
        return
    try:
        yield run_tables(path.entity, path.project, project_id, nodes)
    except FatalRemoteError as error:
        if len(nodes) == 1:
            key = (path.entity, path.project, str(nodes[0]["name"]))
            differ("unread", "runs", key, error.what)
            return
        middle = len(nodes) // 2
        for half in (nodes[:middle], nodes[middle:]):
            yield from _readable(path, listing, half, differ)


def _digest(node: Mapping[str, Any]) -> str | None:
    try:
        return detail_digest(node)
    except FatalRemoteError:
        return None  # its documents are no JSON: `_readable` names it


def _is_exact(types: str | None) -> bool:
    return types is not None and set(types.strip("[]").replace('"', "").replace(" ", "").split(",")) <= _EXACT


def _last_step(node: Mapping[str, Any]) -> int | None:
    keys = node.get("historyKeys")
    return int(keys.get("lastStep", -1)) if isinstance(keys, Mapping) else None


def _runs(table: pa.Table) -> list[RunKey]:
    return list(zip(*(table[name].to_pylist() for name in ("entity", "project", "run_id")), strict=True))


def _of_run(table: pa.Table, key: RunKey) -> pa.Table:
    return table.filter(pc.equal(table["run_id"], key[2]))


def _names(verdict: RunVerdict) -> dict[str, str]:
    return {"entity": verdict.entity, "project": verdict.project, "run_id": verdict.run_id}


def _joined(digests: Iterable[tuple[int, int, int] | None]) -> str:
    return hashlib.sha256(repr(list(digests)).encode()).hexdigest()
