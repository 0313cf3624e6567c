"""Which runs an id means."""

from pathlib import Path

from wandb_warehouse.warehouse.connection import reading

__all__ = ["find_runs"]


def find_runs(warehouse: Path | str, run_id: str) -> list[tuple[str, str, str]]:
    """The runs of an id that are not deleted: entity, project and id of each; errors as `open_readonly`."""
    with reading(warehouse, tables_only=True) as connection:
        found = connection.execute(
            "SELECT entity, project, run_id FROM runs WHERE run_id = ? AND deleted_at IS NULL ORDER BY ALL",
            [run_id],
        ).fetchall()
    return [(str(entity), str(project), str(run)) for entity, project, run in found]
