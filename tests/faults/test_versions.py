"""A warehouse of an earlier version is taken over by the next sync, on the private copy."""

from pathlib import Path

import duckdb

from faults.world import World, run_cli
from support import query
from wandb_warehouse.schema import SCHEMA_VERSION
from wandb_warehouse.warehouse import content_digest

TO_VERSION_1 = """
CREATE TABLE texts AS SELECT * REPLACE (type::VARCHAR AS type) FROM history;
CREATE TABLE sampled_texts AS SELECT * REPLACE (type::VARCHAR AS type) FROM history_sampled;
DROP VIEW history; DROP VIEW history_sampled;
DROP TABLE history_values; DROP TABLE history_sampled_values;
DROP TABLE run_numbers; DROP TABLE key_numbers;
ALTER TABLE texts RENAME TO history; ALTER TABLE sampled_texts RENAME TO history_sampled;
DROP TABLE logged_tables; DROP TABLE logged_table_cells;
UPDATE sync_log SET schema_version = 1
"""
"""Version 1 stored histories with the texts of run and key in each row, and knew no logged tables."""


def make_version_1(place: Path) -> None:
    """Turn a published file into what version 1 would have written."""
    with duckdb.connect(str(place)) as connection:
        views = "SELECT view_name FROM duckdb_views() WHERE NOT internal AND view_name NOT LIKE 'history%'"
        for (name,) in connection.execute(views).fetchall():
            connection.execute(f'DROP VIEW "{name}"')
        connection.execute(TO_VERSION_1)


def test_a_warehouse_of_version_1_is_taken_over(world: World, place: Path) -> None:
    """The next sync that publishes writes today's version with every row; a sync that fails leaves the old one."""
    world.put(place)
    make_version_1(place)
    before = world.sha256(place)
    from wandb_warehouse.sandbox import Fault  # noqa: PLC0415 -- only here

    world.box.inject(Fault("status", "RunDetails", times=-1, value=401))
    assert run_cli("sync", "e/p", "-w", place).code == 3
    world.assert_untouched(place, before)
    assert query(place, "SELECT max(schema_version) FROM sync_log") == [(1,)]
    assert run_cli("query", "-w", place, "select count(*) from history").code == 0
    world.assert_heals(place)
    assert query(place, "SELECT max(schema_version) FROM sync_log") == [(SCHEMA_VERSION,)]
    assert content_digest(place) == world.now
    assert run_cli("status", "-w", place).code == 0
