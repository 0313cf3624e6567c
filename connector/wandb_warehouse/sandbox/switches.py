"""What nobody outside W&B can know of its server, as switches: a reader must be right under every setting."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Switches"]


@dataclass(frozen=True)
class Switches:
    """How the sandbox behaves where the behaviour of W&B's server is not documented.

    Example:
        >>> Switches(nan="bare", page_cap=100).page_cap
        100
    """

    nan: Literal["quoted", "bare"] = "quoted"
    """Non-finite numbers of rows, config and summary: as the strings "NaN", "Infinity", "-Infinity", or as
    the bare tokens the writer sent (then whole responses may be no JSON in the strict sense)."""
    history_includes_exported: bool = True
    """Whether `history` and `sampledHistory` still answer with rows that are in parquet exports."""
    live_data_empty: bool = False
    """`liveData` is empty although rows are missing from the exports."""
    live_keys_and_semantics: bool = False
    """`liveData` leaves out rows that lack any of the keys asked for (else only those that lack all)."""
    page_cap: int = 1000
    """Largest page of a connection, whatever `first` asks."""
    samples_cap: int | None = None
    """Largest number of rows `history`, `sampledHistory` and `events` answer with, whatever `samples` asks."""
    fractional_timestamps: bool = False
    """Times carry microseconds; otherwise they are kept and served in whole seconds."""
    zulu: bool = True
    """Times end in `Z`; old records come without (and mean UTC all the same)."""
    shuffled_urls: bool = False
    """`parquetUrls` come in another order on every call."""
    unsigned_order_descending: bool = True
    """An `order` without a sign sorts downwards."""
    null_placement: Literal["last", "first"] = "last"
    """Where runs lacking the value sorted by are placed."""
    edits_move_heartbeat: bool = False
    """Edits of metadata (tags, notes, config, summary, ...) move `heartbeatAt` like a sign of life."""
    export_files_per_run: int = 1
    """Parquet files one export of a run is split into."""
    export_step_type: Literal["int64", "double"] = "int64"
    """Type of the `_step` column in parquet exports."""
    url_lifetime: float | None = None
    """Seconds of server time after which a signed URL of an export is refused; None for never."""
