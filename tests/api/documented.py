"""The lists of docs/python.md, made of what the tests hold. Run as a script, it writes them into the page.

`python -m api.documented`, in tests/
"""

import json
from itertools import groupby
from pathlib import Path

from api.allowed import ALLOWED
from api.differences import DIFFERENCES

__all__ = ["PAGE", "filled"]

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
_END = "<!-- end -->"
_BEHAVIOURS = Path(__file__).with_name("peer_behaviours.json")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _differences() -> str:
    entries = [(entry.what, entry.reason) for entry in ALLOWED]
    entries += [(entry.what, entry.reason) for entry in DIFFERENCES]
    lines = [f"- **{_sentence(what)}** {_sentence(reason)}" for what, reason in entries]
    return "\n".join(lines)


def _behaviours() -> str:
    found = json.loads(_BEHAVIOURS.read_text())
    applying = sum(each["applies"] for each in found)
    lines = [
        f"{len(found)} behaviours: {applying} apply and are held, {len(found) - applying} do not apply.",
        "",
        "| area | behaviour | state |",
        "|---|---|---|",
    ]
    for area, group in groupby(sorted(found, key=lambda each: str(each["area"])), lambda each: each["area"]):
        for each in sorted(group, key=lambda each: not each["applies"]):
            state = "held" if each["applies"] else f"does not apply: {each['reason']}"
            lines.append(f"| {area} | {each['behaviour']} | {state} |".replace("\n", " "))
    return "\n".join(lines)


def filled(text: str) -> str:
    """Give the page with its lists as they should be."""
    for name, made in (("differences", _differences()), ("behaviours", _behaviours())):
        before, mark, rest = text.partition(f"<!-- {name} -->\n")
        text = f"{before}{mark}{made}\n{rest[rest.index(_END) :]}"
    return text


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
