"""What finds what: a warehouse tampered with in many ways, each run in its own, against `docs/reliability.md`."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from support import connection, options, training
from wandb_warehouse.sandbox import Sandbox
from wandb_warehouse.sandbox.tables import log_table
from wandb_warehouse.sync import sync
from wandb_warehouse.verification import VerifyOptions, VerifyReport, verify
from wandb_warehouse.warehouse import content_digest, examine

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
HOUR = 3600.0
NUMBER = "(SELECT run_number FROM run_numbers WHERE run_id = '{run}')"
LOSS = "(SELECT key_number FROM key_numbers WHERE key = 'loss')"


@dataclass(frozen=True)
class Tampering:
    """One way to tamper, in SQL over a file, and who finds it."""

    name: str
    """As the document says it."""
    sql: str
    doctor: bool
    verify: bool
    deep: bool = True
    run: bool = True
    """Whether it is of a run; of the project otherwise."""

    @property
    def run_id(self) -> str:
        """The run it is done to."""
        return re.sub(r"\W+", "-", self.name)

    @property
    def place(self) -> tuple[str, str, str]:
        """The run or project that must be named."""
        return ("e", "p", self.run_id if self.run else "")

    @property
    def script(self) -> str:
        """The SQL for its run."""
        return self.sql.format(run=self.run_id, number=NUMBER.format(run=self.run_id), loss=LOSS)


_VALUES = "history_values WHERE run_number = {number}"
TAMPERINGS = (
    Tampering("a row deleted", f"DELETE FROM {_VALUES} AND step = 6", doctor=True, verify=True),
    Tampering(
        "a row doubled", f"INSERT INTO history_values FROM {_VALUES} AND step = 6", doctor=True, verify=True
    ),
    Tampering(
        "a value changed by one ulp",
        "UPDATE history_values SET value = nextafter(value, 9e9) "
        "WHERE run_number = {number} AND key_number = {loss} AND step = 12",
        doctor=False, verify=False,
    ),
    Tampering(
        "a NaN turned null",
        "UPDATE history_values SET value = NULL WHERE run_number = {number} AND isnan(value)",
        doctor=False, verify=False,
    ),
    Tampering(
        "a step shifted",
        "UPDATE history_values SET step = step + 1 WHERE run_number = {number} AND step = 8",
        doctor=False, verify=False,
    ),
    Tampering(
        "a key renamed",
        "INSERT INTO key_numbers VALUES (1000, 'lost'); "
        "UPDATE history_values SET key_number = 1000 WHERE run_number = {number} AND key_number = {loss}",
        doctor=True, verify=True,
    ),
    Tampering(
        "the history of another run swapped in",
        f"DELETE FROM {_VALUES}; "
        "INSERT INTO history_values SELECT * REPLACE ({number} AS run_number) FROM history_values "
        "WHERE run_number = (SELECT run_number FROM run_numbers WHERE run_id = 'untouched')",
        doctor=True, verify=True,
    ),
    Tampering(
        "a row deleted, ledger and sums made to fit",
        f"DELETE FROM {_VALUES} AND step = 6; "
        "UPDATE run_ledger SET stored_rows = stored_rows - 1, stored_values = "
        f"(SELECT count(*) FROM {_VALUES}) WHERE run_id = '{{run}}'; "
        f"UPDATE metrics SET stored_count = (SELECT count(*) FROM {_VALUES} AND key_number = "
        "(SELECT key_number FROM key_numbers WHERE key_numbers.key = metrics.key)) WHERE run_id = '{run}'",
        doctor=False, verify=True,
    ),
    Tampering(
        "config JSON edited", "UPDATE runs SET config = '{{\"lr\": 9}}' WHERE run_id = '{run}'",
        doctor=False, verify=True,
    ),
    Tampering(
        "a summary value changed by one ulp",
        "UPDATE run_summary SET value = nextafter(value, 9e9) WHERE run_id = '{run}' AND key = '_runtime'",
        doctor=False, verify=True,
    ),
    Tampering(
        "a tag dropped", "DELETE FROM run_tags WHERE run_id = '{run}' AND tag = 'b'", doctor=False, verify=True
    ),
    Tampering(
        "a run missing",
        "".join(
            f"DELETE FROM {table} WHERE run_id = '{{run}}'; "
            for table in (
                "runs", "run_config", "run_summary", "run_tags", "metrics", "run_ledger", "system_metrics",
                "run_artifacts", "files", "run_metadata",
            )
        )
        + f"DELETE FROM {_VALUES}",
        doctor=False, verify=True,
    ),
    Tampering(
        "a ghost run", "INSERT INTO runs SELECT * REPLACE ('{run}' AS run_id) FROM runs WHERE run_id = 'untouched'",
        doctor=True, verify=True,
    ),
    Tampering(
        "rows of a run that is not there", "INSERT INTO run_tags VALUES ('e', 'p', '{run}', 'x', 0)",
        doctor=True, verify=True,
    ),
    Tampering(
        "a ledger that lies of values",
        "UPDATE run_ledger SET stored_values = stored_values + 1 WHERE run_id = '{run}'", doctor=True, verify=True,
    ),
    Tampering(
        "a ledger that lies of rows", "UPDATE run_ledger SET stored_rows = 19 WHERE run_id = '{run}'",
        doctor=False, verify=True,
    ),
    Tampering(
        "a ledger that lies of a digest", "UPDATE run_ledger SET detail_digest = 'x' WHERE run_id = '{run}'",
        doctor=False, verify=True,
    ),
    Tampering(
        "a maximum in metrics changed",
        "UPDATE metrics SET max_value = 7 WHERE run_id = '{run}' AND key = 'loss'", doctor=True, verify=True,
    ),
    Tampering(
        "a run marked as deleted that is there", "UPDATE runs SET deleted_at = now() WHERE run_id = '{run}'",
        doctor=False, verify=True,
    ),
    Tampering(
        "a sample of system metrics changed",
        "UPDATE system_metrics SET value = value + 1 WHERE run_id = '{run}' AND seq = 0", doctor=False, verify=False,
    ),
    Tampering(
        "an artifact's edge dropped", "DELETE FROM run_artifacts WHERE run_id = '{run}'", doctor=False, verify=False
    ),
    Tampering(
        "an alias moved",
        "UPDATE artifact_aliases SET artifact_id = (SELECT max(artifact_id) FROM artifacts) "
        "WHERE collection = (SELECT min(collection) FROM artifact_aliases)",
        doctor=False, verify=False, run=False,
    ),
)  # fmt: skip

NOT_MENDED = {"a ghost run"}
"""What fetching cannot mend: the server has nothing to fetch, and nothing is deleted on doubt."""


def fill(box: Sandbox) -> None:
    """A run for each tampering and one besides, all of one shape, finished an hour ago."""
    names = [each.run_id for each in TAMPERINGS if each.run] + ["untouched"]
    for number, run_id in enumerate(names):
        if run_id in {"a-ghost-run", "rows-of-a-run-that-is-not-there"}:
            continue
        events = [{"_timestamp": 1e9 + n, "_runtime": n, "system.cpu": n} for n in range(2)]
        rows = training(20, seed=number, stride=2)
        box.add_run("e", "p", run_id, rows=rows, config={"lr": number}, tags=["a", "b"], events=events)
        if run_id in {"an-artifact-s-edge-dropped", "untouched"}:
            log_table(box, f"e/p/{run_id}", "t", ["x"], [[1], [2]])
    box.advance(HOUR)


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    """A project, not to be changed."""
    with Sandbox() as running:
        fill(running)
        yield running


@pytest.fixture(scope="module")
def synced(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project in a DuckDB file, not to be changed."""
    warehouse = tmp_path_factory.mktemp("synced") / "wandb.duckdb"
    sync(options(box, warehouse, opt_in=frozenset({"logged_tables", "logged_table_cells"})))
    return warehouse


@pytest.fixture
def tampered(synced: Path, tmp_path: Path) -> Path:
    """A copy with every tampering done to it."""
    warehouse = Path(shutil.copy(synced, tmp_path / "wandb.duckdb"))
    with duckdb.connect(str(warehouse)) as writer:
        for each in TAMPERINGS:
            before = [writer.execute(f'FROM "{table}"').fetchall() for (table,) in _tables(writer)]
            writer.execute(each.script)
            after = [writer.execute(f'FROM "{table}"').fetchall() for (table,) in _tables(writer)]
            assert repr(before) != repr(after), f"{each.name} changed nothing"
    return warehouse


def _tables(writer: duckdb.DuckDBPyConnection) -> list[tuple[str]]:
    return writer.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()


def ask(box: Sandbox, warehouse: Path, *, deep: bool = False, repair: bool = False) -> VerifyReport:
    """Verify a warehouse against the box."""
    return verify(VerifyOptions(connection(box), warehouse, deep=deep, repair=repair))


def test_an_untouched_warehouse_has_no_difference(box: Sandbox, synced: Path) -> None:
    """Doctor, verify and verify --deep find nothing, and change nothing."""
    before = _identity(synced)
    assert examine(synced).findings == []
    for deep in (False, True):
        report = ask(box, synced, deep=deep)
        assert report.differences == []
        (project,) = report.projects
        assert project.runs_equal == project.runs_at_server == project.runs_stored == len(report.runs) > 15
        assert {run.expected_digest == run.stored_digest for run in report.runs} == {True}
        assert (project.rows, project.values) == (
            sum(r.expected_rows or 0 for r in report.runs),
            _values(synced),
        )
    assert _identity(synced) == before
    assert [path.name for path in synced.parent.iterdir()] == ["wandb.duckdb.lock", synced.name][::-1]


def _identity(path: Path) -> tuple[int, int, int, int]:
    found = path.stat()  # but for when it was last read
    return found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode


def _values(warehouse: Path) -> int:
    with duckdb.connect(str(warehouse), read_only=True) as reader:
        return int(reader.execute("SELECT count(*) FROM history").fetchall()[0][0])


def test_who_finds_what(box: Sandbox, tampered: Path) -> None:
    """Doctor, verify and verify --deep name exactly the runs that the document says they find; the rest is equal."""
    found = {
        "doctor": {(d.entity, d.project, d.run_id) for d in examine(tampered).findings},
        "verify": ask(box, tampered).differing(),
        "verify --deep": ask(box, tampered, deep=True).differing(),
    }
    wanted = {
        "doctor": {each.place for each in TAMPERINGS if each.doctor},
        "verify": {each.place for each in TAMPERINGS if each.verify},
        "verify --deep": {each.place for each in TAMPERINGS if each.deep},
    }
    assert found == wanted


def test_the_document_says_so() -> None:
    """The table of docs/reliability.md has each tampering with who finds it, and no other."""
    rows = re.findall(
        r"^\| (.+?) \| (yes|no) \| (yes|no) \| (yes|no) \|$", DOCUMENT.read_text(), re.MULTILINE
    )
    assert rows == [
        (each.name, *("yes" if finds else "no" for finds in (each.doctor, each.verify, each.deep)))
        for each in TAMPERINGS
    ]


@pytest.mark.slow
def test_repair_makes_it_equal(box: Sandbox, synced: Path, tampered: Path) -> None:
    """Every difference is fetched anew and gone, but for what the server does not have; nothing else is fetched."""
    whole = content_digest(synced)
    report = ask(box, tampered, deep=True, repair=True)
    mended = {each.place for each in TAMPERINGS if each.name not in NOT_MENDED}
    assert set(report.repaired) == {"/".join(part for part in place if part) for place in mended}
    assert report.differing() == {each.place for each in TAMPERINGS if each.name in NOT_MENDED}
    with duckdb.connect(str(tampered)) as writer:
        writer.execute("DELETE FROM runs WHERE run_id = 'a-ghost-run'")
    differing = {name for name, digest in content_digest(tampered).items() if digest != whole[name]}
    assert differing == set()
    assert examine(tampered).findings == []
