"""What an extraction counts while it works; the command line shows it live, the sync keeps it."""

from dataclasses import dataclass, field

__all__ = ["ExtractionReport"]


@dataclass(slots=True)
class ExtractionReport:
    """Counters of one extraction; only ever grown by it, read by anyone at any time."""

    runs_listed: int = 0
    runs_changed: int = 0
    runs_unchanged: int = 0
    runs_done: int = 0
    runs_deleted: int = 0
    """Runs proven gone from the server."""
    runs_restored: int = 0
    """Runs that were gone and are back."""
    mass_deletions: dict[str, int] = field(default_factory=dict)
    """Projects of which more runs are gone than is believed without being told to, and how many."""
    rows: int = 0
    values: int = 0
    exports: int = 0
    export_bytes: int = 0
    quarantined: dict[str, str] = field(default_factory=dict)
    """Why a run is left out or incomplete, by entity/project/run id."""
    projects: list[str] = field(default_factory=list)
    """The projects that are meant, patterns resolved."""
    failed: dict[str, str] = field(default_factory=dict)
    """Why a project or pattern could not be read, by its name."""
    runs_left: int = 0
    """Runs that moved and were left for the next sync, because the time was up."""
    projects_left: list[str] = field(default_factory=list)
    """Projects that were not even listed, for the same reason."""
    tables_left: list[str] = field(default_factory=list)
    """Tables beside details and history of which not everything was read, for the same reason."""
    phase: str = "listing"
