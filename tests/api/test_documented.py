"""docs/python.md says what the tests hold."""

from api.documented import PAGE, filled


def test_the_page_has_the_lists() -> None:
    """Differences and behaviours stand on the page as the tests have them; `documented` writes them there."""
    text = PAGE.read_text()
    assert filled(text) == text
