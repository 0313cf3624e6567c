"""What `.name` and `[place]` mean, by the type of what they are of; and the operations of a run."""

from collections.abc import Sequence

from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.language import syntax as s
from wandb_warehouse.operations.language.lists import LIST_METHODS, aggregate
from wandb_warehouse.operations.language.messages import did_you_mean
from wandb_warehouse.operations.language.resolver import Resolver
from wandb_warehouse.operations.language.vocabulary import (
    AGGREGATES,
    ARTIFACT_FIELDS,
    ARTIFACT_LISTS,
    DOCUMENTS,
    RUN_FIELDS,
    RUN_OPERATIONS,
    operation_name,
)

__all__ = ["index", "member", "run_operation"]


def member(r: Resolver, of: t.Node, name: str, span: s.Span) -> t.Node:
    """`of.name`, by the type of `of`."""
    place = s.Span(max(span.start, span.end - len(name)), span.end)
    type_ = of.type
    if type_ == t.MISSING:
        return of
    if isinstance(type_, t.ListType | t.GroupType):
        return _list_member(r, of, name, span)
    if name == "length" and type_ in (t.TEXT, t.VALUE):
        return t.Apply("length", (of,), type=t.NUMBER, span=span)
    if type_ == t.RUN:
        operation = name if name in RUN_OPERATIONS else operation_name(name)
        if operation in RUN_OPERATIONS and operation != "loggedArtifactVersion":
            return run_operation(r, operation, of, (), span)
        raise r.refuse(
            place, f"a run has no {name}", did_you_mean(name, RUN_OPERATIONS, "see docs/operations.md")
        )
    if isinstance(of, t.Document):
        return _entry(of, name, span)
    if isinstance(of, t.Entry):
        return t.Entry(of.of, of.source, f"{of.key}.{name}", type=t.VALUE, span=span)
    if type_ == t.VALUE:
        path = (*of.path, name) if isinstance(of, t.Item) else (name,)
        return t.Item(of.of if isinstance(of, t.Item) else of, path, type=t.VALUE, span=span)
    if type_ == t.ROW:
        if name == "_step":
            return t.Attribute(of, "step", type=t.NUMBER, span=span)
        return t.Entry(of, "history", name, type=t.VALUE, span=span)
    if type_ == t.ARTIFACT:
        return _artifact_member(r, of, name, span)
    if isinstance(type_, t.RecordType):
        return _record_member(r, of, name, span)
    raise r.refuse(place, f"{type_} has no {name}")


def _entry(of: t.Document, name: str, span: s.Span) -> t.Node:
    if of.source == "metadata":
        return t.Item(of, (name,), type=t.VALUE, span=span)
    entry = t.Entry(of.of, of.source, name, type=t.VALUE, span=span)
    if (of.source, name) != ("summary", "state"):
        return entry
    # The reference speaks of `run-summary(r).state`, which is a summary's key for nobody.
    known = t.Apply("exists", (entry,), type=t.BOOLEAN, span=span)
    state = t.Attribute(of.of, "state", type=t.TEXT, span=span)
    return t.Apply("if", (known, entry, state), type=t.VALUE, span=span)


def _list_member(r: Resolver, of: t.Node, name: str, span: s.Span) -> t.Node:
    element = t.element_of(of.type)
    if name == "length":
        return t.Fold("count", of, type=t.NUMBER, span=span)
    if isinstance(of.type, t.GroupType) and name in ("key", "groupkey", "groupKey"):
        return t.Attribute(of, "key", type=of.type.key, span=span)
    if name in AGGREGATES and element != t.DICTIONARY:
        return aggregate(r, name, of, span)
    if name in LIST_METHODS and element not in (t.DICTIONARY, t.VALUE):
        if name in ("first", "last", "unique", "flatten", "flat", "reverse"):
            return LIST_METHODS[name](r, of, (), span, {})
        raise r.refuse(span, f"{name} is a method", f"call it: {name}(...)")
    if isinstance(of, t.Each):
        # Of each element's config its entry, not an entry of each config: so it stays a join, and no JSON is searched.
        body = member(r, of.body, name, span)
        return t.Each(of.of, of.variable, body, type=t.list_of(body.type), span=span)
    variable = t.Variable("x", type=element, span=span)
    body = member(r, variable, name, span)
    return t.Each(of, variable, body, type=t.list_of(body.type), span=span)


def _artifact_member(r: Resolver, of: t.Node, name: str, span: s.Span) -> t.Node:
    if name == "metadata":
        return t.Document(of, "metadata", type=t.DICTIONARY, span=span)
    if name == "aliases":
        return t.Tags(of, type=t.list_of(t.TEXT), span=span)
    if name in ARTIFACT_FIELDS:
        column, type_ = ARTIFACT_FIELDS[name]
        return t.Attribute(of, column, type=type_, span=span)
    known = [*ARTIFACT_FIELDS, "aliases", "metadata"]
    raise r.refuse(
        span, f"an artifact version has no {name}", did_you_mean(name, known, f"it has {', '.join(known)}")
    )


def _record_member(r: Resolver, of: t.Node, name: str, span: s.Span) -> t.Node:
    assert isinstance(of.type, t.RecordType)
    if isinstance(of, t.Record) and name in dict(of.entries):
        return dict(of.entries)[name]
    if name in (types := dict(of.type.entries)):
        return t.Attribute(of, name, type=types[name], span=span)
    raise r.refuse(span, f"the record has no {name}", did_you_mean(name, types, f"it has {', '.join(types)}"))


def index(r: Resolver, of: t.Node, place: t.Node, span: s.Span) -> t.Node:
    """`of[place]`: an element, an item, or a key in brackets."""
    if of.type == t.MISSING:
        return of
    if isinstance(place, t.Constant) and isinstance(place.value, str):
        return member(r, of, place.value, span)
    if not (isinstance(place, t.Constant) and isinstance(place.value, float) and place.value.is_integer()):
        raise r.refuse(place.span, "a place or a key must be written out", "use a number or a text in quotes")
    number = int(place.value)
    if isinstance(of.type, t.ListType | t.GroupType):
        stop = number + 1 if number >= 0 else 0
        part = t.Slice(of, max(number, 0), stop, type=t.list_of(t.element_of(of.type)), span=span)
        return t.First(part, type=t.element_of(of.type), span=span)
    if of.type == t.VALUE:
        path = (*of.path, number) if isinstance(of, t.Item) else (number,)
        return t.Item(of.of if isinstance(of, t.Item) else of, path, type=t.VALUE, span=span)
    if of.type == t.TEXT:
        return t.Apply("character", (of, place), type=t.TEXT, span=span)
    return member(r, of, str(number), span)


def run_operation(r: Resolver, operation: str, run: t.Node, more: Sequence[t.Node], span: s.Span) -> t.Node:
    """An operation of a run, or of each run of a list."""
    if isinstance(run.type, t.ListType | t.GroupType) and t.element_of(run.type) == t.RUN:
        variable = t.Variable("r", type=t.RUN, span=span)
        body = run_operation(r, operation, variable, more, span)
        return t.Each(run, variable, body, type=t.list_of(body.type), span=span)
    if run.type != t.RUN:
        raise r.refuse(run.span, f"run-{operation} is of a run, and this is {run.type}")
    wanted = 1 if operation == "loggedArtifactVersion" else 0
    if len(more) != wanted:
        mend = f"write run-{operation}(r{', ' if wanted else ''}{chr(34) + 'name:alias' + chr(34) if wanted else ''})"
        raise r.refuse(span, f"run-{operation} takes {wanted + 1} argument{'s' if wanted else ''}", mend)
    if operation in DOCUMENTS:
        return t.Document(run, DOCUMENTS[operation], type=t.DICTIONARY, span=span)
    if operation in RUN_FIELDS:
        column, type_ = RUN_FIELDS[operation]
        return t.Attribute(run, column, type=type_, span=span)
    if operation in ARTIFACT_LISTS:
        return t.Artifacts(run, ARTIFACT_LISTS[operation], type=t.list_of(t.ARTIFACT), span=span)
    if operation == "tags":
        return t.Tags(run, type=t.list_of(t.TEXT), span=span)
    if operation == "history":
        return t.History(run, type=t.list_of(t.ROW), span=span)
    name = more[0]
    if not (isinstance(name, t.Constant) and isinstance(name.value, str)):
        raise r.refuse(name.span, "the artifact's name must be written out", 'as "name:alias"')
    collection, _, alias = name.value.rpartition(":") if ":" in name.value else (name.value, "", "latest")
    versions = t.Artifacts(run, "logged", collection, alias, type=t.list_of(t.ARTIFACT), span=span)
    return t.First(versions, type=t.ARTIFACT, span=span)
