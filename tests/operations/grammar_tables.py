"""The tables of the notation's grammar, as the connector keeps them.

`python -m tests.operations.grammar_tables` writes them anew, after a change of `grammar.lark` or of lark.
"""

from importlib import resources
from pathlib import Path

from wandb_warehouse.operations.language.grammar import tables

__all__ = ["KEPT"]

KEPT = Path(str(resources.files("wandb_warehouse.operations.language"))) / "grammar_tables.json"


if __name__ == "__main__":
    KEPT.write_text(tables(), encoding="utf-8")
