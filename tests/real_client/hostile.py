"""Runs that are hard to keep, written by the official client. Run as a script.

Every function is one run (some open it several times); its name is the run's id.
"""

import datetime as dt
import math
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import wandb

_EMOJI = "\U0001f680"
NUMBERS: dict[str, Any] = {
    "nan": math.nan, "inf": math.inf, "-inf": -math.inf, "minus zero": -0.0, "zero": 0, "one": 1.0, "tenth": 0.1,
    "float32": np.float32(0.1), "int8": np.int8(-128), "uint64": np.uint64(2**64 - 1), "smallest": 5e-324,
    "largest": 1.7976931348623157e308, "1e22": 1e22, "2^53-1": 2**53 - 1, "2^53": 2**53, "2^53+1": 2**53 + 1,
    "-2^53-1": -(2**53) - 1, "2^62": 2**62, "2^63-1": 2**63 - 1, "-2^63": -(2**63), "2^63": 2**63,
    "-2^63-1": -(2**63) - 1, "2^64-1": 2**64 - 1, "2^64": 2**64, "2^70": 2**70, "-2^80": -(2**80),
    "10^400": 10**400,
}  # fmt: skip
TEXTS: dict[str, str] = {
    "NaN": "NaN", "nan": "nan", "Infinity": "Infinity", "-Infinity": "-Infinity", "null": "null", "1": "1",
    "1e400": "1e400", "true": "true", "empty": "", "space": " ", "quotes": "say \"no\" and 'yes'", "slash": "a\\b",
    "lines": "one\ntwo\r\n\tthree", "control": "\x01\x1f\x7f", "nul": "a\0b", "emoji": f"{_EMOJI} e\u0301 \u00e9",
    "separator": "\u2028\u2029\ufeff", "escape": r"\ud800 \u0041 \\ud800", "json": '{"a": [1]}', "long": "x" * 50_000,
    "sql": "'; DROP TABLE runs; --", "surrogate": "a\ud800b",
}  # fmt: skip
KEYS = [
    "a/b", "a/b/c", "a\\b", 'quo"te', "apos'trophe", "back`tick", "new\nline", "tab\t", "with space", " lead", "trail ",
    "select", "from", "table", "group by", "order", "null", "true", "*", "%", "a;b", "a,b", "{a}", "[a]", "$a", "a:b",
    _EMOJI, "\u640d\u5931", "e\u0301", "\u00e9", "k" * 1000, "Loss", "loss", "LOSS", "train_loss", "train-loss",
    "train/loss", "train loss", "value", "step", "key", "type", "run_id", "desc", "_type", "_private", "0", "-1",
    "1e5", "system/cpu", "nul\0key", r"\ud800",
]  # fmt: skip
DEEP: dict[str, Any] = {
    "a": {"b": {"c": {"d": {"e": 1, "f": "x"}, "g": None}, "h": [1, {"i": 2}]}, "empty": {}}
}
CONTAINERS: dict[str, Any] = {
    "empty dict": {}, "empty list": [], "list": [1, 2.5, "x", None, True], "lists": [[1], [], [[2]]],
    "dicts": [{"a": 1}, {"b": None}], "nan inside": [math.nan, math.inf, "NaN", -0.0], "tuple": (1, 2),
    "array": np.arange(4).reshape(2, 2), "list of none": [None], "texts": ["a", 'b"', "\u20ac"],
}  # fmt: skip

Open = Callable[..., Any]


def numbers(start: Open) -> None:
    """Every number, in rows of one and all together, in config and summary."""
    run = start(config=NUMBERS)
    for key, value in NUMBERS.items():
        run.log({"n": value, f"n/{key}": value})
    run.log(dict(NUMBERS))
    run.summary.update({f"best {key}": value for key, value in NUMBERS.items()})


def texts(start: Open) -> None:
    """Every text, as value; one key holds all of them."""
    run = start(config=TEXTS)
    for key, value in TEXTS.items():
        run.log({"t": value, f"t/{key}": value})


def keys(start: Open) -> None:
    """Every key, and those that differ in case or separator only."""
    run = start(config={key: place for place, key in enumerate(KEYS)})
    for step in range(3):
        run.log({key: place * 10 + step for place, key in enumerate(KEYS) if key != "_type"})
    run.summary.update({key: place for place, key in enumerate(KEYS) if key != "_type"})


def dotted(start: Open) -> None:
    """Keys with dots, and nested ones that collide with them."""
    run = start(config={"a.b": 1, "a": {"b": 2, "b.c": 3}, "x..y": 4, ".": 5})
    run.log({"a.b": 1, "a": {"b": 2, "b.c": 3}, "x..y": 4, ".lead": 5, "trail.": 6})
    run.log({"a": {"b": 7}})
    run.log({"a.b": 8})


def nested(start: Open) -> None:
    """Objects five deep."""
    run = start(config=DEEP)
    for step in range(4):
        run.log({**DEEP, "n": {"o": {"p": {"q": {"r": step}}}}})


def containers(start: Open) -> None:
    """Lists and empty objects."""
    run = start(config={key: value for key, value in CONTAINERS.items() if key != "array"})
    run.log(CONTAINERS)
    run.log({"c": []})
    run.log({"c": {}})


def media(start: Open) -> None:
    """Images, histograms and tables."""
    run = start()
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    for step in range(3):
        run.log({"image": wandb.Image(pixels + step, caption=f"number {step}"), "loss": 1 / (step + 1)})
        run.log({"hist": wandb.Histogram([1, 2, 3, step])})
    run.log({"images": [wandb.Image(pixels), wandb.Image(pixels + 9)]})
    run.log({"nested": {"hist": wandb.Histogram([0.5])}})
    run.log({"table": wandb.Table(columns=["x", "y"], data=[[1, "one"], [2, "two"]])})
    run.log({"html": wandb.Html("<p>hello</p>")})


def mixed(start: Open) -> None:
    """One key with values of every kind, one of numbers and NaN, one of numbers and the text "NaN"."""
    run = start()
    for value in (
        1,
        0.5,
        "text",
        True,
        None,
        [1, 2],
        {"sub": 3},
        math.nan,
        "NaN",
        "Infinity",
        -0.0,
        2**53 + 1,
    ):
        run.log({"m": value, "alive": 1})
    for value in (1, math.nan, math.inf, -math.inf, 0.5):
        run.log({"pure": value})
    for pair in ((1, "NaN"), (math.nan, "nan"), (0.5, "-Infinity")):
        for value in pair:
            run.log({"either": value})


def flags(start: Open) -> None:
    """Booleans and nulls."""
    run = start(config={"yes": True, "no": False, "none": None})
    for value in (True, False, None, np.bool_(True)):
        run.log({"flag": value})
    run.log({"none": None})
    run.summary["none"] = None


def empty(start: Open) -> None:
    """Nothing at all."""
    start()


def configured(start: Open) -> None:
    """A config and a summary without any history."""
    start(config={"lr": 0.1}).summary["score"] = 0.5


def gaps(start: Open) -> None:
    """Steps chosen by the user, with gaps."""
    run = start()
    for step in (0, 3, 4, 999, 1000, 5001, 20_000):
        run.log({"loss": 1 / (step + 1)}, step=step)


def late(start: Open) -> None:
    """A history that starts late, at the user's step."""
    run = start()
    for step in (700, 701, 2500):
        run.log({"loss": step}, step=step)


def sparse(start: Open) -> None:
    """Metrics logged seldom, late, once, in turns."""
    run = start()
    for step in range(300):
        row: dict[str, Any] = {"even" if step % 2 == 0 else "odd": step}
        row |= {"seldom": step / 7} if step % 50 == 0 else {}
        row |= {"once": "here"} if step == 123 else {}
        row |= {"late": step * 0.1} if step > 280 else {}
        run.log(row)


def repeated(start: Open) -> None:
    """The same id a second time without resuming: steps start over, lines go on."""
    run = start()
    for step in range(5):
        run.log({"first": step, "both": step})
    run.finish()
    run = start()
    for step in range(3):
        run.log({"second": step, "both": -step})


def resumed(start: Open) -> None:
    """Three lives of one run."""
    for life in range(3):
        run = start(resume="allow", config={f"life {life}": life})
        for step in range(4):
            run.log({"loss": 1 / (life + 1), "at": step})
        run.finish()


def failed(start: Open) -> None:
    """A run that ends with an error."""
    run = start()
    run.log({"loss": math.nan})
    run.finish(exit_code=1)


def merged(start: Open) -> None:
    """Several calls into one step, and a step in the past, which the client drops."""
    run = start()
    run.log({"a": 1}, step=1, commit=False)
    run.log({"b": 2}, step=1)
    run.log({"a": 3}, step=2)
    run.log({"a": 4}, step=0)


def described(start: Open) -> None:
    """Names, tags, notes with everything in them."""
    run = start(
        name=f"{_EMOJI} 'quoted' \"name\"", notes="two\nlines", group="g/1", job_type="a b",
        tags=["x", f"tag {_EMOJI}", "it's", 'quo"te', "B", "b", "a,b"],
    )  # fmt: skip
    run.log({"x": 1})


def defined(start: Open) -> None:
    """Metrics with a step metric of their own, and summaries of minimum and maximum."""
    run = start()
    run.define_metric("epoch")
    run.define_metric("val/*", step_metric="epoch", summary="max")
    run.define_metric("loss", summary="min")
    for step in range(10):
        run.log({"loss": (step - 5) ** 2, "epoch": step // 2, "val/acc": step % 4})


def moments(start: Open) -> None:
    """Dates, bytes, complex values: what the client makes texts of."""
    run = start(config={"day": dt.date(2026, 1, 2)})
    run.log({"when": dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC), "bytes": b"ab", "complex": 1 + 2j})


def refused(start: Open) -> None:
    """What the client does not take, and what it drops in silence: the run has what is left."""
    run = start()
    for row in ({"\ud800": 1}, {"v": b"\xff"}, {1: 1}, {"v": object()}):
        try:
            run.log(row)
        except (TypeError, UnicodeError):
            continue
        raise SystemExit(f"the client takes {row!r} now")
    run.log({"": 1, "_step": 77, "x": 2, "y": {}})


def edited(start: Open) -> None:
    """Config changed late, summary set by hand, nested and not finite."""
    run = start(config={"lr": 0.1, "gone": {"a": 1, "b": 2}})
    run.log({"loss": 0.5, "acc": {"top1": 0.9}})
    run.config.update({"lr": "auto", "gone": {"c": 3}, "late": [1]}, allow_val_change=True)
    run.summary["best"] = {"loss": math.nan, "acc": {"top1": math.inf}, "text": "NaN"}
    run.summary["loss"] = -0.0


def config_is(start: Open, value: Any) -> None:
    """A config entry whose type differs between runs."""
    start(config={"lr": value, "nested": {"lr": value}}).log({"lr": value})


HOSTILE: Mapping[str, Callable[[Open], None]] = {
    function.__name__: function
    for function in (
        numbers, texts, keys, dotted, nested, containers, media, mixed, flags, empty, configured, gaps, late, sparse,
        repeated, resumed, failed, merged, described, defined, moments, refused, edited,
    )
} | {f"config-{value}": partial(config_is, value=value) for value in (1, 0.1, "auto")}  # fmt: skip


def main(project: str) -> None:
    """Write all of them."""
    settings = wandb.Settings(x_disable_stats=True, console="off")
    for name, write in HOSTILE.items():
        write(partial(wandb.init, project=project, id=name, settings=settings))
        if wandb.run is not None:
            wandb.run.finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
