"""Every error this package raises, grouped by what the caller should do about it.

    WarehouseError                      the root: one line, an exit code
    ├── ConfigError            exit 2   mend the command, the configuration or the environment
    │   ├── MissingExtraError           install what the message names
    │   ├── ProjectNotFoundError        mend the path, or ask for access
    │   ├── NotStoredError              mend the path, or sync what it names; a ValueError, too
    │   │   └── RunNotFoundError
    │   ├── IncompleteRunHistoryError   sync the run whole, or ask for a part
    │   ├── QueryError                  mend the SQL statement
    │   └── OperationError              mend the expression or the filter
    ├── AuthError              exit 3   mend the key
    ├── RemoteError            exit 4   W&B did not answer as it should
    │   ├── RetriableRemoteError        run the sync again later
    │   └── FatalRemoteError            report it: repeating will not help
    ├── StoreError             exit 5   mend the disk, the path or the file
    │   ├── CorruptStoreError           the file is no warehouse of ours, or damaged
    │   └── ProofError                  what was loaded is not what the server said; nothing was published
    ├── PartialError           exit 6   some runs were left out; the rest landed
    └── BusyError              exit 7   another sync holds the warehouse

A message says what happened, where, and how to mend it, in one line. Nothing here imports anything.
"""

__all__ = [
    "AuthError",
    "BusyError",
    "CommError",
    "ConfigError",
    "CorruptStoreError",
    "FatalRemoteError",
    "IncompleteRunHistoryError",
    "MissingExtraError",
    "NotStoredError",
    "OperationError",
    "PartialError",
    "ProjectNotFoundError",
    "ProofError",
    "QueryError",
    "RemoteError",
    "RetriableRemoteError",
    "RunNotFoundError",
    "StoreError",
    "WarehouseError",
]


class WarehouseError(Exception):
    """Root of the tree: `what` happened, and `mend`, how to put it right."""

    exit_code = 1

    def __init__(self, what: str, *, mend: str = "") -> None:
        self.what = " ".join(what.split())
        self.mend = " ".join(mend.split())
        super().__init__(f"{self.what}; {self.mend}" if self.mend else self.what)


class ConfigError(WarehouseError):
    """The command, the configuration or the environment cannot be used as it is."""

    exit_code = 2


class MissingExtraError(ConfigError):
    """An optional part of the package is not installed."""


class ProjectNotFoundError(ConfigError):
    """The server knows no such entity or project, or this key may not read it."""


class NotStoredError(ConfigError, ValueError):
    """The warehouse does not hold what a path names; a ValueError as the public API raises it, too."""


CommError = NotStoredError
"""The name under which scripts catch it that were written for the official client: `except wandb.errors.CommError`."""


class RunNotFoundError(NotStoredError):
    """The warehouse does not hold the run."""


class IncompleteRunHistoryError(ConfigError):
    """A whole history was asked for, and the warehouse has a part of it."""


class QueryError(ConfigError):
    """The statement of a reading command was refused or failed."""


class OperationError(ConfigError):
    """An expression or a filter says nothing that has an exact meaning in SQL; `excerpt` shows the place."""

    def __init__(self, what: str, *, mend: str = "", excerpt: str = "") -> None:
        super().__init__(what, mend=mend)
        self.excerpt = excerpt


class AuthError(WarehouseError):
    """There is no key, or the server refuses it."""

    exit_code = 3


class RemoteError(WarehouseError):
    """The server could not be reached, or did not answer as it should."""

    exit_code = 4


class RetriableRemoteError(RemoteError):
    """The same request may succeed later (network, 429, 5xx, a body that arrived cut)."""


class FatalRemoteError(RemoteError):
    """Repeating the request will not help (a refused query, a body of the wrong shape)."""


class StoreError(WarehouseError):
    """The local warehouse cannot be read or written."""

    exit_code = 5


class CorruptStoreError(StoreError):
    """The file is not a warehouse of ours, or is damaged."""


class ProofError(StoreError):
    """What was loaded differs from what the server said; the published file is untouched."""


class PartialError(WarehouseError):
    """Some runs were left out; everything else landed and was published."""

    exit_code = 6


class BusyError(WarehouseError):
    """Another sync holds the warehouse."""

    exit_code = 7
