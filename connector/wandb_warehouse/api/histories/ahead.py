"""Reading ahead: who asks one run after the other for the same rows gets those of the next runs in one question."""

from collections.abc import Sequence

from wandb_warehouse.api.histories.ask import Ask
from wandb_warehouse.api.histories.holding import holdings
from wandb_warehouse.api.histories.reading import FEW, read_each, values_read
from wandb_warehouse.api.histories.rows import Histories
from wandb_warehouse.api.session import Session

__all__ = ["SHORT", "Ahead"]

SHORT = 100_000
"""Values of a history that is scanned with those of other runs."""


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
        self._runs = list(runs)
        self._asked: tuple[int, Ask] | None = None
        self._found: dict[str, Histories] = {}

    def history(self, run: str, ask: Ask) -> Histories:
        """Give rows of one run, as `read_histories` does."""
        asked = (self._session.generation, ask)
        if asked != self._asked:
            self._asked, self._found = asked, {}
        if run not in self._found:
            following = self._following(run, ask) if self._is_repeated(run, ask) else [run]
            parts = read_each(self._session, self._entity, self._project, following, ask)
            self._found = dict(zip(following, parts, strict=True))
        return self._found.pop(run)

    def _is_repeated(self, run: str, ask: Ask) -> bool:
        """Whether the question was asked about another run before."""
        first: dict[Ask, str] = self._session.once(("asked", self._entity, self._project), dict)
        return first.setdefault(ask, run) != run

    def _following(self, run: str, ask: Ask) -> list[str]:
        """The run and those after it, as many as the values read ahead may be."""
        if ask.stream != "default":
            return [run]
        known = holdings(self._session, self._entity, self._project)
        chosen = [run]
        values = values_read(known, chosen, ask)
        for other in self._runs[self._runs.index(run) + 1 :]:
            values += values_read(known, [other], ask)
            if values > FEW:
                break
            chosen.append(other)
        return chosen
