"""Writes programs by a grammar: each in the notation, and as the JavaScript that a judge runs.

Both come from one choice at each place, so they say the same; what differs is only how a run's operation is called and
how a member of something missing is read (`?.`).
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Program", "programs"]

CONFIG_KEYS = (
    "lr",
    "batch",
    "model_type",
    "flag",
    "mixed",
    "a/b",
    'it\'s "x"',
    "optimizer.name",
    "optimizer.lr",
    "none",
)
SUMMARY_KEYS = ("accuracy", "loss", "val/loss", "note", "mixed", "none")
TEXTS = ("a", "Bad", "good", "cnn", "adam", "-", " ", "é", "7")


@dataclass(frozen=True)
class Program:
    """A program in the notation and in JavaScript."""

    ours: str
    js: str
    kind: str
    """Which rule of the grammar it began with."""


@dataclass(frozen=True)
class Pair:
    """The same piece in both."""

    ours: str
    js: str


@dataclass
class Writer:
    """Writes one program."""

    rng: random.Random
    depth: int = 3
    names: int = field(default=0)

    def name(self, stem: str) -> str:
        """A name not used before."""
        self.names += 1
        return f"{stem}{self.names}"

    def pick(self, *choices: Callable[[], Pair]) -> Pair:
        """One of several rules; the first one where the program is deep enough."""
        self.depth -= 1
        try:
            return (self.rng.choice(choices) if self.depth > 0 else choices[0])()
        finally:
            self.depth += 1

    # Values of any kind

    def entry(self, run: str) -> Pair:
        """A key of a config or a summary, in one of the ways to write it."""
        rng = self.rng
        config = rng.random() < 0.5
        key = rng.choice(CONFIG_KEYS if config else SUMMARY_KEYS)
        operation = "Config" if config else "Summary"
        head = rng.choice(
            [f"run-{operation.lower()}({run})", f"run{operation}({run})", f"{run}.{operation.lower()}"]
        )
        quoted = json.dumps(key, ensure_ascii=False)
        plain = key.replace(".", "").isidentifier()
        written = f".{key}" if plain and rng.random() < 0.6 else f"[{quoted}]"
        return Pair(f"{head}{written}", f"run{operation}({run})?.[{quoted}]")

    def value(self, run: str) -> Pair:
        """A value of any kind."""

        def fallback() -> Pair:
            a, b = self.entry(run), self.entry(run)
            return Pair(f"({a.ours} ?? {b.ours})", f"({a.js} ?? {b.js})")

        def chosen() -> Pair:
            c, a, b = self.boolean(run), self.value(run), self.value(run)
            return Pair(f"({c.ours} ? {a.ours} : {b.ours})", f"({c.js} ? {a.js} : {b.js})")

        def disjunction() -> Pair:
            a, b = self.entry(run), self.entry(run)
            return Pair(f"({a.ours} || {b.ours})", f"({a.js} || {b.js})")

        return self.pick(lambda: self.entry(run), lambda: self.entry(run), fallback, chosen, disjunction)

    # Numbers

    def literal(self) -> Pair:
        """A number that is written out."""
        text = self.rng.choice(["0", "1", "2", "-1", "0.5", "0.25", "64", "0.9", "1e3", "-2.5"])
        return Pair(text, text)

    def number(self, run: str) -> Pair:
        """A number."""
        rng = self.rng

        def converted() -> Pair:
            a = self.entry(run)
            return Pair(f"Number({a.ours})", f"({a.js} === undefined ? NaN : Number({a.js}))")

        def arithmetic() -> Pair:
            operator = rng.choice(["+", "-", "*", "/", "%"])
            a, b = self.number(run), self.number(run)
            return Pair(f"({a.ours} {operator} {b.ours})", f"({a.js} {operator} {b.js})")

        def of_value() -> Pair:
            operator = rng.choice(["-", "*", "/"])
            a, b = self.entry(run), self.number(run)
            return Pair(f"({a.ours} {operator} {b.ours})", f"({a.js} {operator} {b.js})")

        def function() -> Pair:
            name = rng.choice(
                ["abs", "floor", "ceil", "round", "sign", "trunc", "sqrt", "log", "log10", "log2", "exp"]
            )
            a = self.number(run)
            return Pair(f"Math.{name}({a.ours})", f"Math.{name}({a.js})")

        def extreme() -> Pair:
            name = rng.choice(["max", "min"])
            a, b = self.number(run), self.number(run)
            return Pair(f"Math.{name}({a.ours}, {b.ours})", f"Math.{name}({a.js}, {b.js})")

        def runtime() -> Pair:
            return Pair(rng.choice([f"run-runtime({run})", f"{run}.runtime"]), f"runRuntime({run})")

        def part_of_date() -> Pair:
            method = rng.choice(
                ["getTime", "getFullYear", "getMonth", "getDate", "getDay", "getHours", "getMinutes"]
            )
            utc = method.replace("get", "getUTC") if method != "getTime" else method
            return Pair(f"run-createdAt({run}).{method}()", f"runCreatedAt({run})?.{utc}()")

        def length() -> Pair:
            a = self.text(run)
            return Pair(f"{a.ours}.length", f"({a.js})?.length")

        def of_list() -> Pair:
            return rng.choice([self.of_history, self.of_tags, self.of_artifacts])(run)

        def choice() -> Pair:
            c, a, b = self.boolean(run), self.number(run), self.number(run)
            return Pair(f"({c.ours} ? {a.ours} : {b.ours})", f"({c.js} ? {a.js} : {b.js})")

        return self.pick(
            self.literal,
            converted,
            arithmetic,
            of_value,
            function,
            extreme,
            runtime,
            part_of_date,
            length,
            of_list,
            choice,
        )

    def of_history(self, run: str) -> Pair:
        """A number that a history gives."""
        row = self.name("row")
        key = self.rng.choice(["loss", "acc", "none"])
        rows, js_rows = f"run-history({run})", f"runHistory({run})"
        if self.rng.random() < 0.4:
            bound = self.literal()
            rows += f".filter({row} => {row}.{key} > {bound.ours})"
            js_rows += f".filter({row} => {row}?.{key} > {bound.js})"
        fold = self.rng.choice(["max", "min", "avg", "sum", "stddev", "count"])
        if self.rng.random() < 0.2:
            return Pair(f"{rows}.length", f"{js_rows}.length")
        body = self.rng.choice([("", ""), (" * 2", " * 2"), (" - 0.25", " - 0.25")])
        if self.rng.random() < 0.3:
            return Pair(
                f"{rows}.map({row} => {row}._step).{fold}()", f"{js_rows}.map({row} => {row}?._step).{fold}()"
            )
        return Pair(
            f'{rows}.map({row} => {row}["{key}"]{body[0]}).{fold}()',
            f'{js_rows}.map({row} => {row}?.["{key}"]{body[1]}).{fold}()',
        )

    def of_tags(self, run: str) -> Pair:
        """A number that tags give."""
        tag = self.name("tag")
        return self.rng.choice(
            [
                Pair(f"run-tags({run}).length", f"runTags({run}).length"),
                Pair(
                    f'{run}.tags.filter({tag} => {tag}.includes("s")).count()',
                    f'runTags({run}).filter({tag} => {tag}.includes("s")).count()',
                ),
            ]
        )

    def of_artifacts(self, run: str) -> Pair:
        """A number that artifacts give."""
        a = self.name("a")
        wanted = self.rng.choice(["model:latest", "model:v1", "data-set:best", "it's:v0", "none:latest"])
        return self.rng.choice(
            [
                Pair(f"run-usedArtifactVersions({run}).length", f"runUsedArtifactVersions({run}).length"),
                Pair(
                    f"run-loggedArtifactVersions({run}).map({a} => {a}.size).sum()",
                    f"runLoggedArtifactVersions({run}).map({a} => {a}.size).sum()",
                ),
                Pair(
                    f"run-loggedArtifactVersion({run}, {json.dumps(wanted)}).size",
                    f"runLoggedArtifactVersion({run}, {json.dumps(wanted)})?.size",
                ),
            ]
        )

    # Texts

    def words(self) -> Pair:
        """A text that is written out."""
        text = json.dumps(self.rng.choice(TEXTS), ensure_ascii=False)
        return Pair(text, text)

    def field_of(self, run: str) -> Pair:
        """A field of a run that is text."""
        name = self.rng.choice(["name", "id", "state", "jobType", "group", "user", "project"])
        camel = f"run{name[0].upper()}{name[1:]}"
        return Pair(
            self.rng.choice([f"run-{name}({run})", f"{camel}({run})", f"{run}.{name}"]), f"{camel}({run})"
        )

    def text(self, run: str) -> Pair:
        """A text."""
        rng = self.rng

        def method() -> Pair:
            a = rng.choice([self.text, self.entry])(run)
            name, arguments = rng.choice(
                [
                    ("toLowerCase", ""),
                    ("toUpperCase", ""),
                    ("trim", ""),
                    ("slice", "1"),
                    ("slice", "0, 3"),
                    ("slice", "-2"),
                    ("slice", "1, -1"),
                    ("replace", '"a", "_"'),
                    ("replaceAll", '"a", "__"'),
                ]
            )
            return Pair(f"{a.ours}.{name}({arguments})", f"({a.js})?.{name}?.({arguments})")

        def piece() -> Pair:
            a, place = self.field_of(run), rng.choice([0, 1, 2])
            return Pair(f'{a.ours}.split("-")[{place}]', f'({a.js})?.split("-")[{place}]')

        def template() -> Pair:
            a, b = self.field_of(run), rng.choice([self.field_of, self.whole])(run)
            return Pair(f"`${{{a.ours}}}: ${{{b.ours}}}`", f"`${{{a.js}}}: ${{{b.js}}}`")

        def joined() -> Pair:
            a, b = self.field_of(run), self.words()
            return Pair(f"({a.ours} + {b.ours})", f"({a.js} + {b.js})")

        def day() -> Pair:
            method = rng.choice(["toDateString", "toISOString"])
            return Pair(f"run-createdAt({run}).{method}()", f"runCreatedAt({run})?.{method}()")

        def tags() -> Pair:
            return Pair(f'{run}.tags.join("+")', f'runTags({run}).join("+")')

        def kind() -> Pair:
            a = self.entry(run)
            return Pair(f"(typeof {a.ours})", f"(typeof {a.js})")

        return self.pick(
            lambda: self.field_of(run), self.words, method, piece, template, joined, day, tags, kind
        )

    def whole(self, run: str) -> Pair:
        """A number whose digits SQL and JavaScript write alike."""
        return self.rng.choice(
            [
                Pair(f"run-tags({run}).length", f"runTags({run}).length"),
                Pair(f"run-config({run}).batch", f"runConfig({run})?.batch"),
                Pair(f"run-runtime({run})", f"runRuntime({run})"),
            ]
        )

    # Conditions

    def boolean(self, run: str) -> Pair:
        """A condition."""
        rng = self.rng

        def compared(left: Pair, right: Pair, operators: str = "< <= > >=") -> Pair:
            operator = rng.choice(operators.split())
            return Pair(f"{left.ours} {operator} {right.ours}", f"{left.js} {operator} {right.js}")

        def same() -> Pair:
            right = rng.choice([self.words(), self.literal(), Pair("true", "true")])
            return compared(self.value(run), right, "=== !==")

        def texts() -> Pair:
            return compared(self.text(run), self.text(run), "=== !== < >=")

        def missing() -> Pair:
            a = self.entry(run)
            word = rng.choice(["=== null", "== null", "!== undefined", "!= null"])
            return Pair(f"{a.ours} {word}", f"{a.js} {word.replace('null', 'undefined')}")

        def negated() -> Pair:
            a = self.boolean(run)
            return Pair(f"!({a.ours})", f"!({a.js})")

        def truth() -> Pair:
            a = rng.choice([self.value, self.value, self.number, self.text])(run)
            return Pair(f"!!{a.ours}", f"!!({a.js})")

        def both() -> Pair:
            a, b = self.boolean(run), self.boolean(run)
            operator = rng.choice(["&&", "||"])
            return Pair(f"({a.ours} {operator} {b.ours})", f"({a.js} {operator} {b.js})")

        def method() -> Pair:
            a, b = rng.choice([self.text, self.entry])(run), self.words()
            name = rng.choice(["startsWith", "endsWith", "includes"])
            return Pair(f"!!{a.ours}.{name}({b.ours})", f"!!(({a.js})?.{name}?.({b.js}))")

        def held() -> Pair:
            key = json.dumps(rng.choice(CONFIG_KEYS), ensure_ascii=False)
            return Pair(f"{key} in run-config({run})", f"{key} in runConfig({run})")

        def tagged() -> Pair:
            tag = json.dumps(rng.choice(["baseline", "it's", "none"]))
            return Pair(f"run-tags({run}).includes({tag})", f"runTags({run}).includes({tag})")

        def lineage() -> Pair:
            a = self.name("a")
            test = rng.choice([f'{a}.name === "model"', f'{a}.aliases.includes("latest")', f"{a}.size > 150"])
            fold = rng.choice(["some", "every"])
            return Pair(
                f"run-usedArtifactVersions({run}).{fold}({a} => {test})",
                f"runUsedArtifactVersions({run}).{fold}({a} => {test})",
            )

        def in_list() -> Pair:
            a = self.entry(run)
            items = ", ".join(
                each.ours for each in (rng.choice([self.words, self.literal])() for _ in range(3))
            )
            return Pair(f"[{items}].includes({a.ours})", f"[{items}].includes({a.js})")

        def layers() -> Pair:
            item = json.dumps(rng.choice([64, 8, "a", "x"]))
            return Pair(
                f"run-config({run}).layers.includes({item})",
                f"!!runConfig({run})?.layers?.includes?.({item})",
            )

        return self.pick(
            lambda: compared(self.entry(run), self.literal()),
            lambda: compared(self.number(run), self.number(run)),
            lambda: compared(self.value(run), self.number(run)),
            lambda: compared(self.entry(run), self.words()),
            lambda: compared(self.entry(run), self.entry(run)),
            same,
            texts,
            missing,
            negated,
            truth,
            both,
            method,
            held,
            tagged,
            lineage,
            in_list,
            layers,
        )

    # Lists of runs

    def runs(self) -> Pair:
        """A list of runs."""
        rng = self.rng

        def everyone() -> Pair:
            return Pair("runs", "runs")

        def kept() -> Pair:
            of, r = self.runs(), self.name("r")
            test = self.boolean(r)
            return Pair(f"{of.ours}.filter({r} => {test.ours})", f"{of.js}.filter({r} => {test.js})")

        def ordered() -> Pair:
            of, a, b = self.runs(), self.name("x"), self.name("y")
            first, second = (a, b) if rng.random() < 0.5 else (b, a)
            ours, js = rng.choice(
                [
                    ("run-createdAt({0})", "runCreatedAt({0})"),
                    ("run-config({0}).batch", "runConfig({0})?.batch"),
                    ("run-summary({0})['val/loss']", "runSummary({0})?.['val/loss']"),
                    ("run-runtime({0}) * 2", "runRuntime({0}) * 2"),
                    ("run-tags({0}).length", "runTags({0}).length"),
                ]
            )
            return Pair(
                f"{of.ours}.sort(({a}, {b}) => {ours.format(first)} - {ours.format(second)})",
                f"{of.js}.sort(({a}, {b}) => {js.format(first)} - {js.format(second)})",
            )

        def part() -> Pair:
            of = self.runs()
            call = rng.choice(
                ["limit(7)", "slice(3, 12)", "slice(-9)", "slice(5, -150)", "reverse()", "slice(2)"]
            )
            js = f"List.of_([...{of.js}].reverse())" if call == "reverse()" else f"{of.js}.{call}"
            return Pair(f"{of.ours}.{call}", js)

        return self.pick(everyone, everyone, kept, kept, ordered, part)

    def scalar(self, run: str) -> tuple[Pair, str]:
        """A scalar of any type."""
        kind = self.rng.choice(["value", "number", "text", "boolean"])
        return getattr(self, kind)(run), kind

    def one_run(self) -> Pair:
        """A single run."""
        of, rng = self.runs(), self.rng
        r = self.name("r")

        def placed() -> Pair:
            place = rng.choice([0, 1, 5, 300])
            return Pair(f"{of.ours}[{place}]", f"{of.js}[{place}]")

        def found() -> Pair:
            test = self.boolean(r)
            return Pair(f"{of.ours}.find({r} => {test.ours})", f"{of.js}.find({r} => {test.js})")

        def best() -> Pair:
            a, b = self.name("best"), self.name("run")
            operator = rng.choice(["<", "<=", ">", ">="])
            key = rng.choice(["accuracy", "loss", "val/loss"])
            better = f"run-summary({b})['{key}'] {operator} run-summary({a})['{key}']"
            ours = f"{of.ours}.reduce(({a}, {b}) => {better} ? {b} : {a})"
            # Texts that read as a number count as one beside a number: here all are turned into numbers.
            js = f"{of.js}.best(x => Number(runSummary(x)?.['{key}']), (x, y) => x {operator} y)"
            return Pair(ours, js)

        def last() -> Pair:
            return Pair(f"{of.ours}.last()", f"{of.js}.last()")

        return rng.choice([placed, found, best, best, last])()

    # Programs

    def program(self) -> Program:
        """One program."""
        rules = (
            self.listed,
            self.mapped,
            self.aggregate,
            self.grouped,
            self.single,
            self.recorded,
            self.baseline,
            self.asked,
        )
        rule = self.rng.choice(rules)
        pair = rule()
        return Program(pair.ours, pair.js, rule.__name__)

    def listed(self) -> Pair:
        """A list of runs."""
        of = self.runs()
        return Pair(of.ours, f"return {of.js}")

    def mapped(self) -> Pair:
        """A list of scalars, perhaps each once."""
        of, r = self.runs(), self.name("r")
        each, _ = self.scalar(r)
        unique = self.rng.choice(["", "", ".unique()", ".slice(1, 4)"])
        if self.rng.random() < 0.15:
            unique = self.rng.choice([".unique()", ".count()", ".limit(9)"])
            return Pair(
                f"{of.ours}.flatMap({r} => {r}.tags){unique}",
                f"return List.of_({of.js}.flatMap({r} => [...runTags({r})])){unique}",
            )
        return Pair(
            f"{of.ours}.map({r} => {each.ours}){unique}", f"return {of.js}.map({r} => {each.js}){unique}"
        )

    def aggregate(self) -> Pair:
        """One number of a list."""
        of, r = self.runs(), self.name("r")
        fold = self.rng.choice(["count", "avg", "max", "min", "sum", "stddev"])
        each = self.rng.choice([self.entry, self.entry, self.number, self.value])(r)
        if self.rng.random() < 0.2:
            each = Pair(f"Number({each.ours})", f"({each.js} === undefined ? NaN : Number({each.js}))")
        return Pair(
            f"{of.ours}.map({r} => {each.ours}).{fold}()", f"return {of.js}.map({r} => {each.js}).{fold}()"
        )

    def grouped(self) -> Pair:
        """Groups with several aggregates."""
        of, r, g, m = self.runs(), self.name("r"), self.name("g"), self.name("m")
        key = self.rng.choice([self.entry, self.text, self.boolean, self.entry])(r)
        head = Pair(f"{of.ours}.groupBy({r} => {key.ours})", f"{of.js}.groupBy({r} => {key.js})")
        if self.rng.random() < 0.25:
            return Pair(head.ours, f"return {head.js}")
        number, test = self.rng.choice([self.entry, self.number])(m), self.boolean(m)
        fold = self.rng.choice(["avg", "max", "min", "sum", "stddev"])
        ours = (
            f"({{key: {g}.key, n: {g}.count(), kept: {g}.filter({m} => {test.ours}).length, "
            f"all: {g}.every({m} => {test.ours}), value: {g}.map({m} => {number.ours}).{fold}()}})"
        )
        js = (
            f"({{key: {g}.key, n: {g}.count(), kept: {g}.filter({m} => {test.js}).length, "
            f"all: {g}.every({m} => {test.js}), value: {g}.map({m} => {number.js}).{fold}()}})"
        )
        more = self.rng.choice(["", "", f".filter({g} => {g}.count() > 2)"])
        return Pair(f"{head.ours}{more}.map({g} => {ours})", f"return {head.js}{more}.map({g} => {js})")

    def single(self) -> Pair:
        """One run, or a scalar of it."""
        run = self.one_run()
        if self.rng.random() < 0.5:
            return Pair(run.ours, f"return {run.js}")
        name = self.name("chosen")
        scalar, _ = self.scalar(name)
        if (
            "Date" in scalar.js
            or "runTags" in scalar.js
            or "runHistory" in scalar.js
            or "Artifact" in scalar.js
        ):
            scalar = self.entry(name)
        return Pair(f"{name} = {run.ours}; {scalar.ours}", f"const {name} = {run.js}; return {scalar.js}")

    def recorded(self) -> Pair:
        """A table with several columns."""
        of, r = self.runs(), self.name("r")
        columns = [(f"c{place}", *self.scalar(r)) for place in range(self.rng.randrange(2, 4))]
        ours = ", ".join(f"{name}: {pair.ours}" for name, pair, _ in columns)
        js = ", ".join(f"{name}: {pair.js}" for name, pair, _ in columns)
        return Pair(f"{of.ours}.map({r} => ({{{ours}}}))", f"return {of.js}.map({r} => ({{{js}}}))")

    def baseline(self) -> Pair:
        """Runs compared with one of them."""
        one, r, name = self.one_run(), self.name("r"), self.name("baseline")
        a = self.entry(r)
        b = Pair(a.ours.replace(r, name), a.js.replace(r, name))
        operator = self.rng.choice(["<", ">=", "<="])
        test = Pair(f"{a.ours} {operator} {b.ours}", f"{a.js} {operator} {b.js}")
        if self.rng.random() < 0.4:
            test = Pair(f"Math.abs({a.ours} - {b.ours}) < 0.3", f"Math.abs({a.js} - {b.js}) < 0.3")
        return Pair(
            f"{name} = {one.ours}; runs.filter({r} => {test.ours}).map({r} => {r}.id)",
            f"const {name} = {one.js}; return runs.filter({r} => {test.js}).map({r} => runId({r}))",
        )

    def asked(self) -> Pair:
        """Whether something holds for runs."""
        of, r = self.runs(), self.name("r")
        test, fold = self.boolean(r), self.rng.choice(["some", "every"])
        return Pair(f"{of.ours}.{fold}({r} => {test.ours})", f"return {of.js}.{fold}({r} => {test.js})")


def programs(seed: int, count: int) -> list[Program]:
    """Programs, each another one; all follow from the seed."""
    rng = random.Random(seed)
    found: dict[str, Program] = {}
    while len(found) < count:
        program = Writer(rng, depth=rng.randrange(3, 6)).program()
        found.setdefault(program.ours, program)
    return list(found.values())
