"""Reading ahead: who asks one run after the other for the same rows gets those of the next runs in one question."""

from collections.abc import Sequence

from wandb_warehouse.api.histories.rows import Ask, Histories, holdings, read_histories
from wandb_warehouse.api.session import Session
from wandb_warehouse.arrow import escape

__all__ = ["SHORT", "Ahead"]

SHORT = 5_000
"""Values of a history that is scanned with those of other runs."""

_VALUES_AHEAD = 500_000
"""About how many values are read before somebody asks for them."""


class Ahead:
    """The histories of runs that were listed together.

    A first question is answered for its run alone; the same one about another run, for that run and those after it.

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
            return self._read([run], ask)
        if run not in self._found:
            following = self._following(run, ask)
            parts = self._read(following, ask).split(len(following))
            self._found = dict(zip(following, parts, strict=True))
        return self._found.pop(run)

    def _read(self, runs: Sequence[str], ask: Ask) -> Histories:
        return read_histories(self._session, self._entity, self._project, runs, ask)

    def _following(self, run: str, ask: Ask) -> list[str]:
        """The run and those after it, as many as the values read ahead may be."""
        if ask.stream != "default":
            return [run]
        known = holdings(self._session, self._entity, self._project)
        chosen, values = [run], 0.0
        for other in self._runs[self._runs.index(run) + 1 :]:
            if held := known.get(escape(other)):
                if ask.samples is None and held.values > SHORT:
                    break
                rows = max(held.stored_rows, held.expected_rows, 1)
                each = len(ask.logged) if ask.keys else held.values / rows
                values += (rows if ask.samples is None else min(rows, ask.samples)) * each
            if values > _VALUES_AHEAD:
                break
            chosen.append(other)
        return chosen
