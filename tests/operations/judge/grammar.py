"""Writes programs at random, by the rules of `notation.grammar`."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Program", "programs"]


def _read(path: Path) -> dict[str, tuple[list[str], list[str]]]:
    """Of each rule the texts that end quickly, and those that go on."""
    rules: dict[str, tuple[list[str], list[str]]] = {"key": ([], []), "best": ([], [])}
    name, texts = "", list[str]()
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("    "):
            texts.append(line.removeprefix("    ").replace("⏎", "\n"))
        elif line == "  +":
            texts = rules[name][1]
        elif line and not line.startswith("#"):
            name = line
            rules[name] = (texts := [], [])
    return rules


RULES = _read(Path(__file__).with_name("notation.grammar"))
_KEYS = (
    "run-createdAt({r})",
    "{numeric}",
    "run-runtime({r}) * 2",
    "{r}.tags.length",
    "{summary}.mixed",
    "{config}.lr",
)
_BEST = (
    "{summary}.accuracy",
    '{summary}["val/loss"]',
    "{summary}.loss",
    "{config}.batch",
    "run-runtime({r})",
    "run-name({r})",
    "run-createdAt({r})",
    "{config}.model_type",
)
_PLACE = re.compile(r"\{(\w+)(?:@(\w+))?\}")


@dataclass(frozen=True)
class Program:
    """A program and the rule it began with."""

    text: str
    kind: str


class _Writer:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.names = 0

    def write(self, rule: str, run: str, depth: int) -> str:
        """A text of a rule; below depth 0 one that ends quickly."""
        if rule == "best":
            return self.best(depth)
        short, long = RULES[rule]
        choices = (*short, *long) if depth > 0 else short
        return self.filled(self.rng.choice(choices), run, depth - 1)

    def filled(self, text: str, run: str, depth: int) -> str:
        names: dict[str, str] = {"r": run}
        keys: dict[str, str] = {}

        def name(label: str) -> str:
            if label not in names:
                self.names += 1
                names[label] = f"{label}{self.names}"
            return names[label]

        def place(found: re.Match[str]) -> str:
            rule, of = found.group(1), found.group(2)
            if rule not in RULES:
                return name(rule)
            about = name(of) if of else run
            if rule == "key":  # the same of both runs
                key = keys.setdefault("key", self.rng.choice(_KEYS))
                way = keys.setdefault("way", str(self.rng.random()))
                return _Writer(random.Random(way)).filled(key, about, 0)
            return self.write(rule, about, depth)

        return _PLACE.sub(place, text)

    def best(self, depth: int) -> str:
        """The best run by something of it."""
        self.names += 1
        best, other = f"best{self.names}", f"other{self.names}"
        key, way = self.rng.choice(_BEST), str(self.rng.random())
        a, b = (_Writer(random.Random(way)).filled(key, name, 0) for name in (other, best))
        choice = self.rng.choice((f"{a} {{}} {b} ? {other} : {best}", f"{b} {{}} {a} ? {best} : {other}"))
        order = self.rng.choice(("<", "<=", ">", ">="))
        return f"{self.write('runs', '', depth - 1)}.reduce(({best}, {other}) => {choice.format(order)})"


def programs(seed: int, count: int, depth: int = 3) -> Iterator[Program]:
    """Programs, each another one and nested so deep at most; all follow from the seed."""
    rng = random.Random(seed)
    seen: set[str] = set()
    kinds = RULES["program"]
    while len(seen) < count:
        writer = _Writer(rng)
        rule = rng.choice((*kinds[0], *kinds[0], *kinds[1]))
        text = writer.filled(rule, "", rng.choice((1, *range(2, depth + 1), depth)))
        if text not in seen and len(text) < 1500:
            seen.add(text)
            yield Program(text, rule)
