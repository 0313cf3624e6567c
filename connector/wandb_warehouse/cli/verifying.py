"""Commands that prove a warehouse: verify against the server, doctor by itself."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wandb_warehouse.cli.options import destination_option, warehouse_option
from wandb_warehouse.cli.render import console, write_json, write_table
from wandb_warehouse.settings import resolve_connection

if TYPE_CHECKING:
    from wandb_warehouse.verification import VerifyReport
    from wandb_warehouse.warehouse import Difference, Examination

__all__ = ["doctor", "verify"]

_SHOWN = 50


@click.command(
    short_help="Prove that the warehouse equals the server.",
    epilog="Example: wandb-warehouse verify my-team/my-project --deep",
)
@click.argument("projects", nargs=-1, metavar="[ENTITY/PROJECT | ENTITY/GLOB | ENTITY]...")
@destination_option
@warehouse_option
@click.option("--deep", is_flag=True, help="Fetch everything again and compare every value of every table.")
@click.option("--repair", is_flag=True, help="Fetch what differs anew, publish it, and verify it again.")
@click.option("--workers", type=click.IntRange(1, 64), help="Requests at a time.")
@click.option("--json", "as_json", is_flag=True, help="Write the report as JSON.")
def verify(
    projects: tuple[str, ...],
    warehouse: Path | str,
    *,
    destination: str | None,
    deep: bool,
    repair: bool,
    workers: int | None,
    as_json: bool,
) -> None:
    """Compare what the warehouse holds with what the server has, run by run; without arguments all it holds.

    Rows, steps and values are counted in the tables, not taken from the ledger; config, summary, tags and metadata are
    compared by digest. Runs that moved since the last sync are counted apart: they are no difference. Nothing is
    written without --repair. Exit code 6 where something differs.
    """
    from wandb_warehouse.resources import parse_projects
    from wandb_warehouse.verification import VerifyOptions
    from wandb_warehouse.verification import verify as run_verify

    report = run_verify(
        VerifyOptions(
            resolve_connection(),
            warehouse,
            tuple(parse_projects(projects)) if projects else (),
            destination="filesystem" if destination == "filesystem" else "duckdb" if destination else None,
            deep=deep,
            repair=repair,
            workers=workers,
        )
    )
    if as_json:
        write_json(report.to_dict())
    else:
        _show_verdict(report)
    report.raise_if_different()


@click.command(short_help="Check the warehouse by itself.", epilog="Example: wandb-warehouse doctor")
@warehouse_option
@click.option("--json", "as_json", is_flag=True, help="Write the findings as JSON.")
def doctor(warehouse: Path | str, *, as_json: bool) -> None:
    """Read the whole warehouse, every block of every table, and check it against itself; no server is asked.

    Primary keys, the ledger and the sums in metrics against the histories, rows without a run, views, files, their
    modes, the lock. Exit code 5 where something is wrong.
    """
    from wandb_warehouse.warehouse import examine

    found = examine(warehouse)
    if as_json:
        write_json(found.to_dict())
    else:
        _show_examination(found)
    found.raise_if_unsound()


def _show_verdict(report: "VerifyReport") -> None:
    columns = (
        "project",
        "at the server",
        "stored",
        "equal",
        "different",
        "moved since",
        "deleted",
        "history rows",
        "values",
    )
    rows = (
        (
            each.project,
            each.runs_at_server,
            each.runs_stored,
            each.runs_equal,
            each.runs_different,
            each.runs_moved,
            each.runs_deleted,
            each.rows,
            each.values,
        )
        for each in report.projects
    )
    how = "every value" if report.deep else "counts and details"
    write_table(columns, rows, title=f"{report.warehouse} against the server, {how}")
    if report.repaired:
        write_table(("fetched anew",), ((name,) for name in report.repaired))
    _show_differences(report.differences)
    if report.equal:
        console().print("The warehouse equals the server.")


def _show_examination(found: "Examination") -> None:
    out = console()
    out.print(f"{found.warehouse}: sync {found.generation}, schema version {found.schema_version}")
    out.print(", ".join(f"{name} {number}" for name, number in found.versions.items()))
    write_table(("table or view", "rows read"), found.tables.items())
    _show_differences(found.findings)
    for note in found.notes:
        out.print(f"note: {note}", markup=False)
    if found.sound:
        out.print("Nothing is wrong.")


def _show_differences(differences: "list[Difference]") -> None:
    if not differences:
        return
    rows = (
        (
            "/".join(part for part in (each.entity, each.project, each.run_id) if part) or "-",
            each.table,
            each.detail,
        )
        for each in differences[:_SHOWN]
    )
    write_table(("run", "table", "what differs"), rows)
    if len(differences) > _SHOWN:
        console().print(f"and {len(differences) - _SHOWN} more; --json has them all")
