"""Where lists come from: runs, histories, artifacts, tags, pieces and items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.lowering.building import (
    Sql,
    aliased,
    column,
    distinct,
    equals,
    selected,
    table,
    text,
)
from wandb_warehouse.operations.lowering.coercion import as_value, json_value
from wandb_warehouse.operations.lowering.relations import (
    ARTIFACT_COLUMNS,
    ARTIFACT_KEY,
    ROW_KEY,
    RUN_KEY,
    VIEWS,
    ArtifactValue,
    Key,
    ListBinding,
    RecordValue,
    Relation,
    RowValue,
    RunValue,
    Scalar,
    Scope,
    Value,
)
from wandb_warehouse.operations.lowering.rows import export, rebuilt

if TYPE_CHECKING:
    from collections.abc import Callable

    from wandb_warehouse.operations.lowering.lowerer import Lowerer, Names

__all__ = ["SOURCES", "history", "run_of"]


def all_runs(lo: Lowerer, node: t.AllRuns, names: Names, scope: Scope) -> Relation:
    """Every run that is not deleted, the oldest first."""
    run = RunValue(scope, lo.alias("r"))
    scope.add(table("runs", run.alias), exp.Is(this=run.column("deleted_at"), expression=exp.Null()))
    wanted = [*zip(RUN_KEY, node.project or (), strict=False)]
    if node.run_id is not None:
        wanted.append(("run_id", node.run_id))
    scope.where += [equals(run.column(name), text(value)) for name, value in wanted]
    return Relation(scope, run, [Key(run.column(name)) for name in ("created_at", *RUN_KEY)])


def history(lo: Lowerer, node: t.History, names: Names, scope: Scope, key: str | None = None) -> Relation:
    """The rows of a run's history; with a key, those alone that have it, and its values beside them."""
    run = run_of(lo, node.of, names, scope)
    alias = lo.alias("h")
    if key is None:
        source: Sql = distinct(ROW_KEY, "history_points").subquery(alias, copy=False)
    else:
        source = table("history_points", alias)
    of_run(scope, source, alias, run)
    if key is not None:
        scope.where.append(equals(column("key", alias), text(key)))
    order = [Key(column(name, alias)) for name in ("step", "seq")]
    return Relation(scope, RowValue(scope, alias, key), order)


def tags(lo: Lowerer, node: t.Tags, names: Names, scope: Scope) -> Relation:
    """A run's tags, or the aliases of an artifact version."""
    of = lo.bound(node.of, names, scope)
    if isinstance(of, RunValue):
        alias = lo.alias("g")
        of_run(scope, table("run_tags", alias), alias, of)
        return Relation(scope, Scalar(t.TEXT, column("tag", alias)), [Key(column("position", alias))])
    if not isinstance(of, ArtifactValue):
        raise lo.refuse("tags are of a run or an artifact version")
    alias = lo.alias("l")
    correlate(
        scope,
        table("artifact_aliases", alias),
        [(column(ours, alias), of.columns[theirs]) for ours, theirs in ARTIFACT_KEY.items()],
    )
    return Relation(scope, Scalar(t.TEXT, column("alias", alias)), [Key(column("alias", alias))])


def artifacts(lo: Lowerer, node: t.Artifacts, names: Names, scope: Scope) -> Relation:
    """The versions a run logged or used."""
    run = run_of(lo, node.of, names, scope)
    edge, version = lo.alias("e"), lo.alias("a")
    of_run(scope, table("run_artifacts", edge), edge, run)
    scope.where.append(equals(column("direction", edge), text(node.direction)))
    same = [equals(column(ours, version), column(theirs, edge)) for ours, theirs in ARTIFACT_KEY.items()]
    scope.add(table("artifacts", version), exp.and_(*same, copy=False), "LEFT")
    if node.collection is not None:
        scope.where.append(equals(column("collection", edge), text(node.collection)))
    if node.alias is not None:
        scope.where.append(_under_alias(lo, edge, node.alias))
    from_edge = (*ARTIFACT_COLUMNS[:5], "type")
    columns = {name: column(name, edge if name in from_edge else version) for name in ARTIFACT_COLUMNS}
    order = [column("collection", edge), column("version_index", edge), column("artifact_id", edge)]
    return Relation(scope, ArtifactValue(columns), [Key(each) for each in order])


def _under_alias(lo: Lowerer, edge: str, wanted: str) -> Sql:
    alias = lo.alias("l")
    same = [equals(column(ours, alias), column(theirs, edge)) for ours, theirs in ARTIFACT_KEY.items()]
    named = equals(column("alias", alias), text(wanted))
    query = (
        selected(exp.Literal.number(1))
        .from_(table("artifact_aliases", alias), copy=False)
        .where(*same, named, copy=False)
    )
    return exp.Paren(
        this=exp.or_(equals(column("version", edge), text(wanted)), exp.Exists(this=query), copy=False)
    )


def pieces(lo: Lowerer, node: t.Pieces, names: Names, scope: Scope) -> Relation:
    """The pieces of a text."""
    words = lo.sql(node.of, names, scope)
    item, place = lo.engine.pieces(scope, words, node.separator, lo.alias("i"))
    return Relation(scope, Scalar(t.TEXT, item), [Key(place)])


def items(lo: Lowerer, node: t.Items, names: Names, scope: Scope) -> Relation:
    """The items of a list within a value."""
    value = lo.bound(node.of, names, scope)
    if not isinstance(value, Value):
        raise lo.refuse(f"{node.of.type} has no items")
    item, place = lo.engine.items(scope, value.json, lo.alias("i"))
    return Relation(scope, json_value(lo.engine, item), [Key(place)])


def listed(lo: Lowerer, node: t.Listed, names: Names, scope: Scope) -> Relation:
    """Constants that are written out."""
    element = t.element_of(node.type)
    alias = lo.alias("i")
    rows: list[exp.Select] = []
    for place, each in enumerate(node.items):
        bound = lo.bound(each, names, scope)
        named = export(as_value(lo.engine, bound) if element == t.VALUE else bound)
        values = (aliased(sql, name) for name, sql in {**named, "place": exp.Literal.number(place)}.items())
        rows.append(selected(*values))
    query: exp.Query = rows[0]
    for row in rows[1:]:
        query = exp.union(query, row, distinct=False, copy=False)
    scope.add(query.subquery(alias, copy=False), exp.true() if scope.tables else None)
    return Relation(scope, rebuilt(element, scope, alias), [Key(column("place", alias))])


def differences(lo: Lowerer, node: t.Differences, names: Names, scope: Scope) -> Relation:
    """A record for each key that one of two runs has."""
    inner = Scope()
    runs = []
    for side in (node.left, node.right):
        assert isinstance(side, t.Document)
        runs.append((run_of(lo, side.of, names, inner), side.source))
    if runs[0][1] != runs[1][1]:
        raise lo.refuse("a config is compared with a summary", "compare two of a kind")
    alias = lo.alias("c")
    held = [
        exp.and_(*(equals(column(name, alias), run.column(name)) for name in RUN_KEY), copy=False)
        for run, _ in runs
    ]
    inner.add(
        table(VIEWS[runs[0][1]], alias),
        exp.or_(*(each for each in held), copy=False),
        "INNER",
    )
    key = column("key", alias)

    def part(name: str, holds: Sql) -> Sql:
        return exp.Max(this=exp.Case().when(holds, column(name, alias), copy=False))

    left, right = (
        Value(part("kind", each), part("number", each), part("text", each), part("json", each))
        for each in held
    )
    differs = Scalar(t.BOOLEAN, exp.NullSafeNEQ(this=_known(left.json), expression=_known(right.json)))
    record = RecordValue({"key": Scalar(t.TEXT, key), "left": left, "right": right, "differs": differs})
    made = (aliased(sql, name) for name, sql in export(record).items())
    query = inner.select(*made).group_by(key)
    out = lo.alias("d")
    scope.add(query.subquery(out, copy=False), exp.true() if scope.tables else None)
    return Relation(scope, rebuilt(t.element_of(node.type), scope, out), [Key(column("e0_value", out))])


def _known(json: Sql) -> Sql:
    """JSON, NULL where it is null: both are missing."""
    return exp.Nullif(this=json, expression=text("null"))


def variable(lo: Lowerer, node: t.Variable, names: Names, scope: Scope) -> Relation:
    """A list that is an element of another."""
    found = names[node]
    if isinstance(found, ListBinding):
        return lo.relation(found.node, found.names, scope)
    raise lo.refuse(
        f"{node.name} is {node.type}, whose members are only counted and aggregated",
        "use filter, map and an aggregate on it",
    )


def run_of(lo: Lowerer, node: t.Node, names: Names, scope: Scope) -> RunValue:
    """A node that must be a run."""
    run = lo.bound(node, names, scope)
    if not isinstance(run, RunValue):
        raise lo.refuse(f"a run is wanted, not {node.type}")
    return run


def of_run(scope: Scope, source: Sql, alias: str, run: RunValue) -> None:
    """Add a source with the rows of a run."""
    correlate(scope, source, [(column(name, alias), run.column(name)) for name in RUN_KEY])


def correlate(scope: Scope, source: Sql, pairs: list[tuple[exp.Column, Sql]]) -> None:
    """Add a source whose columns equal something of a SELECT further out, or of this one."""
    same = [exp.EQ(this=ours, expression=theirs) for ours, theirs in pairs]
    if scope.tables:
        scope.add(source, exp.and_(*same, copy=False), "INNER")
    else:
        scope.add(source)
        scope.where += same
        scope.correlated += pairs


SOURCES: dict[type[t.Node], Callable[..., Relation]] = {
    t.AllRuns: all_runs,
    t.History: history,
    t.Tags: tags,
    t.Artifacts: artifacts,
    t.Pieces: pieces,
    t.Items: items,
    t.Listed: listed,
    t.Differences: differences,
    t.Variable: variable,
}
"""What lowers each."""
