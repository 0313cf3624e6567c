"""Errors that point at the place: line, column, the line itself with a mark under it, and what may have been meant."""

from collections.abc import Iterable
from difflib import get_close_matches

from wandb_warehouse.errors import OperationError
from wandb_warehouse.operations.language.syntax import Span

__all__ = ["did_you_mean", "refusal"]


def refusal(text: str, span: Span, what: str, *, mend: str) -> OperationError:
    """An error about a part of the text.

    >>> error = refusal("runs.fliter(r)", Span(5, 11), "a list has no fliter", mend="did you mean filter?")
    >>> str(error)
    '1:6: a list has no fliter; did you mean filter?'
    >>> print(error.excerpt)
    runs.fliter(r)
         ^^^^^^
    """
    start = min(span.start, len(text))
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", start)
    line = text[line_start : len(text) if line_end < 0 else line_end]
    column = start - line_start
    width = max(1, min(span.end, line_start + len(line)) - start)
    # A tab before the mark moves it as it moves the text above it.
    margin = "".join("\t" if character == "\t" else " " for character in line[:column])
    return OperationError(
        f"{text.count(chr(10), 0, start) + 1}:{column + 1}: {what}",
        mend=mend,
        excerpt=f"{line}\n{margin}{'^' * width}",
    )


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """A hint at the known name that is nearest to `name`, else `otherwise`.

    >>> did_you_mean("run-sumary", ["run-summary", "run-config"], "see docs/operations.md")
    'did you mean run-summary?'
    """
    names = {each.lower(): each for each in known}
    near = get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    return f"did you mean {names[near[0]]}?" if near else otherwise
