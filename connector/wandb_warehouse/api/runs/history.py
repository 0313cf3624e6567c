"""The part of `Run` that gives its history: rows, frames, scans and files."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wandb_warehouse.api.histories import exporting, scanning
from wandb_warehouse.api.histories.ask import Ask
from wandb_warehouse.api.histories.frames import pandas_frame
from wandb_warehouse.api.runs.attributes import RunAttributes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RunHistory", "fit"]


class RunHistory(RunAttributes):
    """A run with its history.

    Source: `Run.history`, `Run.scan_history`, `Run.download_history_exports`.
    """

    def history(
        self,
        samples: int | None = 500,
        keys: list[str] | None = None,
        x_axis: str = "_step",
        pandas: bool = True,
        stream: Literal["default", "system"] = "default",
    ) -> "list[dict[str, Any]] | pd.DataFrame":
        """Give rows of the history, at equal distances where there are more than `samples`.

        Args:
            samples: rows at most; None for all.
            keys: metrics that a row must have, and that alone are given; None for every row with all it has.
            x_axis: a metric that comes with `keys`.
            pandas: a data frame rather than a list of dicts; a list where pandas is not installed.
            stream: `default` for what was logged, `system` for the machine's metrics.

        Returns:
            Columns or keys in the order of their names; nested metrics under dotted keys.

        Warns:
            IncompleteHistoryWarning: rows are not in the warehouse.

        Source: `Run.history`.
        """
        if not fit(keys, stream):
            return []
        ask = Ask(samples, tuple(keys or ()), x_axis, stream)
        histories = self._ahead.history(self.id, ask)
        if pandas:
            try:
                return pandas_frame(histories)
            except ImportError:
                warnings.warn("Unable to load pandas, call history with pandas=False", stacklevel=2)
        return histories.dicts()

    def scan_history(
        self,
        keys: list[str] | None = None,
        page_size: int = 1_000,
        min_step: int = 0,
        max_step: int | None = None,
        use_cache: bool = True,  # noqa: ARG002 -- W&B's signature
    ) -> "scanning.HistoryScan":
        """Give an iterator over every row of the history.

        Args:
            keys: metrics that a row must have, and that alone are given; None for every row with all it has.
            page_size: of no consequence here.
            min_step: first step.
            max_step: first step that is not wanted any more; None for no end.
            use_cache: of no consequence here.

        Raises:
            ValueError: `keys` is no list of texts.

        Warns:
            IncompleteHistoryWarning: rows are not in the warehouse.

        Source: `Run.scan_history`.
        """
        if keys is not None and not isinstance(keys, list):
            raise ValueError("keys must be specified in a list")
        if not all(isinstance(key, str) for key in keys or ()):
            raise ValueError("keys argument must be a list of strings")
        end = self.lastHistoryStep + 1
        stop = end if max_step is None else min(max_step, end)
        return scanning.HistoryScan(self, min_step=min_step, max_step=stop, keys=keys, page_size=page_size)

    def beta_scan_history(
        self,
        keys: list[str] | None = None,
        page_size: int = 1_000,
        min_step: int = 0,
        max_step: int | None = None,
        use_cache: bool = True,
    ) -> "scanning.HistoryScan":
        """Give what `scan_history` gives, under the name it had for a while."""
        return self.scan_history(keys, page_size, min_step, max_step, use_cache)

    def download_history_exports(
        self,
        download_dir: Path | str,
        require_complete_history: bool = True,
    ) -> "exporting.DownloadHistoryResult":
        """Write the history to a parquet file, from the warehouse; shape and errors as `exporting.download_history`.

        Source: `Run.download_history_exports`.
        """
        return exporting.download_history(self, download_dir, whole=require_complete_history)


def fit(keys: Any, stream: str) -> bool:
    """Whether keys and stream go together; a warning says why not, as the official client does."""
    wrong = None
    if keys is not None and not isinstance(keys, list):
        wrong = "keys must be specified in a list"
    elif keys and not isinstance(keys[0], str):
        wrong = "keys argument must be a list of strings"
    elif keys and stream != "default":
        wrong = "stream must be default when specifying keys"
    if wrong:
        warnings.warn(wrong, stacklevel=3)
    return not wrong
