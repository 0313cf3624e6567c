"""Views of ours for one connection, where the warehouse it reads was published before they were there."""

from collections.abc import Collection

import duckdb

from wandb_warehouse.warehouse.views import load_sql_files

__all__ = ["lend_views"]


def lend_views(connection: duckdb.DuckDBPyConnection, names: Collection[str]) -> None:
    """Make temporary views of these names, those that the warehouse has left out."""
    known = {name for (name,) in connection.execute("SELECT view_name FROM duckdb_views()").fetchall()}
    missing = set(names) - known
    if not missing:
        return
    for file in load_sql_files():
        if file.kind == "view" and file.name in missing:
            connection.execute(
                file.definition.replace("CREATE OR REPLACE VIEW", "CREATE OR REPLACE TEMP VIEW", 1)
            )
