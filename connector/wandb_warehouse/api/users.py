"""People of W&B, as far as the warehouse knows them."""

from wandb_warehouse.api.pieces.attributes import Attrs

__all__ = ["User"]


class User(Attrs):
    """Somebody who started runs: `username` and `name`, and what else is known.

    Source: `wandb.apis.public.User`. Keys and the making of users stay at W&B.
    """

    @property
    def teams(self) -> list[str]:
        """Names of the user's teams: those whose projects the warehouse has."""
        return list(self._attrs.get("teams") or ())

    @property
    def api_keys(self) -> list[str]:
        """Names of the user's keys: none, a warehouse knows of no key."""
        return []

    def __repr__(self) -> str:
        for key in ("email", "username", "id"):
            if value := self._attrs.get(key):
                return f"<User {value}>"
        name = self._attrs.get("name")
        return f"<User {name!r}>" if name else "<User ???>"
