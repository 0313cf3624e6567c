"""Tables that runs logged, in a sync: each file once, what fails named and tried again, nothing of a file trusted."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support import options, query
from wandb_warehouse.arrow import Selection
from wandb_warehouse.errors import PartialError
from wandb_warehouse.resources import drafts
from wandb_warehouse.sandbox import Fault, Sandbox
from wandb_warehouse.sandbox.tables import log_table
from wandb_warehouse.sync import SyncReport, sync
from wandb_warehouse.warehouse import content_digest

TABLES = frozenset({"logged_tables", "logged_table_cells"})
ASKS = {"LoggedTables", "SampledHistories", "ArtifactIds", "ArtifactFiles", "ArtifactListing"}
CANARY = "canary-0815"


@pytest.fixture
def box(box: Sandbox) -> Sandbox:
    """Three runs; the first logs two tables, the second one twice under one key, the third none."""
    for number in range(3):
        box.add_run("e", "p", f"r{number}", rows=[{"loss": number}], heartbeat_at="2026-01-01")
    log_table(box, "e/p/r0", "val/cases", ["id", "guess"], [[1, "cat"], [2, None]])
    log_table(box, "e/p/r0", "scores", ["s"], [[0.5], [float("nan")], [2**60 + 1], [None]])
    log_table(box, "e/p/r1", "val/cases", ["id", "guess"], [[7, "old"]])
    log_table(box, "e/p/r1", "val/cases", ["id", "guess"], [[8, "new"], [9, CANARY]])
    return box


def load(box: Sandbox, warehouse: Path, **more: Any) -> SyncReport:
    """Sync with the tables."""
    return sync(options(box, warehouse, **({"opt_in": TABLES} | more)))


def shown(warehouse: Path) -> list[tuple[Any, ...]]:
    """Each table with its run, key, rows, columns and state."""
    return query(
        warehouse,
        "SELECT run_id, key, row_count, column_count, state FROM logged_tables ORDER BY run_id, key, step",
    )


def cells(warehouse: Path, where: str = "true") -> list[tuple[Any, ...]]:
    """Cells: run, row, column and value, as W&B's JSON."""
    return query(
        warehouse,
        "SELECT run_id, row_index, column_name, type, value, value_json FROM logged_table_cells "
        f"WHERE {where} ORDER BY run_id, key, path, row_index, column_index",
    )


def asked(box: Sandbox) -> Counter[str]:
    """Requests for tables since last time; a download counts as `download`."""
    counts = Counter(
        request.operation or "download"
        for request in box.requests
        if request.operation in ASKS or not request.operation
    )
    box.clear_requests()
    return counts


EVERY = [
    ("r0", "scores", 4, 1, "ok"),
    ("r0", "val/cases", 2, 2, "ok"),
    ("r1", "val/cases", 1, 2, "ok"),
    ("r1", "val/cases", 2, 2, "ok"),
]


def test_tables_are_loaded_when_asked_for(box: Sandbox, warehouse: Path) -> None:
    """Without the option nothing is asked; with it every table is there once, and nothing is asked a second time."""
    sync(options(box, warehouse))
    assert not asked(box)
    assert load(box, warehouse).quarantined == {}
    # Three runs a request, their keys a request, four artifacts by client id, four files, two with nulls read twice.
    assert asked(box) == {
        "LoggedTables": 1, "SampledHistories": 1, "ArtifactIds": 1, "ArtifactFiles": 1, "download": 4 + 2
    }  # fmt: skip
    assert shown(warehouse) == EVERY
    scores = [(row[3:5] if row[5] is None else row[3:6:2]) for row in cells(warehouse, "key = 'scores'")]
    assert str(scores) == str(
        [("number", 0.5), ("number", float("nan")), ("number", str(2**60 + 1)), ("null", None)]
    )
    assert load(box, warehouse).generation is None
    assert not asked(box)
    content = warehouse.read_bytes()
    assert box.storage_url.encode() not in content
    assert b"Signature" not in content


def test_loaded_twice_nothing_changes(box: Sandbox, warehouse: Path) -> None:
    """A full refresh reads every file again and leaves the same content."""
    load(box, warehouse)
    digest = content_digest(warehouse)
    box.clear_requests()
    assert load(box, warehouse, full_refresh=True).quarantined == {}
    assert asked(box)["download"] == 6
    assert content_digest(warehouse) == digest


def test_what_is_held_is_not_downloaded_again(box: Sandbox, warehouse: Path) -> None:
    """A run that moves is looked through; only its new tables are downloaded, and what it took back is dropped."""
    load(box, warehouse)
    log_table(box, "e/p/r1", "more", ["x"], [["y"]])
    box.clear_requests()
    assert load(box, warehouse).quarantined == {}
    assert asked(box) == dict.fromkeys([*sorted(ASKS - {"ArtifactListing"}), "download"], 1)
    assert shown(warehouse) == sorted([*EVERY, ("r1", "more", 1, 1, "ok")])
    box.rewind("e", "p", "r1", 1)
    box.edit("e", "p", "r1", summary={"val/cases": 0, "more": 0})
    load(box, warehouse)
    assert not asked(box)["download"]
    assert shown(warehouse) == EVERY[:3]
    assert len(cells(warehouse)) == 4 + 4 + 2


def test_a_table_of_the_summary_alone_and_a_cut_one(box: Sandbox, warehouse: Path) -> None:
    """The former has no step; where the writer stored fewer rows than it logged, it says so: that is no failure."""
    log_table(box, "e/p/r1", "long", ["x"], [[1], [2]], nrows=250_000)
    log_table(box, "e/p/r2", "final", ["x"], [[1]], in_summary=True)
    assert load(box, warehouse).quarantined == {}
    assert query(warehouse, "SELECT key, step, last_step FROM logged_tables WHERE run_id = 'r2'") == [
        ("final", None, None)
    ]
    assert query(warehouse, "SELECT row_count, state, error FROM logged_tables WHERE key = 'long'") == [
        (2, "cut", "it holds 2 of 250000 rows")
    ]


def test_chosen_and_excluded_keys(box: Sandbox, warehouse: Path) -> None:
    """Tables under keys that are not chosen, or excluded, are neither asked for nor held; without, they come."""
    load(box, warehouse, selection=Selection(keys=("scores",)))
    assert asked(box)["download"] == 2
    assert shown(warehouse) == EVERY[:1]
    load(box, warehouse)
    assert asked(box)["download"] == 4
    assert shown(warehouse) == EVERY
    assert CANARY in str(cells(warehouse))
    load(box, warehouse, selection=Selection(exclude=("val/*",)))
    assert not asked(box)["download"]
    assert shown(warehouse) == EVERY[:1]
    assert {row[0] for row in cells(warehouse)} == {"r0"}
    fresh = warehouse.with_name("fresh.duckdb")
    load(box, fresh, selection=Selection(exclude=("val/cases",)))
    assert CANARY.encode() not in fresh.read_bytes()


def test_named_as_resources(box: Sandbox, warehouse: Path) -> None:
    """Either table brings the other; no other table is asked for."""
    load(box, warehouse, opt_in=frozenset(), resources=("logged_tables",))
    assert shown(warehouse) == EVERY
    assert len(cells(warehouse)) == 4 + 4 + 2 + 4
    assert query(warehouse, "SELECT count(*) FROM history") == [(0,)]


def _damage(box: Sandbox, body: bytes, *, run: str = "r0", announced: bool = True) -> None:
    """Replace the contents of a run's table `val/cases`; the server announces what they are, or the old ones."""
    for artifact in box.shelf.artifacts.values():
        if artifact.creator is None or artifact.creator.name != run or "val" not in artifact.collection.name:
            continue
        for name, entry in artifact.entries.items():
            content = box.shelf.content(artifact, entry["digest"])
            assert content is not None
            path = box.store.blobs.put(name, body)
            if announced:
                content.body = body
            content.path = path


BAD = {
    "cut": (b'{"columns":["id","guess"],"data":[[1,"cat"],[2', "no JSON, or was cut"),
    "no JSON": (b"<html>", "no JSON"),
    "ragged": (b'{"columns":["id","guess"],"data":[[1,"cat"],[2]]}', "row 1 has 1 cells for 2 columns"),
    "counts": (b'{"columns":["id","guess"],"data":[[1,"a"]],"nrows":9}', "says that it has 9"),
    "shape": (b'{"data":[[1,2]]}', "no list of names"),
    "large": (b'{"columns":["id"],"data":[["' + b"x" * 3000 + b'"]]}', "more than the 2,000 allowed"),
}


def test_a_bad_file_costs_itself_alone(box: Sandbox, warehouse: Path) -> None:
    """Each is named with its key and reason, in the report and in its row; every other table lands."""
    for number, (case, (body, _reason)) in enumerate(BAD.items()):
        box.add_run("e", "p", case, rows=[{"loss": number}], heartbeat_at="2026-01-01")
        log_table(box, f"e/p/{case}", "val/cases", ["id", "guess"], [[number, case], [2, None]])
        log_table(box, f"e/p/{case}", "whole", ["s"], [[number], [case]])
        _damage(box, body, run=case)
    report = load(box, warehouse, max_table_bytes=2000, history="none")
    assert report.quarantined.keys() == {f"e/p/{case}" for case in BAD}
    told = dict(query(warehouse, "SELECT run_id, error FROM logged_tables WHERE state = 'failed'"))
    for case, (_body, reason) in BAD.items():
        assert report.quarantined[f"e/p/{case}"].startswith(
            "logged_tables: val/cases (media/table/val/cases_1_"
        )
        assert reason in report.quarantined[f"e/p/{case}"]
        assert reason in told[case]
    failed = [(case, "val/cases", None, None, "failed") for case in BAD]
    assert shown(warehouse) == sorted([*EVERY, *failed, *((case, "whole", 2, 1, "ok") for case in BAD)])
    assert len(cells(warehouse)) == 4 + 4 + 2 + 4 + 2 * len(BAD)
    with pytest.raises(PartialError):
        report.raise_if_partial()


def test_a_bad_file_is_tried_again(box: Sandbox, warehouse: Path) -> None:
    """While it stays bad it is named in every sync; once it is right its cells come, and nothing else is read again."""
    contents = [
        content
        for artifact in box.shelf.artifacts.values()
        for entry in artifact.entries.values()
        if (content := box.shelf.content(artifact, entry["digest"]))
    ]
    right = [(content, content.body, content.path) for content in contents]
    _damage(box, b"<html>")
    for _ in range(2):
        assert list(load(box, warehouse).quarantined) == ["e/p/r0"]
    for content, body, path in right:
        content.body, content.path = body, path
    box.clear_requests()
    assert load(box, warehouse).quarantined == {}
    assert asked(box)["download"] == 2
    assert shown(warehouse) == EVERY
    assert load(box, warehouse).generation is None


def test_another_file_than_announced(box: Sandbox, warehouse: Path) -> None:
    """Contents with another size or digest than the server announces are not taken."""
    _damage(box, b'{"columns":["id","guess"],"data":[[1,"dog"]]}', announced=False)
    assert "bytes in place of" in load(box, warehouse).quarantined["e/p/r0"]
    box.advance(1)
    before = next(a for a in box.shelf.artifacts.values() if a.creator and "val" in a.collection.name)
    same_size = json.dumps(json.loads(_body(box, before)), sort_keys=True).replace("cat", "dog").encode()
    _damage(box, same_size, announced=False)
    assert "another MD5" in load(box, warehouse).quarantined["e/p/r0"]


def _body(box: Sandbox, artifact: Any) -> bytes:
    (entry,) = artifact.entries.values()
    content = box.shelf.content(artifact, entry["digest"])
    assert content is not None
    return content.body


def _forget_artifacts(box: Sandbox) -> None:
    """Delete every artifact, as a user or its time to live does."""
    box.shelf.artifacts.clear()
    box.shelf.collections.clear()


def test_without_its_artifact_the_runs_file_is_read(box: Sandbox, warehouse: Path) -> None:
    """It has the same cells but no types; without either the table is named, and comes when it is there."""
    whole = warehouse.with_name("whole.duckdb")
    load(box, whole)
    box.finish("e", "p", "r0")
    box.finish("e", "p", "r1")
    _forget_artifacts(box)
    files = box.store.projects["e", "p"].runs["r0"].files
    held = dict(files)
    files.clear()
    report = load(box, warehouse)
    assert list(report.quarantined) == ["e/p/r0"]
    assert "not there (any more)" in report.quarantined["e/p/r0"]
    files |= held
    assert load(box, warehouse).quarantined == {}
    assert str(cells(warehouse)) == str(cells(whole))
    assert query(warehouse, "SELECT DISTINCT source FROM logged_tables") == [("file",)]


def test_a_running_run_waits_for_its_files(box: Sandbox, warehouse: Path) -> None:
    """What a running run logged just now may not be uploaded yet: it is no failure, and comes with a later sync."""
    box.append_rows("e", "p", "r0", [{"loss": 1}])
    artifacts = dict(box.shelf.artifacts)
    box.shelf.artifacts.clear()
    report = load(box, warehouse)
    assert report.quarantined == {}
    assert shown(warehouse) == EVERY[2:]  # of runs that ended the run's own file is read
    box.shelf.artifacts |= artifacts
    load(box, warehouse)
    assert shown(warehouse) == EVERY


OUTSIDE = ("../../../../etc/passwd", "/etc/passwd", "a/../../x", "media//t.json", "C:/x", "a\\b", "a\0b", ".")


def test_paths_are_not_trusted(box: Sandbox, warehouse: Path) -> None:
    """A path that leads out of the run's files is not asked for and not opened; it is named."""
    box.append_rows(
        "e",
        "p",
        "r2",
        [{f"evil{n}": {"_type": "table-file", "path": path} for n, path in enumerate(OUTSIDE)}],
    )
    box.finish("e", "p", "r2")
    report = load(box, warehouse)
    assert "leads out of the files of the run" in report.quarantined["e/p/r2"]
    asked_for = [request.path for request in box.requests if request.path.startswith("/files/")]
    assert all(
        path.startswith(("/files/e/p/r0/media/table/", "/files/e/p/r1/media/table/")) for path in asked_for
    )
    told = query(warehouse, "SELECT path, error FROM logged_tables WHERE run_id = 'r2' ORDER BY key")
    assert [path for path, _ in told] == list(OUTSIDE)
    assert all("leads out of the files of the run" in error for _, error in told)
    assert shown(warehouse)[:4] == EVERY


def test_many_cells_go_through_a_file(box: Sandbox, warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More cells than are kept in memory arrive all the same, in their places; nothing is left on the disk."""
    monkeypatch.setattr(drafts, "_IN_MEMORY", 1000)
    data = [[n, f"text {n}", n / 7] for n in range(30_000)]
    log_table(box, "e/p/r2", "big", ["n", "t", "x"], data)
    load(box, warehouse)
    assert [row[1] for row in shown(warehouse)][-1] == "big"
    assert query(
        warehouse,
        "SELECT column_name, count(*), count(DISTINCT row_index), sum(value) FROM logged_table_cells "
        "WHERE key = 'big' GROUP BY 1 ORDER BY 1",
    ) == [
        ("n", 30_000, 30_000, float(sum(range(30_000)))),
        ("t", 30_000, 30_000, None),
        ("x", 30_000, 30_000, pytest.approx(sum(range(30_000)) / 7)),
    ]
    assert {path.name for path in warehouse.parent.iterdir()} == {warehouse.name, f"{warehouse.name}.lock"}


def test_addresses_that_expire_are_asked_for_again(box: Sandbox, warehouse: Path) -> None:
    """A signed address that is refused once is asked for anew."""
    box.inject(Fault("status", "/storage/", times=1, value=403))
    assert load(box, warehouse).quarantined == {}
    assert shown(warehouse) == EVERY


def test_without_time_every_sync_gets_a_table_further(box: Sandbox, warehouse: Path) -> None:
    """No table is read twice and none is forgotten, however short the time."""
    whole = warehouse.with_name("whole.duckdb")
    load(box, whole)
    box.clear_requests()
    only = {"opt_in": frozenset(), "resources": ("logged_tables",)}
    report = load(box, warehouse, max_minutes=1e-9, **only)
    rounds = 1
    while report.tables_left:
        assert not report.quarantined
        report = load(box, warehouse, max_minutes=1e-9, **only)
        rounds += 1
        assert rounds < 20
    assert rounds > 2
    assert asked(box)["download"] == 6
    assert str(cells(warehouse)) == str(cells(whole))


def test_projects_are_kept_apart(box: Sandbox, warehouse: Path) -> None:
    """The same run id and key in two projects are two tables."""
    box.add_run("e", "q", "r0", rows=[{"loss": 1}])
    log_table(box, "e/q/r0", "scores", ["s"], [[1], [2]])
    both = options(box, warehouse, "e/p", "e/q", opt_in=TABLES)
    sync(both)
    found = "SELECT project, row_count FROM logged_tables WHERE key = 'scores' ORDER BY 1"
    assert query(warehouse, found) == [("p", 4), ("q", 2)]
    assert not sync(replace(both)).published
