"""What of W&B is meant, from the command line's words to the options of a sync."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wandb_warehouse.errors import ConfigError
from wandb_warehouse.settings import load_settings, resolve_connection

if TYPE_CHECKING:
    from wandb_warehouse.sync import SyncOptions

__all__ = ["sync_options"]


def sync_options(
    projects: tuple[str, ...],
    warehouse: Path | str,
    *,
    samples: int | None,
    keys: tuple[str, ...],
    exclude: tuple[str, ...],
    resources: str | None,
    filter_: str | None,
    console_logs: bool,
    tables: bool,
    max_table_mb: float | None,
    publish_every: float | None = None,
    **plain: Any,
) -> "SyncOptions":
    """Read the options that `scope_options` declares; `plain` ones are options of a sync by the same name.

    Raises:
        ConfigError: a project, a table or the filter is not written as it must be, or two options exclude each other.
        AuthError: there is no key.
    """
    from wandb_warehouse.arrow import Selection
    from wandb_warehouse.resources import DEFAULT_SAMPLES, MAX_TABLE_BYTES, parse_projects
    from wandb_warehouse.sync import PUBLISH_EVERY, SyncOptions

    if publish_every is None:
        configured = load_settings().publish_every
        publish_every = PUBLISH_EVERY if configured is None else configured
    if samples is not None and plain["history"] != "sampled":
        raise ConfigError("--samples is of no use here", mend="give it together with --history sampled")
    named = _parse_resources(resources)
    for table, history in (("history", "full"), ("history_sampled", "sampled")):
        if table in named and plain["history"] != history:
            raise ConfigError(
                f"--history {plain['history']} does not fill {table}", mend=f"add --history {history}"
            )
    if "system_metrics" in named and plain["history"] == "none":
        raise ConfigError("--history none does not fill system_metrics", mend="leave --history out")
    options = SyncOptions(
        projects=tuple(parse_projects(projects or _configured_projects())),
        warehouse=warehouse,
        samples=DEFAULT_SAMPLES if samples is None else samples,
        selection=Selection(keys, exclude),
        resources=named,
        filters=_parse_filter(filter_),
        connection=resolve_connection(),
        opt_in=frozenset(
            table
            for table, given in (
                ("console_logs", console_logs),
                ("logged_tables", tables),
                ("logged_table_cells", tables),
            )
            if given
        ),
        publish_every=publish_every,
        max_table_bytes=MAX_TABLE_BYTES if max_table_mb is None else round(max_table_mb * 1e6),
        **plain,
    )
    for option, table, given in (
        ("--console-logs", "console_logs", console_logs),
        ("--metadata-files", "run_metadata", options.metadata_files),
    ):
        if given and table not in options.coverage_tables:
            raise ConfigError(f"{option} is of no use here", mend=f"name {table} in --resources")
    if max_table_mb is not None and "logged_tables" not in options.coverage_tables:
        raise ConfigError("--max-table-mb is of no use here", mend="give it together with --tables")
    return options


def _configured_projects() -> tuple[str, ...]:
    """Projects to sync when none is named: the one the environment names, else the configured list."""
    settings = load_settings()
    if settings.entity and settings.project:
        return (f"{settings.entity}/{settings.project}",)
    return settings.projects


def _parse_resources(text: str | None) -> tuple[str, ...]:
    from wandb_warehouse.resources import RESOURCES

    if text is None:
        return ()
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in RESOURCES]
    if unknown or not names:
        what = (
            f"there is no resource {', '.join(map(repr, unknown))}" if unknown else "--resources names none"
        )
        raise ConfigError(what, mend=f"the resources are {', '.join(RESOURCES)}")
    return tuple(dict.fromkeys(names))


def _parse_filter(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    mend = """write it as a JSON object, for example '{"state": "finished"}'"""
    try:
        filters = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"--filter is no JSON: {error}", mend=mend) from error
    if not isinstance(filters, dict):
        raise ConfigError("--filter is JSON but no object", mend=mend)
    return filters
