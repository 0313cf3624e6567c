"""From the syntax tree to the typed tree: names found, types checked, what has no exact meaning refused."""

from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.language import syntax as s
from wandb_warehouse.operations.language.expressions import expression_node
from wandb_warehouse.operations.language.messages import refusal
from wandb_warehouse.operations.language.parsing import parse
from wandb_warehouse.operations.language.resolver import Given, Resolver

__all__ = ["Given", "resolve"]


def resolve(text: str, given: Given | None = None) -> list[t.Node]:
    """Read a program: a node for each thing it shows, in order.

    Raises:
        OperationError: it cannot be read, or has no exact meaning; the error names the place.
    """
    resolver = Resolver(text, given or Given(), expression_node)
    try:
        return resolver.program(parse(text))
    except RecursionError as error:
        raise refusal(text, s.Span(0, 0), "the program is too long", mend="cut it in two") from error
