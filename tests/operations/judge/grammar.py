"""A grammar of the notation, and programs written by it at random.

A rule's text holds the names of other rules in braces. `{r}` is the run that is spoken of; a name that is no rule is a
name of its own, new each time and the same within one text. `{number@x}` speaks of the run `x`.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Program", "programs"]

_CONFIG = (
    ".lr",
    '["lr"]',
    ".batch",
    ".learning_rate",
    ".model_type",
    ".flag",
    ".mixed",
    '["a/b"]',
    '["it\'s \\"x\\""]',
    '["größe"]',
    ".optimizer.name",
    '["optimizer.lr"]',
    '.optimizer["lr"]',
    ".optimizer?.deep.er",
    ".optimizer",
    ".data.size",
    '["data.size"]',
    ".none",
    ".layers[0]",
    ".blocks[0].units",
    '.blocks[1]["kind"]',
    ".layers.length",
    ".absent.deeper",
)
_SUMMARY = (
    ".accuracy",
    '["accuracy"]',
    ".loss",
    '["val/loss"]',
    "['val/loss']",
    ".note",
    ".mixed",
    ".state",
    ".best.loss",
    '["best.step"]',
    ".best",
    ".absent",
)
_PLAIN = (
    "{config}.batch",
    "{config}.learning_rate",
    "{config}.model_type",
    "{config}.flag",
    '{config}["a/b"]',
    "{summary}.best.step",
    "{summary}.note",
    "{config}.optimizer.name",
)
_FIELDS = ("name", "id", "state", "jobType", "group", "sweep", "user", "project", "entity", "notes")
_FOLDS = ("avg()", "max()", "min()", "sum()", "stddev()", "count()", "avg", "max", "min", "sum")
_LITERALS = ("0", "1", "2", "-1", "0.5", "0.25", "64", "0.9", "1e3", "-2.5", ".5", "0x10", "1_000")
_WORDS = (
    "a",
    "Bad",
    "good",
    "cnn",
    "adam",
    "-",
    " ",
    "é",
    "7",
    "it's",
    'say "hi"',
    "--",
    "ß",
    "$&",
    "%",
    "_",
    "\\",
)


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\")
    return '"' + escaped.replace('"', '\\"') + '"'


_NEAR = "run-createdAt({r})"

RULES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # Of each rule: texts that end quickly, and those that go on.
    "config": (("run-config({r})", "runConfig({r})", "{r}.config"), ()),
    "summary": (("run-summary({r})", "runSummary({r})", "{r}.summary"), ()),
    "entry": (
        tuple(f"{{config}}{key}" for key in _CONFIG) + tuple(f"{{summary}}{key}" for key in _SUMMARY),
        (),
    ),
    "keyed": (
        tuple(f"{{config}}{key}" for key in _CONFIG if ".length" not in key and "layers" not in key),
        (),
    ),
    "plain": (_PLAIN, ()),
    "numeric": (
        (
            "{config}.batch",
            '{config}["a/b"]',
            "{summary}.accuracy",
            "{summary}.loss",
            '{summary}["val/loss"]',
        ),
        (),
    ),
    "literal": (_LITERALS, ()),
    "words": (tuple(_quoted(word) for word in _WORDS), ("'it\\'s'", "`plain`", '"tab\\there"', '"\\u00e9"')),
    "field": (
        tuple(f"run-{name}({{r}})" for name in _FIELDS)
        + tuple(f"run{name[0].upper()}{name[1:]}({{r}})" for name in _FIELDS)
        + tuple(f"{{r}}.{name}" for name in _FIELDS),
        (),
    ),
    "sure": (("run-name({r})", "run-id({r})", "{r}.state", "runUser({r})", "{r}.project"), ()),
    "date": (
        (_NEAR, "run-heartbeatAt({r})", "{r}.createdAt"),
        ('new Date("2026-02-01")', 'new Date("2026-02-02T12:30:00Z")'),
    ),
    "value": (
        ("{entry}", "{numeric}"),
        (
            "({entry} ?? {entry})",
            "({entry} || {entry})",
            "({entry} && {entry})",
            "({condition} ? {value} : {value})",
            "({condition} ? {entry} : {words})",
            "({condition} ? {condition} : {entry})",
            "({entry} ?? {literal})",
            "({entry} || {words})",
            "({condition} ? {entry} : null)",
        ),
    ),
    "number": (
        ("{literal}", "run-runtime({r})", "{r}.runtime", "Number({entry})", "+{entry}", "{r}.tags.length"),
        (
            "({number} {op} {number})",
            "({entry} {minus} {number})",
            "({number} {minus} {numeric})",
            "-({number})",
            "(({number}) ** 2)",
            "Math.{math}({number})",
            "Math.{math}({numeric})",
            "Math.max({number}, {number})",
            "Math.min({number}, {number}, 1)",
            "Math.pow({number}, 2)",
            "({condition} ? {number} : {number})",
            "({number} ?? {number})",
            "({number} || {literal})",
            "{text}.length",
            "{keyed}.length",
            "{text}.indexOf({words})",
            "{date}.{part}()",
            "({date} - {date})",
            "{date}.getTime()",
            "(Date.now() - Date.now())",
            "Number({condition})",
            "Math.PI",
            "Number({text})",
            "run-history({r}).map({h} => {h}{row}).{fold}",
            "run-history({r}).filter({h} => {h}{row} > {literal}).map({h} => {h}{row} * 2).{fold}",
            "{r}.history.length",
            'run-history({r})["loss"].min',
            "run-history({r}).count()",
            "run-history({r}).last().epoch",
            "run-history({r}).{fold2}({h} => {h}._step)",
            "run-usedArtifactVersions({r}).length",
            "run-loggedArtifactVersions({r}).map({a} => {a}.size).{fold}",
            "{version}.size",
            "{version}.metadata.rows",
            "{r}.tags.filter({t} => {t}.includes({words})).count()",
            "runs.filter({o} => run-state({o}) === run-state({r})).count()",
            "runs.filter({o} => {number@o} > {number}).length",
            "runs.filter({o} => run-user({o}) === run-user({r})).map({o} => {numeric@o}).{fold}",
            "{config}.layers.map({i} => {i} * 2).{fold}",
            "{config}.blocks.map({i} => {i}.units).sum()",
            "{config}.layers.sum()",
        ),
    ),
    "op": (("+", "-", "*", "/", "%"), ()),
    "minus": (("-", "*", "/", "%"), ()),
    "math": (("abs", "floor", "ceil", "round", "sign", "trunc", "sqrt", "log", "log10", "log2", "exp"), ()),
    "part": (
        (
            "getFullYear",
            "getMonth",
            "getDate",
            "getDay",
            "getHours",
            "getMinutes",
            "getUTCDay",
            "getUTCHours",
        ),
        (),
    ),
    "fold": (_FOLDS, ()),
    "fold2": (("avg", "max", "min", "sum", "stddev"), ()),
    "row": (
        ('["loss"]', ".loss", '["val/acc"]', ".gpu.mem", '["gpu.util"]', "._step", ".epoch", ".absent"),
        (),
    ),
    "version": (
        tuple(
            f'run-loggedArtifactVersion({{r}}, "{name}")'
            for name in ("model:latest", "model:v1", "training-data:best", "it's:v0", "none:v0")
        )
        + (
            'runLoggedArtifactVersion({r}, "model:v2")',
            "run-usedArtifactVersions({r})[0]",
            "run-loggedArtifactVersions({r}).last()",
        ),
        (),
    ),
    "text": (
        ("{field}", "{words}", "{field}"),
        (
            "{text}.toLowerCase()",
            "{text}.toUpperCase()",
            "{keyed}.toUpperCase()",
            "{summary}.note.trim()",
            "{text}.trim()",
            "{text}.slice({cut})",
            "{summary}.note.slice({cut})",
            '{text}.replace("a", "_")',
            "{field}.replace({words}, {words})",
            '{field}.replaceAll("a", "__")',
            '{field}.split("-")[1]',
            '{field}.split("-").last()',
            '{field}.split("a").join("+")',
            "`${{field}}: ${{plain}}`",
            "`${{text}}/${{whole}}!`",
            "({field} + {words})",
            "({words} + {text})",
            "({sure} + {plain})",
            "String({plain})",
            "String({condition})",
            "(typeof {entry})",
            "(typeof {number})",
            "(typeof ({condition}))",
            "`${{condition}}`",
            "{date}.toDateString()",
            "{date}.toISOString()",
            '{r}.tags.join("+")',
            "{r}.tags[0]",
            "({condition} ? {text} : {text})",
            "({text} ?? {words})",
            "({text} || {words})",
            "{version}.name",
            "{version}.version",
            "{version}.digest",
            '{version}.aliases.join(",")',
            "{version}.description",
            "{config}.layers.join('-')",
            "{field}[0]",
        ),
    ),
    "cut": (("1", "0, 3", "-2", "1, -1", "2, 1", "-3, -1", "0"), ()),
    "whole": (("{r}.tags.length", "{config}.batch", "run-runtime({r})", "{date}.getDate()"), ()),
    "order": (("<", "<=", ">", ">="), ()),
    "same": (("===", "!=="), ()),
    "condition": (
        (
            "{entry} {order} {literal}",
            "{number} {order} {number}",
            "{keyed} {order} {words}",
            "{entry} {same} {words}",
        ),
        (
            "{value} {order} {number}",
            "{entry} {order} {entry}",
            "{value} {same} {literal}",
            "{value} {same} true",
            "{text} {same} {text}",
            "{field} {order} {text}",
            "{entry} {same} null",
            "{entry} == null",
            "{entry} != undefined",
            "{number} {same} undefined",
            "{text} {same} null",
            "!{value}",
            "!({condition})",
            "!!{number}",
            "!!{text}",
            "Boolean({value})",
            "isNaN({numeric})",
            "isNaN({entry})",
            "({condition}) === false",
            "[true, 0].includes({condition})",
            "({condition} && {condition})",
            "({condition} || {condition})",
            "!({condition} && {condition})",
            "{text}.startsWith({words})",
            "{text}.endsWith({words})",
            "{text}.includes({words})",
            "!!{keyed}.startsWith({words})",
            "!{keyed}.includes({words})",
            '"lr" in {config}',
            '"optimizer" in {config}',
            '"optimizer.lr" in {config}',
            '"none" in {config}',
            '"state" in {summary}',
            '!("a/b" in {config})',
            "{r}.tags.includes({words})",
            "run-tags({r}).includes('baseline')",
            "{r}.tags.some({t} => {t} === {words})",
            "{r}.tags.every({t} => {t}.length > 4)",
            '["cnn", "mlp", 64].includes({entry})',
            "[1, 2, 0.5].includes({numeric})",
            "!!{config}.layers.includes(64)",
            "!!{config}.layers.includes('a')",
            "{date} {order} {date}",
            "{date} {order} Date.now()",
            "{date} > Date.now() - 7*24*60*60*1000",
            "{date}.getTime() {order} {number}",
            'run-usedArtifactVersions({r}).some({a} => {a}.name === "preprocessing-pipeline")',
            "{r}.loggedArtifactVersions.every({a} => {a}.size > 100)",
            '{r}.usedArtifactVersions.some({a} => {a}.aliases.includes("latest"))',
            "!{version}",
            "{version} === null",
            "run-history({r}).some({h} => {h}{row} > {literal})",
            "run-history({r}).every({h} => {h}{row} !== null)",
            "runs.some({o} => {number@o} > {number})",
            "runs.every({o} => {o}.runtime <= {number} || {condition@o})",
            "({condition} ? {condition} : {condition})",
            "{r} === runs[0]",
            "{r} !== runs.last()",
        ),
    ),
    "runs": (
        ("runs", "runs", "runs.filter({x} => {condition@x})"),
        (
            "{runs}.filter({x} => {condition@x})",
            "{runs}.filter({x} => { if ({condition@x}) { return {condition@x} } return {value@x} })",
            "{runs}.sort(({x}, {y}) => {key@x} - {key@y})",
            "{runs}.sort(({x}, {y}) => {key@y} - {key@x})",
            "{runs}.limit(7)",
            "{runs}.slice(3, 12)",
            "{runs}.slice(-9)",
            "{runs}.slice(5, -150)",
            "{runs}.reverse()",
            "{runs}.slice(2)",
        ),
    ),
    "key": (("\0",), ()),
    "scalar": (("{value}", "{number}", "{text}", "{condition}"), ()),
    "one": (
        ("runs[0]", "runs[3]", "runs.last()", "runs.first()", "run", "run1", "runs.at(-2)"),
        (
            "{runs}[0]",
            "{runs}[5]",
            "{runs}[300]",
            "{runs}.find({x} => {condition@x})",
            "{runs}.first()",
            "{runs}.last()",
            "{best}",
            "{best}",
        ),
    ),
    "best": (("\0",), ()),
    "list": (
        ("{runs}.map({x} => {scalar@x})",),
        (
            "{runs}.map({x} => {scalar@x}).unique()",
            "{runs}.map({x} => {number@x}).slice(2, 9)",
            "{runs}.map({x} => {numeric@x}).reverse().limit(4)",
            "{runs}.map({x} => {number@x}).filter({v} => {v} > {literal})",
            "{runs}.map({x} => {entry@x}).filter({v} => {v} !== null).map({v} => typeof {v})",
            "{runs}.flatMap({x} => {x}.tags)",
            "{runs}.flatMap({x} => {x}.tags).unique()",
            "{runs}.map({x} => {x}.tags).flatten().limit(9)",
            "{runs}.summary.accuracy",
            '{runs}.config["a/b"]',
            "run-config({runs}).lr",
            "run-name({runs})",
            "{runs}.name.unique()",
            "{runs}.map({x} => {x}.config).map({c} => {c}.lr)",
            "{runs}.map(run-name)",
            "{runs}.map({x} => {date@x})",
            "{runs}.map({x} => {config@x})",
            "{runs}.flatMap({x} => run-history({x})).map({h} => {h}{row})",
            "{runs}.flatMap({x} => {x}.history).filter({h} => {h}{row} > {literal})",
            "{runs}.flatMap({x} => {x}.usedArtifactVersions).map({a} => {a}.name).unique()",
            "{runs}.flatMap({x} => run-loggedArtifactVersions({x}))",
            "{runs}.flatMap({x} => {config@x}.layers)",
            "{runs}.map({x} => {sure@x}.split('-')).flatten().unique()",
            "{runs}.map({x} => {x}.tags)",
            "{runs}.map({x} => {version@x})",
            "run-history({one}).map({h} => ({s: {h}._step, v: {h}{row}}))",
        ),
    ),
    "number1": (
        (
            "{runs}.map({x} => {entry@x}).{fold}",
            "{runs}.map({x} => {number@x}).{fold}",
            "{runs}.count()",
            "{runs}.length",
        ),
        (
            "{runs}.summary['accuracy'].{fold}",
            "{runs}.config.batch.{fold}",
            "{runs}.{fold2}({x} => {number@x})",
            "{runs}.{fold2}({x} => {numeric@x})",
            "{runs}.reduce(({s}, {x}) => {s} + {numeric@x}, 0)",
            "{runs}.reduce(({s}, {x}) => {s} + {x}.tags.length, 10)",
            "{runs}.map({x} => {value@x}).{fold}",
            "{runs}.map({x} => {date@x}).max()",
            "{runs}.map({x} => {date@x}).min()",
            "{runs}.map({x} => Number({plain@x})).{fold}",
            "({runs}.map({x} => {numeric@x}).max() - {runs}.map({x} => {numeric@x}).min())",
            "{runs}.map({x} => {x}.name).unique().length",
            "{runs}.flatMap({x} => {x}.history).map({h} => {h}{row}).{fold}",
            "Math.round({runs}.map({x} => {numeric@x}).avg() * 100)",
            "{runs}.filter({x} => {condition@x}).length / runs.length",
        ),
    ),
    "groupkey": (("{plain}", "{text}", "{entry}", "{condition}", "({state: {field}, size: {plain}})"), ()),
    "grouped": (
        ("{runs}.groupBy({x} => {groupkey@x})", "{runs}.groupBy({x} => {groupkey@x}).count()"),
        (
            "{runs}.groupBy({x} => {groupkey@x}).map({g} => ({key: {g}.key, n: {g}.count(), kept: {g}.filter({m} => {condition@m}).length, "
            "value: {g}.map({m} => {number@m}).{fold}}))",
            "{runs}.groupBy({x} => {groupkey@x}).map({g} => ({k: {g}.key, a: {g}.summary['accuracy'].max, b: {g}.config.batch.avg(), n: {g}.length}))",
            "{runs}.groupBy({x} => {groupkey@x}).filter({g} => {g}.count() > 3).map({g} => {g}.key)",
            "{runs}.groupBy({x} => {groupkey@x}).map({g} => ({k: {g}.key, some: {g}.some({m} => {condition@m}), all: {g}.every({m} => {condition@m})}))",
            "{runs}.groupBy({x} => {groupkey@x}).{fold2}({m} => {numeric@m})",
            "{runs}.groupBy({x} => {groupkey@x}).map({g} => ({k: {g}.key, v: {g}.filter({m} => {condition@m}).map({m} => {numeric@m}).{fold}})).sort(({p}, {q}) => {q}.v - {p}.v)",
            "{runs}.groupBy({x} => {groupkey@x}).length",
        ),
    ),
    "record": (
        ("{runs}.map({x} => ({a: {scalar@x}, b: {scalar@x}}))",),
        (
            "{runs}.map({x} => ({'the name': {field@x}, \"v/1\": {scalar@x}, c: {scalar@x}}))",
            "{runs}.map({x} => ({name: {field@x}, v: {numeric@x}})).sort(({p}, {q}) => {q}.v - {p}.v).limit(5)",
            "{runs}.map({x} => ({name: {field@x}, v: {number@x}})).filter({p} => {p}.v > {literal}).map({p} => {p}.name)",
            "{runs}.map({x} => { const {k} = {number@x}; return {v: {k}, w: {k} * 2} })",
        ),
    ),
    "program": (
        (
            "{runs}",
            "{list}",
            "{number1}",
            "{grouped}",
            "{record}",
            "{one}",
            "{runs}.some({x} => {condition@x})",
            "{runs}.every({x} => {condition@x})",
        ),
        (
            "{b} = {one}; runs.filter({x} => Math.abs({numeric@x} - {numeric@b}) < 0.3 && {field@x} !== {field@b})",
            "const {b} = {one}\n{l} = {runs}\n{l}.map({x} => {numeric@x} - {numeric@b})",
            "{b} = {one}; {v} = {scalar@b}",
            '{b} = {one}; {s} = run-summary({b}); {s}.accuracy; {s}["val/loss"]',
            "{f} = {x} => {numeric@x}; {l} = {runs}.filter({x} => {f}({x}) > {literal}); {l}.map({f}).{fold}",
            "{n} = {number1}; runs.filter({x} => {numeric@x} > {n}).length",
            "compareConfigs(run-config(run1), run-config(run2)).filter({d} => {d}.differs).map({d} => {d}.key)",
            '{b} = {one}; if ({condition@b}) { console.log(`is ${{field@b}}`, {whole@b}) } else { alert("no") }',
            "run-usedArtifactVersions({one}).forEach({a} => { console.log(`Used: ${{a}.name}:${{a}.version}`) })",
            "{runs}.limit(5).forEach({x} => { if ({condition@x}) { console.log({field@x}) } })",
            "// a comment\n{runs} /* another */ .map({x} => {scalar@x})",
            '{m} = run-loggedArtifactVersion({one}, "model:latest"); {m}.version; {m}.size; {m}.metadata.source.url',
        ),
    ),
}
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
