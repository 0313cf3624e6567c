"""Numbers for runs and metrics: those that are known stay, new ones count on."""

from hypothesis import given
from hypothesis import strategies as st

from wandb_warehouse.arrow.history import RunRef
from wandb_warehouse.arrow.numbers import Numbers


@given(st.dictionaries(st.text(), st.integers(0, 50), max_size=5), st.lists(st.text(), max_size=20))
def test_a_number_stands_for_one_text(known: dict[str, int], asked: list[str]) -> None:
    """Known texts keep their numbers; every other gets one that nobody has, and the same when asked again."""
    known = {text: number for number, text in {number: text for text, number in known.items()}.items()}
    numbers = Numbers(keys=known)
    given_out = {text: numbers.key(text) for text in asked}
    assert {text: numbers.key(text) for text in asked} == given_out
    assert all(given_out[text] == number for text, number in known.items() if text in given_out)
    together = {**known, **given_out}
    assert len(set(together.values())) == len(together)
    new = {row["key"]: row["key_number"] for row in numbers.new()["key_numbers"].to_pylist()}
    assert new == {text: number for text, number in given_out.items() if text not in known}


def test_runs_of_one_name_in_two_projects_are_two() -> None:
    """A run is named by entity, project and id together."""
    numbers = Numbers()
    assert numbers.run(RunRef("e", "p", "r")) != numbers.run(RunRef("e", "q", "r"))
    assert numbers.new()["run_numbers"].column("project").to_pylist() == ["p", "q"]
