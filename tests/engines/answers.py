# ruff: noqa: PLC0415
# mypy: disable-error-code="import-not-found"
"""Runs in an environment of its own: loads tables into an engine, runs statements, and tells what queries give.

`python answers.py postgres|spark WORK`: WORK holds `asked.json` (tables, statements, queries; see `loading.py`).
"""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any


def told(cell: Any) -> Any:
    """A cell in JSON's kinds; NaN and infinities are the bare words."""
    if isinstance(cell, datetime):
        zoned = cell if cell.tzinfo else cell.replace(tzinfo=UTC)
        return {"$date": zoned.timestamp() * 1000}
    if isinstance(cell, Decimal):
        return float(cell)
    return str(cell) if isinstance(cell, date) else cell


def postgres(work: Path, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Over the Unix socket in the working directory."""
    import psycopg

    with psycopg.connect(host=asked["socket"], user="postgres", dbname="postgres", autocommit=True) as made:
        made.execute("SET TimeZone = 'UTC'")
        for name, ddl in asked["tables"].items():
            made.execute(f'CREATE TABLE "{name}" ({ddl})')
            how = f"COPY \"{name}\" FROM STDIN WITH (FORMAT csv, HEADER, NULL '\\N')"
            with made.cursor().copy(how) as copy:
                copy.write((work / f"{name}.csv").read_bytes())
        for statement in asked["statements"]:
            made.execute(statement)
        for query in asked["queries"]:
            try:
                done = made.execute(query)
                names = [column.name for column in done.description]
                yield {"columns": names, "rows": [list(map(told, row)) for row in done.fetchall()]}
            except psycopg.Error as error:
                yield {"error": str(error)}


def spark(work: Path, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Local mode, over the files of a parquet lake."""
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    settings = {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
        "spark.default.parallelism": "1",
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.warehouse.dir": str(work / "spark"),
        "spark.sql.codegen.wholeStage": "false",
        "spark.driver.memory": "1g",
        # Compiling code for sixty rows takes longer than interpreting.
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.adaptive.enabled": "false",
    }
    builder = SparkSession.builder.master("local[1]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    try:
        for name, columns in asked["tables"].items():
            files = asked["files"].get(name)
            table = (
                session.read.parquet(*files)
                if files
                else session.createDataFrame([], columns.replace("`", ""))
            )
            table.createOrReplaceTempView(name)
        for statement in asked["statements"]:
            session.sql(statement.replace("CREATE VIEW", "CREATE TEMPORARY VIEW", 1))
        for query in asked["queries"]:
            try:
                done = session.sql(query)
                rows = [list(map(told, row)) for row in done.collect()]
                yield {"columns": done.columns, "rows": rows}
            except PySparkException as error:
                yield {"error": str(error)[:2000]}
            except Exception as error:  # noqa: BLE001 (py4j wraps what a task raises)
                yield {"error": str(error)[:2000]}
    finally:
        session.stop()


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    question = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    answers = {"postgres": postgres, "spark": spark}[sys.argv[1]](folder, question)
    (folder / "told.json").write_text(json.dumps(list(answers)), encoding="utf-8")
