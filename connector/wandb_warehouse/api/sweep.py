"""`Sweep`: what a sweep was configured to try, and the runs it started."""

import logging
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from wandb_warehouse.api.pieces import html
from wandb_warehouse.api.pieces.attributes import Attrs
from wandb_warehouse.api.session import Session, document
from wandb_warehouse.api.stored import sweep_attributes
from wandb_warehouse.errors import NotStoredError

if TYPE_CHECKING:
    from wandb_warehouse.api.runs.listing import Runs
    from wandb_warehouse.api.runs.run import Run

__all__ = ["Sweep", "find_sweep"]

_COLUMNS = frozenset({"createdAt", "updatedAt", "name", "sweep"})
"""Columns of runs. Other names are a summary's, but for those of a section."""
_SECTIONS = frozenset({"config", "summary_metrics", "tags"})
_log = logging.getLogger("wandb_warehouse")


class Sweep(Attrs):
    """A sweep of the warehouse: its configuration, and the runs it started.

    Args:
        session: what the objects of an `Api` share.
        entity: team or user.
        project: name of the project.
        sweep_id: id of the sweep within the project.
        attrs: what is known of it already, by W&B's names.

    Attributes, beside the properties: `id` (str, within the project), `runs` (`Runs`, oldest first), `state` (str),
    `method` (str), `description` (str or None), `best_loss` (float or None), `created_at`, `updated_at` (str, ISO
    8601 in UTC), `run_count` (int), `display_name` (str or None).

    Raises:
        NotStoredError: the warehouse has no such sweep.

    Source: `wandb.apis.public.Sweep`. `agents`, `agent` and `enqueue_run` need the server.

    Example:
        >>> Api().sweep("my-team/my-project/k3x9q2ab").best_run().config  # doctest: +SKIP
    """

    def __init__(
        self,
        session: Session,
        entity: str,
        project: str,
        sweep_id: str,
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(attrs or {})
        self._session = session
        self._entity = entity
        self.project = project
        self.id = sweep_id
        self.runs: Runs = self._ordered("+created_at", per_page=10)
        if not attrs:
            self.load()

    def load(self, force: bool = False) -> dict[str, Any]:
        """Give what W&B's API tells of the sweep; with `force` from the newest state of the warehouse.

        Raises:
            NotStoredError: the warehouse has no such sweep.
        """
        if force:
            self._session.renew()
        if force or not self._attrs:
            found = sweep_attributes(self._session, self.entity, self.project, self.id)
            if not found:
                raise NotStoredError(
                    f"Could not find sweep {self!r}",
                    mend=f"sync {self.entity}/{self.project}, or mend the path",
                )
            self._attrs = dict(found[0])
            self.runs = self._ordered("+created_at", per_page=10)
        return self._attrs

    @classmethod
    def get(
        cls,
        api: Any,
        entity: str | None = None,
        project: str | None = None,
        sid: str | None = None,
        order: str | None = None,
        query: str | None = None,
        **kwargs: Any,
    ) -> "Sweep | None":
        """Give a sweep with its runs in an order; None where the warehouse does not have it.

        Args:
            api: the `Api` to ask.
            entity: team or user.
            project: name of the project.
            sid: id of the sweep.
            order: order of its runs, `+created_at` where there is none.
            query: a GraphQL query of one's own: needs the server.
            kwargs: variables of that query.

        Raises:
            MissingExtraError: `query`, and the official client is not installed.
        """
        if query is not None:
            found = api._session.official()
            return found._get_sweep(entity, project, sid, order=order, query=query, **kwargs)  # type: ignore[no-any-return]
        return find_sweep(api._session, entity or "", project or "", sid or "", order)

    @property
    def entity(self) -> str:
        """Team or user that owns the project."""
        return self._entity

    @property
    def username(self) -> str:
        """The entity, under the name it had of old."""
        warnings.warn("Sweep.username is deprecated. please use Sweep.entity instead.", stacklevel=2)
        return self._entity

    @property
    def config(self) -> Any:
        """Configuration: what its YAML says, mostly a dict; None where that is no YAML that JSON could hold."""
        return document(self._attrs["_config"])

    @property
    def order(self) -> str | None:
        """Order that puts the best run first, by the metric of the configuration; None where it names none."""
        config = self.config
        metric = config.get("metric") if config else None
        if not metric:
            return None
        return _order_key(("+" if metric.get("goal", "minimize") == "minimize" else "-") + metric["name"])

    def best_run(self, order: str | None = None) -> "Run | None":
        """Give the best run; None where the sweep has no runs.

        Args:
            order: as `-summary_metrics.acc` or `+loss`; without a sign the largest comes first. None for the metric of
                the configuration; where that names none, the oldest run, with a warning.
        """
        order = self.order if order is None else _order_key(order)
        if order is None:
            warnings.warn(
                "No order specified and couldn't find metric in sweep config, returning most recent run",
                stacklevel=2,
            )
        else:
            _log.info("Sorting runs by %s", order)
        return next(iter(self._ordered(order, per_page=1)), None)

    def _ordered(self, order: str | None, *, per_page: int) -> "Runs":
        from wandb_warehouse.api.runs.listing import Runs

        filters: dict[str, Any] = {"$and": [{"sweep": self.id}]}
        return Runs(self._session, self.entity, self.project, filters, order, per_page)

    @property
    def expected_run_count(self) -> int | None:
        """Runs the sweep will have; None where there is no end."""
        return self._attrs.get("runCountExpected")

    @property
    def path(self) -> list[str]:
        """Entity, project and id, each quoted for an address."""
        return [quote_plus(part) for part in (self.entity, self.project, self.id)]

    @property
    def url(self) -> str:
        """Address of the sweep's page."""
        entity, project, sweep = self.path
        return f"{self._session.app_url}{entity}/{project}/sweeps/{sweep}"

    @property
    def name(self) -> str:
        """Name given in the interface, else by the configuration, else the id."""
        return str(self._attrs.get("displayName") or (self.config or {}).get("name") or self.id)

    def agent(self, agent_id: str) -> Any:
        """Give one of the sweep's agents, from the server.

        Raises:
            MissingExtraError: the official client is not installed.
        """
        return self._official().agent(agent_id)

    def agents(self) -> Any:
        """Give the sweep's agents, from the server; errors as `agent`."""
        return self._official().agents()

    def enqueue_run(self, config: dict[str, Any], display_name: str | None = None) -> str:
        """Have the server start a run with a config, and give its id; errors as `agent`."""
        return str(self._official().enqueue_run(config, display_name))

    def _official(self) -> Any:
        return self._session.official().sweep(f"{self.entity}/{self.project}/{self.id}")

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """Give the sweep as HTML that needs no server: what it is, and a way to its page at W&B."""
        facts = {"state": self.state, "method": self.method, "runs": self.run_count, "order": self.order}
        return html.page(f"Sweep {self.name}", self.url, facts, height=height, hidden=hidden)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        return f"<Sweep {'/'.join(self.path)} ({self._attrs.get('state', 'Unknown State')})>"


def find_sweep(
    session: Session, entity: str, project: str, sweep_id: str, order: str | None = None
) -> Sweep | None:
    """Give a sweep, its runs in an order (`+created_at` where there is none); None where it is not stored."""
    found = sweep_attributes(session, entity, project, sweep_id)
    if not found:
        return None
    sweep = Sweep(session, entity, project, sweep_id, found[0])
    if order:
        sweep.runs = sweep._ordered(order, per_page=10)
    return sweep


def _order_key(key: str) -> str | None:
    """An order as the server takes it; without a sign it descends. None for columns of runs, as the public API has it.

    >>> _order_key("+loss"), _order_key("val.acc"), _order_key("-config.lr"), _order_key("+createdAt")
    ('+summary_metrics.loss', '-summary_metrics.val.acc', '-config.lr', None)
    """
    sign, name = (key[0], key[1:]) if key[:1] in {"+", "-"} else ("-", key)
    head, point, _ = name.partition(".")
    if name in _COLUMNS:
        return None
    if head in _SECTIONS and point:
        return f"{sign}{name}"
    return f"{sign}summary_metrics.{name}"
