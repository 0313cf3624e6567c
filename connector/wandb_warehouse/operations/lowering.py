"""From the typed tree to SELECTs: each list becomes the clauses of one, each scalar an expression over them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

from sqlglot import exp

from wandb_warehouse.errors import OperationError
from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.engines import Engine
from wandb_warehouse.operations.folding import chain, driving_key, fold
from wandb_warehouse.operations.functions import FUNCTIONS, as_value, json_value
from wandb_warehouse.operations.relations import (
    ARTIFACT_COLUMNS,
    ROW_KEY,
    RUN_KEY,
    ArtifactValue,
    Bound,
    DocumentValue,
    Grouped,
    Key,
    ListBinding,
    RecordValue,
    Relation,
    RowValue,
    RunValue,
    Scalar,
    Scope,
    Value,
    column,
    text,
)
from wandb_warehouse.operations.rows import export, rebuilt

__all__ = ["Lowerer", "Names"]

Names = Mapping[t.Variable, Bound]

_VIEWS = {"config": "config_values", "summary": "summary_values", "history": "history_points"}


class Lowerer:
    """Lowers the nodes of one statement for one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._numbers: dict[str, count[int]] = {}

    def alias(self, letter: str) -> str:
        """A new alias."""
        number = next(self._numbers.setdefault(letter, count(1)))
        return letter if number == 1 else f"{letter}{number}"

    def refuse(self, what: str, mend: str = "see docs/operations.md") -> OperationError:
        """The error for what SQL cannot say."""
        return OperationError(what, mend=mend)

    # Lists

    def relation(self, node: t.Node, names: Names, scope: Scope | None = None) -> Relation:
        """The clauses of a list's SELECT; added to those of a scope where one is given."""
        method = _LISTS.get(type(node))
        if method is None:
            raise self.refuse(f"SQL has no list here, but {node.type}")
        return method(self, node, names, scope or Scope())

    def _all_runs(self, node: t.AllRuns, names: Names, scope: Scope) -> Relation:  # noqa: ARG002
        run = RunValue(scope, self.alias("r"))
        scope.add(
            exp.to_table("runs").as_(run.alias), exp.Is(this=run.column("deleted_at"), expression=exp.Null())
        )
        wanted = [*zip(RUN_KEY, node.project or (), strict=False)]
        if node.run_id is not None:
            wanted.append(("run_id", node.run_id))
        scope.where += [run.column(name).eq(text(value)) for name, value in wanted]
        return Relation(scope, run, [Key(run.column(name)) for name in ("created_at", *RUN_KEY)])

    def _history(self, node: t.History, names: Names, scope: Scope, key: str | None = None) -> Relation:
        run = self._run(node.of, names, scope)
        alias = self.alias("h")
        points = exp.to_table("history_points")
        if key is None:
            source: exp.Expression = exp.select(*ROW_KEY).from_(points).distinct().subquery(alias)
        else:
            source = points.as_(alias)
        self._of_run(scope, source, alias, run)
        if key is not None:
            scope.where.append(column("key", alias).eq(text(key)))
        order = [Key(column(name, alias)) for name in ("step", "seq")]
        return Relation(scope, RowValue(scope, alias, key), order)

    def _tags(self, node: t.Tags, names: Names, scope: Scope) -> Relation:
        of = self.bound(node.of, names, scope)
        if isinstance(of, RunValue):
            alias = self.alias("g")
            self._of_run(scope, exp.to_table("run_tags").as_(alias), alias, of)
            return Relation(scope, Scalar(t.TEXT, column("tag", alias)), [Key(column("position", alias))])
        if not isinstance(of, ArtifactValue):
            raise self.refuse("tags are of a run or an artifact version")
        alias = self.alias("l")
        pairs = {"entity": "artifact_entity", "project": "artifact_project"}
        pairs |= {name: name for name in ("collection", "artifact_id")}
        self._correlate(
            scope,
            exp.to_table("artifact_aliases").as_(alias),
            [(column(ours, alias), of.columns[theirs]) for ours, theirs in pairs.items()],
        )
        return Relation(scope, Scalar(t.TEXT, column("alias", alias)), [Key(column("alias", alias))])

    def _artifacts(self, node: t.Artifacts, names: Names, scope: Scope) -> Relation:
        run = self._run(node.of, names, scope)
        edge, version = self.alias("e"), self.alias("a")
        self._of_run(scope, exp.to_table("run_artifacts").as_(edge), edge, run)
        scope.where.append(column("direction", edge).eq(text(node.direction)))
        pairs = {"entity": "artifact_entity", "project": "artifact_project"}
        pairs |= {name: name for name in ("collection", "artifact_id")}
        same = [column(ours, version).eq(column(theirs, edge)) for ours, theirs in pairs.items()]
        scope.add(exp.to_table("artifacts").as_(version), exp.and_(*same), "LEFT")
        if node.collection is not None:
            scope.where.append(column("collection", edge).eq(text(node.collection)))
        if node.alias is not None:
            scope.where.append(self._under_alias(edge, node.alias))
        from_edge = (*ARTIFACT_COLUMNS[:5], "type")
        columns = {name: column(name, edge if name in from_edge else version) for name in ARTIFACT_COLUMNS}
        order = [column("collection", edge), column("version_index", edge), column("artifact_id", edge)]
        return Relation(scope, ArtifactValue(columns), [Key(each) for each in order])

    def _under_alias(self, edge: str, wanted: str) -> exp.Expression:
        alias = self.alias("l")
        pairs = {"entity": "artifact_entity", "project": "artifact_project"}
        pairs |= {name: name for name in ("collection", "artifact_id")}
        same = [column(ours, alias).eq(column(theirs, edge)) for ours, theirs in pairs.items()]
        named = column("alias", alias).eq(text(wanted))
        query = (
            exp.select(exp.Literal.number(1))
            .from_(exp.to_table("artifact_aliases").as_(alias))
            .where(*same, named)
        )
        return exp.paren(exp.or_(column("version", edge).eq(text(wanted)), exp.Exists(this=query)))

    def _pieces(self, node: t.Pieces, names: Names, scope: Scope) -> Relation:
        words = self._sql(node.of, names, scope)
        item, place = self.engine.pieces(scope, words, node.separator, self.alias("i"))
        return Relation(scope, Scalar(t.TEXT, item), [Key(place)])

    def _items(self, node: t.Items, names: Names, scope: Scope) -> Relation:
        value = self.bound(node.of, names, scope)
        if not isinstance(value, Value):
            raise self.refuse(f"{node.of.type} has no items")
        item, place = self.engine.items(scope, value.json, self.alias("i"))
        return Relation(scope, json_value(self.engine, item), [Key(place)])

    def _listed(self, node: t.Listed, names: Names, scope: Scope) -> Relation:
        element = t.element_of(node.type)
        alias = self.alias("i")
        rows: list[exp.Expression] = []
        columns: list[str] = []
        for place, each in enumerate(node.items):
            bound = self.bound(each, names, scope)
            named = export(as_value(self.engine, bound) if element == t.VALUE else bound)
            columns = list(named)
            values = (
                exp.alias_(sql.copy(), name)
                for name, sql in {**named, "place": exp.Literal.number(place)}.items()
            )
            rows.append(exp.select(*values))
        query = rows[0]
        for row in rows[1:]:
            query = exp.union(query, row, distinct=False)
        scope.add(query.subquery(alias), exp.true() if scope.tables else None)
        _ = columns
        return Relation(scope, rebuilt(element, scope, alias), [Key(column("place", alias))])

    def _differences(self, node: t.Differences, names: Names, scope: Scope) -> Relation:
        inner = Scope()
        runs = []
        for side in (node.left, node.right):
            assert isinstance(side, t.Document)  # noqa: S101  (the resolver saw to it)
            runs.append((self._run(side.of, names, inner), side.source))
        if runs[0][1] != runs[1][1]:
            raise self.refuse("a config is compared with a summary", "compare two of a kind")
        alias = self.alias("c")
        held = [exp.and_(*(column(name, alias).eq(run.column(name)) for name in RUN_KEY)) for run, _ in runs]
        inner.add(
            exp.to_table(_VIEWS[runs[0][1]]).as_(alias), exp.or_(*(each.copy() for each in held)), "INNER"
        )
        key = column("key", alias)

        def part(name: str, holds: exp.Expression) -> exp.Expression:
            return exp.Max(this=exp.Case().when(holds.copy(), column(name, alias)))

        left, right = (
            Value(*(part(name, holds) for name in ("kind", "number", "text", "json"))) for holds in held
        )
        differs = Scalar(t.BOOLEAN, exp.NullSafeNEQ(this=left.json.copy(), expression=right.json.copy()))
        record = RecordValue({"key": Scalar(t.TEXT, key), "left": left, "right": right, "differs": differs})
        made = (exp.alias_(sql.copy(), name) for name, sql in export(record).items())
        query = inner.select(*made).group_by(key)
        out = self.alias("d")
        scope.add(query.subquery(out), exp.true() if scope.tables else None)
        return Relation(scope, rebuilt(t.element_of(node.type), scope, out), [Key(column("e0_value", out))])

    def _variable(self, node: t.Variable, names: Names, scope: Scope) -> Relation:
        found = names[node]
        if isinstance(found, ListBinding):
            return self.relation(found.node, found.names, scope)
        raise self.refuse(
            f"{node.name} is {node.type}, whose members are only counted and aggregated",
            "use filter, map and an aggregate on it",
        )

    def _filter(self, node: t.Filter, names: Names, scope: Scope) -> Relation:
        relation = self.relation(node.of, names, scope)
        condition = self._sql(node.condition, {**names, node.variable: relation.element}, relation.scope)
        (relation.scope.where if relation.groups is None else relation.having).append(condition)
        return relation

    def _each(self, node: t.Each, names: Names, scope: Scope) -> Relation:
        relation = self.relation(node.of, names, scope)
        inner = {**names, node.variable: relation.element}
        element = self.bound(node.body, inner, relation.scope)
        return Relation(relation.scope, element, relation.order, relation.groups, relation.having)

    def _flat(self, node: t.Flat, names: Names, scope: Scope) -> Relation:
        outer = self.relation(node.of, names, scope)
        if outer.groups is not None:
            raise self.refuse("lists within groups cannot be flattened", "flatten before groupBy")
        known = len(outer.scope.correlated)
        inner = self.relation(node.body, {**names, node.variable: outer.element}, outer.scope)
        if inner.scope is not outer.scope:
            raise self.refuse(
                "a list of a part of each element cannot be flattened", "take the part after flatten"
            )
        del inner.scope.correlated[known:]
        return Relation(inner.scope, inner.element, [*outer.order, *inner.order])

    def _sort(self, node: t.Sort, names: Names, scope: Scope) -> Relation:
        relation = self.relation(node.of, names, scope)
        inner = {**names, node.variable: relation.element}
        keys = []
        for each, descending in node.keys:
            bound = self.bound(each, inner, relation.scope)
            if not isinstance(bound, Scalar):
                raise self.refuse(f"SQL cannot order by {each.type}")
            sql = self.engine.without_nan(bound.sql) if bound.may_be_nan else bound.sql
            if not isinstance(sql, exp.Literal):
                keys.append(Key(sql, descending, node.missing_first))
        relation.order = [*keys, *relation.order]
        return relation

    def _reverse(self, node: t.Reverse, names: Names, scope: Scope) -> Relation:
        relation = self.relation(node.of, names, scope)
        relation.order = [key.reversed for key in relation.order]
        return relation

    def _slice(self, node: t.Slice, names: Names, scope: Scope) -> Relation:
        relation = self.relation(node.of, names, Scope())
        wrapped, place, total = self.wrap(
            relation, node.type, scope, total=node.start < 0 or (node.stop or 0) < 0
        )[:3]

        def before(number: int) -> exp.Expression:
            if number >= 0 or total is None:
                return exp.Literal.number(number)
            return exp.Sub(this=total.copy(), expression=exp.Literal.number(-number))

        if node.start:
            wrapped.scope.where.append(exp.GT(this=place.copy(), expression=before(node.start)))
        if node.stop is not None:
            wrapped.scope.where.append(exp.LTE(this=place.copy(), expression=before(node.stop)))
        return wrapped

    def _unique(self, node: t.Unique, names: Names, scope: Scope) -> Relation:
        relation = self.relation(node.of, names, Scope())
        wrapped, place, _, _ = self.wrap(relation, node.type, Scope())
        named = export(wrapped.element)
        groups = [sql for name, sql in named.items() if not name.endswith(("number", "text"))] or list(
            named.values()
        )
        kept = {name: sql if sql in groups else exp.Min(this=sql.copy()) for name, sql in named.items()}
        if isinstance(wrapped.element, RunValue):
            groups = [wrapped.element.column(name) for name in RUN_KEY]
            kept = {name: exp.Min(this=wrapped.element.column(name)) for name in named}
            kept |= dict(zip(RUN_KEY, groups, strict=True))
        alias = self.alias("u")
        first = exp.alias_(exp.Min(this=place.copy()), f"place_{alias}")
        columns = [exp.alias_(sql.copy(), name) for name, sql in kept.items()]
        query = wrapped.scope.select(*columns, first).group_by(*(each.copy() for each in groups))
        scope.add(query.subquery(alias), exp.true() if scope.tables else None)
        element = rebuilt(t.element_of(node.type), scope, alias)
        return Relation(scope, element, [Key(column(f"place_{alias}", alias))])

    def _group(self, node: t.Group, names: Names, scope: Scope) -> Relation:
        relation = self.relation(node.of, names, Scope())
        key = self.bound(node.key, {**names, node.variable: relation.element}, relation.scope)
        if isinstance(key, Scalar) and key.may_be_nan:
            key = Scalar(key.type, self.engine.without_nan(key.sql))
        extra = {f"group_{name}": sql for name, sql in export(key).items()}
        wrapped, place, _, alias = self.wrap(relation, node.of.type, scope, extra=extra)
        groups: list[exp.Expression] = []
        columns: dict[str, exp.Expression] = {}
        for name in extra:
            sql = column(name, alias)
            # Of a value's four parts two tell it from others; the other two follow from them.
            follows = name.endswith(("_number", "_text")) and f"{name.rpartition('_')[0]}_kind" in extra
            columns[name] = exp.Min(this=sql) if follows else sql
            groups += [] if follows else [sql]
        if not groups:
            groups = [exp.true()]
        key = rebuilt(node.key.type, wrapped.scope, alias, columns=columns, prefix="group_")
        element = Grouped(key, wrapped.element, wrapped)
        return Relation(wrapped.scope, element, [Key(exp.Min(this=place.copy()))], groups)

    def wrap(
        self,
        relation: Relation,
        type_: t.Type,
        scope: Scope,
        *,
        extra: Mapping[str, exp.Expression] | None = None,
        total: bool = False,
    ) -> tuple[Relation, exp.Expression, exp.Expression | None, str]:
        """A relation as a source of a SELECT around it, and its alias.

        Between them the columns of each element's place, and of how many elements there are.
        """
        alias = self.alias("t")
        named = {**export(relation.element), **(extra or {}), f"place_{alias}": relation.place()}
        if total:
            named[f"total_{alias}"] = exp.Window(this=exp.Count(this=exp.Star()))
        columns: list[exp.Expression] = [
            exp.alias_(sql.copy(), name, quoted=False) for name, sql in named.items()
        ]
        if isinstance(relation.element, RunValue):
            star = exp.Column(this=exp.Star(), table=exp.to_identifier(relation.element.alias))
            columns = [star, *columns[len(export(relation.element)) :]]
        correlated = bool(relation.scope.correlated)
        query = relation.select(*columns).subquery(alias)
        on = exp.true() if scope.tables else None
        scope.add(query if not (correlated and scope.tables) else exp.Lateral(this=query), on)
        element = rebuilt(t.element_of(type_), scope, alias)
        place = column(f"place_{alias}", alias)
        size = column(f"total_{alias}", alias) if total else None
        return Relation(scope, element, [Key(place)]), place, size, alias

    def _run(self, node: t.Node, names: Names, scope: Scope) -> RunValue:
        run = self.bound(node, names, scope)
        if not isinstance(run, RunValue):
            raise self.refuse(f"a run is wanted, not {node.type}")
        return run

    def _of_run(self, scope: Scope, source: exp.Expression, alias: str, run: RunValue) -> None:
        self._correlate(scope, source, [(column(name, alias), run.column(name)) for name in RUN_KEY])

    @staticmethod
    def _correlate(
        scope: Scope, source: exp.Expression, pairs: list[tuple[exp.Column, exp.Expression]]
    ) -> None:
        """Add a source whose columns equal something of a SELECT further out, or of this one."""
        same = [exp.EQ(this=ours.copy(), expression=theirs.copy()) for ours, theirs in pairs]
        if scope.tables:
            scope.add(source, exp.and_(*same), "INNER")
        else:
            scope.add(source)
            scope.where += same
            scope.correlated += pairs

    # Scalars

    def bound(self, node: t.Node, names: Names, scope: Scope) -> Bound:
        """What a node is within a SELECT; what it needs of other tables joins that SELECT."""
        match node:
            case t.Constant(value=value):
                return self._constant(value)
            case t.Variable():
                return names[node]
            case t.Written(text=line):
                return self.bound(line, names, scope)
            case t.Apply(function=function, arguments=arguments):
                return self._apply(function, [self.bound(each, names, scope) for each in arguments])
            case t.Attribute(of=of, name=name):
                return self._attribute(self.bound(of, names, scope), name, node.type)
            case t.Entry(of=of, source=source, key=key):
                return self._entry(self.bound(of, names, scope), source, key)
            case t.Document(of=of, source=source):
                return self._document(self.bound(of, names, scope), source)
            case t.Item(of=t.Pieces() as pieces, path=(int() as place,)):
                words = self._sql(pieces.of, names, scope)
                return Scalar(t.TEXT, self.engine.piece(words, pieces.separator, place + 1))
            case t.Item(of=of, path=path):
                return self._item(self.bound(of, names, scope), path)
            case t.Record(entries=entries):
                return RecordValue({name: self.bound(each, names, scope) for name, each in entries})
            case t.First(of=t.Slice(of=t.Pieces() as pieces, start=start, stop=stop)) if (
                stop == start + 1 > 0
            ):
                words = self._sql(pieces.of, names, scope)
                return Scalar(t.TEXT, self.engine.piece(words, pieces.separator, start + 1))
            case t.First():
                return self._first(node, names, scope)
            case t.Fold():
                return self._fold(node, names, scope)
            case _ if isinstance(node.type, t.ListType):
                return ListBinding(node, dict(names))
            case _:
                raise self.refuse(f"SQL cannot say {node.type} here")

    def _sql(self, node: t.Node, names: Names, scope: Scope) -> exp.Expression:
        bound = self.bound(node, names, scope)
        if not isinstance(bound, Scalar):
            raise self.refuse(f"a scalar is wanted, not {node.type}")
        return bound.sql

    def _constant(self, value: float | str | bool | None) -> Bound:  # noqa: FBT001
        match value:
            case None:
                return Scalar(t.MISSING, exp.Null())
            case bool():
                return Scalar(t.BOOLEAN, exp.true() if value else exp.false())
            case str():
                if "\0" in value:
                    raise self.refuse("a text holds a null character, which SQL cannot", "leave it out")
                return Scalar(t.TEXT, text(value))
            case _ if value != value:  # noqa: PLR0124  (NaN)
                return Scalar(t.NUMBER, exp.cast(exp.Null(), exp.DataType.build("DOUBLE")))
            case _:
                return Scalar(t.NUMBER, self.engine.number(float(value)))

    def _apply(self, function: str, arguments: list[Bound]) -> Bound:
        made = FUNCTIONS[function](self.engine, *arguments)
        return Scalar(t.BOOLEAN, made) if isinstance(made, exp.Expression) else made

    def _attribute(self, of: Bound, name: str, type_: t.Type) -> Bound:
        match of:
            case Grouped(key):
                return key
            case RecordValue(entries):
                return entries[name]
            case RunValue():
                return Scalar(type_, of.column(name))
            case ArtifactValue(columns):
                return Scalar(type_, columns[name])
            case RowValue(_, alias):
                return Scalar(type_, column(name, alias))
            case _:
                raise self.refuse(f"there is no {name} here")

    def _entry(self, of: Bound, source: str, key: str) -> Bound:
        if "\0" in key:
            raise self.refuse("a key holds a null character, which SQL cannot", "leave it out")
        if isinstance(of, RowValue) and of.key == key:
            return _leaf(of.alias)
        if not isinstance(of, RunValue | RowValue):
            raise self.refuse(f"there is no {source} here")
        own = RUN_KEY if isinstance(of, RunValue) else ROW_KEY
        alias = self._joined(of, source, key, own, column("key", "").eq(text(key)))
        if isinstance(of, RowValue):
            return _leaf(alias)

        def is_object() -> exp.Expression:
            below = self._joined(of, source, f"{key}.", own, None)
            return exp.Not(this=exp.Is(this=column("run_id", below), expression=exp.Null()))

        return _leaf(alias, is_object)

    def _joined(
        self,
        of: RunValue | RowValue,
        source: str,
        key: str,
        own: tuple[str, ...],
        matches: exp.Expression | None,
    ) -> str:
        """The alias of the row that holds a key's value, or of one that tells of keys below it; joined once."""
        place = (of.alias, source, key if matches is not None else f"{key}\0")
        if (known := of.scope.leaves.get(place)) is not None:
            return known
        alias = self.alias({"config": "c", "summary": "s", "history": "p"}[source])
        same = [column(name, alias).eq(column(name, of.alias)) for name in own]
        view = exp.to_table(_VIEWS[source])
        if matches is not None:
            of.scope.add(view.as_(alias), exp.and_(*same, column("key", alias).eq(text(key))), "LEFT")
        else:
            start = exp.Substring(
                this=exp.column("key"), start=exp.Literal.number(1), length=exp.Literal.number(len(key))
            )
            below = exp.select(*RUN_KEY).from_(view).where(start.eq(text(key))).distinct()
            of.scope.add(below.subquery(alias), exp.and_(*same), "LEFT")
        of.scope.leaves[place] = alias
        return alias

    def _document(self, of: Bound, source: str) -> Bound:
        match of:
            case RunValue():
                return DocumentValue(of.column(source))
            case ArtifactValue(columns):
                return DocumentValue(columns[source])
            case _:
                raise self.refuse(f"there is no {source} here")

    def _item(self, of: Bound, path: tuple[str | int, ...]) -> Bound:
        json = of.sql if isinstance(of, DocumentValue) else of.json if isinstance(of, Value) else None
        if json is None:
            raise self.refuse("only a value has something within")
        return json_value(self.engine, self.engine.item(json, path))

    def _first(self, node: t.First, names: Names, scope: Scope) -> Bound:
        if node in scope.firsts:
            return scope.firsts[node]
        relation, skipped = self.first_of(node, names)
        if relation.groups is not None or isinstance(relation.element, ListBinding):
            raise self.refuse("one group cannot be taken out", "map the groups to records first")
        named = export(relation.element)
        columns: list[exp.Expression] = [exp.alias_(sql.copy(), name) for name, sql in named.items()]
        if isinstance(relation.element, RunValue):
            columns = [exp.Column(this=exp.Star(), table=exp.to_identifier(relation.element.alias))]
        alias = self.alias("f")
        correlated = relation.scope.correlated
        if not _free(relation.select(*columns)):
            scope.add(_one(relation, columns, skipped).subquery(alias), exp.true(), "LEFT")
        elif correlated and not _free(_uncorrelated(relation).select(*columns)):
            inner = _uncorrelated(relation)
            own = [
                exp.alias_(ours.copy(), f"of_{alias}_{place}") for place, (ours, _) in enumerate(correlated)
            ]
            order = exp.Order(expressions=[key.ordered for key in relation.order])
            number = exp.Window(
                this=exp.RowNumber(), partition_by=[ours.copy() for ours, _ in correlated], order=order
            )
            query = inner.select(*columns, *own, exp.alias_(number, f"place_{alias}"))
            same = [
                exp.EQ(this=column(f"of_{alias}_{place}", alias), expression=theirs.copy())
                for place, (_, theirs) in enumerate(correlated)
            ]
            first = column(f"place_{alias}", alias).eq(exp.Literal.number(skipped + 1))
            scope.add(query.subquery(alias), exp.and_(*same, first), "LEFT")
        else:
            query = _one(relation, columns, skipped)
            lateral = exp.Lateral(this=query.subquery(), alias=exp.TableAlias(this=exp.to_identifier(alias)))
            scope.add(lateral, exp.true(), "LEFT")
        found = rebuilt(node.type, scope, alias)
        scope.firsts[node] = found
        return found

    def first_of(self, node: t.First, names: Names) -> tuple[Relation, int]:
        """The list whose element at a place is meant, and how many stand before it."""
        match node.of:
            case t.Slice(of=of, start=start, stop=stop) if start >= 0 and (stop is None or stop > start):
                return self.relation(of, names), start
            case _:
                return self.relation(node.of, names), 0

    def _fold(self, node: t.Fold, names: Names, scope: Scope) -> Bound:
        if isinstance(node.of, t.Filter) and isinstance(node.of.of, t.Listed) and node.function == "some":
            return self._some_listed(node.of, node.of.of, names, scope)
        group = chain(node.of)
        if group is not None and isinstance(found := names.get(group), Grouped):
            element, conditions = self._members(node.of, names, found)
            return fold(self.engine, node, element, [], conditions)
        key = driving_key(node)
        relation = self._driven(node.of, key, names) if key else self.relation(node.of, names)
        if relation.groups is not None:
            relation = self.wrap(relation, node.of.type, Scope())[0]
        made = fold(self.engine, node, relation.element, relation.order, [])
        query = relation.select(made.sql)
        return Scalar(made.type, query.subquery(), made.may_be_nan)

    def top_fold(self, node: t.Fold) -> exp.Select:
        """The SELECT of an aggregate that stands by itself."""
        scope = Scope()
        made = self._fold(node, {}, scope)
        if isinstance(made, Scalar) and isinstance(made.sql, exp.Subquery) and not scope.tables:
            query = made.sql.this
            value = query.expressions[0]
            double = made.type == t.NUMBER and not isinstance(value, exp.Avg | exp.StddevPop)
            query.set(
                "expressions",
                [exp.alias_(self.engine.double(value) if double else value, "value", quoted=True)],
            )
            return query
        return scope.select(exp.alias_(made.sql, "value", quoted=True))

    def whole_list(self, binding: ListBinding) -> exp.Expression:
        """A list that is one column: only a run's tags are stored so."""
        node = binding.node
        if isinstance(node, t.Tags) and isinstance(
            run := self.bound(node.of, binding.names, Scope()), RunValue
        ):
            return self.engine.document(run.column("tags"))
        raise self.refuse("a list in a list has no column", "flatten it, count it, or join it to a text")

    def _some_listed(self, node: t.Filter, listed: t.Listed, names: Names, scope: Scope) -> Bound:
        """Whether a condition holds for one of a few constants: said without a table of them."""
        conditions = [
            self._sql(node.condition, {**names, node.variable: self.bound(each, names, scope)}, scope)
            for each in listed.items
        ]
        return Scalar(t.BOOLEAN, exp.paren(exp.or_(*conditions)))

    def _driven(self, node: t.Node, key: str, names: Names) -> Relation:
        """A history of which only the rows with one key matter."""
        match node:
            case t.History():
                return self._history(node, names, Scope(), key)
            case t.Filter(of=of, variable=variable, condition=condition):
                relation = self._driven(of, key, names)
                inner = {**names, variable: relation.element}
                relation.scope.where.append(self._sql(condition, inner, relation.scope))
                return relation
            case t.Each(of=of, variable=variable, body=body):
                relation = self._driven(of, key, names)
                element = self.bound(body, {**names, variable: relation.element}, relation.scope)
                return Relation(relation.scope, element, relation.order)
            case _:
                raise self.refuse("no history")

    def _members(self, node: t.Node, names: Names, group: Grouped) -> tuple[Bound, list[exp.Expression]]:
        """What stands for each member of a group in the grouped SELECT, and the conditions members must meet."""
        scope = group.relation.scope
        match node:
            case t.Filter(of=of, variable=variable, condition=condition):
                element, conditions = self._members(of, names, group)
                return element, [*conditions, self._sql(condition, {**names, variable: element}, scope)]
            case t.Each(of=of, variable=variable, body=body):
                element, conditions = self._members(of, names, group)
                return self.bound(body, {**names, variable: element}, scope), conditions
            case _:
                return group.member, []


def _leaf(alias: str, is_object: object = None) -> Value:
    kind, number, words, json = (column(name, alias) for name in ("kind", "number", "text", "json"))
    return Value(kind, number, words, json, is_object)  # type: ignore[arg-type]


def _one(relation: Relation, columns: list[exp.Expression], skipped: int) -> exp.Select:
    query = relation.select(*columns, ordered=True).limit(1)
    return query.offset(skipped) if skipped else query


def _free(query: exp.Select) -> set[str]:
    """Aliases that a query reads and does not make."""
    made = {
        each.alias_or_name for kind in (exp.Table, exp.Subquery, exp.Lateral) for each in query.find_all(kind)
    }
    return {each.table for each in query.find_all(exp.Column) if each.table} - made


def _uncorrelated(relation: Relation) -> Relation:
    """The relation without what ties it to a SELECT further out."""
    tied = {exp.EQ(this=ours.copy(), expression=theirs.copy()) for ours, theirs in relation.scope.correlated}
    scope = Scope(relation.scope.tables, [each for each in relation.scope.where if each not in tied])
    return Relation(scope, relation.element, relation.order)


_LISTS = {
    t.AllRuns: Lowerer._all_runs,
    t.History: Lowerer._history,
    t.Tags: Lowerer._tags,
    t.Artifacts: Lowerer._artifacts,
    t.Pieces: Lowerer._pieces,
    t.Items: Lowerer._items,
    t.Listed: Lowerer._listed,
    t.Differences: Lowerer._differences,
    t.Variable: Lowerer._variable,
    t.Filter: Lowerer._filter,
    t.Each: Lowerer._each,
    t.Flat: Lowerer._flat,
    t.Sort: Lowerer._sort,
    t.Reverse: Lowerer._reverse,
    t.Slice: Lowerer._slice,
    t.Unique: Lowerer._unique,
    t.Group: Lowerer._group,
}
"""What lowers each kind of list."""
