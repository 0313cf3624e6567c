"""Reading ahead: who asks one run after the other for the same rows gets those of the next runs in one question.

While these are looked at, those after them are read in the background.
"""

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from wandb_warehouse.api.histories.ask import Ask
from wandb_warehouse.api.histories.holding import holdings, warn_of_missing_rows
from wandb_warehouse.api.histories.reading import FEW, read_each, values_read
from wandb_warehouse.api.histories.rows import Histories
from wandb_warehouse.api.session import Session

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["SHORT", "Ahead"]

SHORT = 100_000
"""Values of a history that is scanned with those of other runs."""

Found = dict[str, Histories]


class Ahead:
    """The histories of runs that were listed together.

    A first question is answered for its run alone; the same one about another run, of this list or of a later one of
    the same project, for that run and those after it.

    Args:
        session: what the objects of an `Api` share.
        entity: team or user.
        project: name of the project.
        runs: ids of the runs, in the order of the list.
    """

    def __init__(self, session: Session, entity: str, project: str, runs: Sequence[str]) -> None:
        self._session = session
        self._entity = entity
        self._project = project
        self._runs = runs
        self._place = {run: place for place, run in enumerate(runs)}
        self._asked: tuple[int, Ask] | None = None
        self._found: Found = {}
        self._coming: tuple[Sequence[str], Future[Found]] | None = None

    def history(self, run: str, ask: Ask) -> Histories:
        """Give rows of one run, as `read_histories` does."""
        asked = (self._session.generation, ask)
        if asked != self._asked:
            self._asked, self._found, self._coming = asked, {}, None
        if run not in self._found:
            self._found = self._take(run, ask) if self._is_repeated(run, ask) else self._read([run], ask)
        if ask.stream == "default":
            warn_of_missing_rows(self._session, self._entity, self._project, [run])
        return self._found.pop(run)

    def _is_repeated(self, run: str, ask: Ask) -> bool:
        """Whether the question was asked about another run before."""
        first: dict[Ask, str] = self._session.once(("asked", self._entity, self._project), dict)
        return first.setdefault(ask, run) != run

    def _take(self, run: str, ask: Ask) -> Found:
        """The rows of the run and of those after it, and let those behind them come."""
        if self._coming is not None and run in self._coming[0]:
            following, read = self._coming
            found = read.result()
        else:
            following = self._following(run, ask)
            found = self._read(following, ask)
        self._coming = None
        behind = self._place[following[-1]] + 1
        if len(following) > 1 and behind < len(self._runs):
            coming = self._following(self._runs[behind], ask)
            if self._values(coming, ask) <= FEW:
                self._coming = coming, self._session.later(lambda: self._read(coming, ask))
        return found

    def _read(self, runs: Sequence[str], ask: Ask) -> Found:
        parts = read_each(self._session, self._entity, self._project, runs, ask)
        return dict(zip(runs, parts, strict=True))

    def _following(self, run: str, ask: Ask) -> list[str]:
        """The run and those after it, as many as the values read ahead may be."""
        if ask.stream != "default":
            return [run]
        chosen, values = [run], self._values([run], ask)
        for other in islice(self._runs, self._place[run] + 1, None):
            values += self._values([other], ask)
            if values > FEW:
                break
            chosen.append(other)
        return chosen

    def _values(self, runs: Sequence[str], ask: Ask) -> int:
        return values_read(holdings(self._session, self._entity, self._project), runs, ask)
