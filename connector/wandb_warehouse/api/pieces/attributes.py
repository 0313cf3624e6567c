"""What W&B's API gave of an object, under its own names and under Python's."""

from collections.abc import Mapping
from typing import Any

__all__ = ["Attrs"]


class Attrs:
    """An object with attributes by W&B's names (`createdAt`) and by Python's (`created_at`).

    Args:
        attrs: what the API gives of the object, by its GraphQL field.

    Source: `wandb.apis.attrs.Attrs`.
    """

    def __init__(self, attrs: Mapping[str, Any]) -> None:
        self._attrs: dict[str, Any] = dict(attrs)

    def snake_to_camel(self, string: str) -> str:
        """Give W&B's name of an attribute.

        >>> Attrs({}).snake_to_camel("history_line_count")
        'historyLineCount'
        """
        camel = "".join(part.title() for part in string.split("_"))
        return camel[:1].lower() + camel[1:]

    def to_html(self, height: int = 420, hidden: bool = False) -> str | None:  # noqa: ARG002 -- W&B's signature
        """Give this object as HTML; None where it has no such form."""
        return None

    def display(self, height: int = 420, hidden: bool = False) -> bool:
        """Show this object in a notebook; False where there is none, or nothing to show."""
        try:
            from IPython import display, get_ipython
        except ImportError:
            return False
        html = self.to_html(height, hidden)
        if html is None or "IPKernelApp" not in getattr(get_ipython(), "config", {}):
            return False
        display.display(display.HTML(html))
        return True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_attrs":  # asked by copy and pickle before there is anything
            raise AttributeError(name)
        for key in (self.snake_to_camel(name), name):
            if key in self._attrs:
                return self._attrs[key]
        raise AttributeError(f"{self!r} object has no attribute {name!r}")
