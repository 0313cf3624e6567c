"""Text as a number: what the views say against what JavaScript says, on generated text."""

import json
import random
import shutil
import subprocess
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from wandb_warehouse.schema import TABLES
from wandb_warehouse.warehouse import Build, insert_rows

PIECES = [
    *"0123456789.+-eE_,x aIn",
    "Infinity",
    "NaN",
    "inf",
    "1e",
    "e-7",
    "\t",
    "\n",
    "\u000b",
    "\u00a0",
    "\u2003",
]
PIECES += [
    "\u2028",
    "\u3000",
    "\ufeff",
    "\u200b",
    "\u0085",
    "\u180e",
    "\u001c",
    "\u0660",
    "\uff11",
    "99999999999999999999",
]
"""What numbers, white space and what looks like them are made of."""

ASK = """
const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
const told = (x) => Number.isNaN(x) ? null : Object.is(x, -0) ? "-0" : String(x);
console.log(JSON.stringify(texts.map((text) => told(Number(text)))));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node.js")
def test_text_reads_as_in_javascript(tmp_path: Path) -> None:
    """`number` of a text is JavaScript's `Number(text)`, but for other bases than ten, on some thousands of texts."""
    random_ = random.Random(7)
    made = {"".join(random_.choices(PIECES, k=random_.randint(0, 6))) for _ in range(6000)}
    made |= {f"{space}1.5{space}" for space in map(chr, range(0x3100)) if not 0xD800 <= ord(space) <= 0xDFFF}
    texts = sorted(text for text in made if not text.strip().lower().startswith(("0x", "+0x", "-0x")))
    told = subprocess.run(
        ["node", "-e", ASK], input=json.dumps(texts), capture_output=True, text=True, timeout=60, check=True
    )
    expected = [None if answer is None else float(answer) for answer in json.loads(told.stdout)]
    build = Build.create(None, tmp_path)
    build.prepare_tables()
    build.create_views()
    run = {"entity": "acme", "project": "vision", "run_id": "r1", "seq": 0, "type": "string"}
    rows = [run | {"key": f"{at:06}", "value_json": json.dumps(text)} for at, text in enumerate(texts)]
    with duckdb.connect(str(build.path)) as connection:
        connection.register("incoming", pa.Table.from_pylist(rows, schema=TABLES["run_config"].arrow))
        insert_rows(connection, "run_config")
        found = connection.execute("SELECT number FROM config_values ORDER BY key").fetchall()
    differing = [
        (text, number, js)
        for text, (number,), js in zip(texts, found, expected, strict=True)
        if repr(number) != repr(js)
    ]
    assert not differing
    assert sum(number is not None for (number,) in found) > 300
