"""The resolver: statements, functions and names, and what a node is as a condition, a number, a text, a list."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from wandb_warehouse.errors import OperationError
from wandb_warehouse.operations import tree as t
from wandb_warehouse.operations.language import syntax as s
from wandb_warehouse.operations.language.messages import did_you_mean, refusal
from wandb_warehouse.operations.language.vocabulary import RUN_OPERATIONS, operation_name

__all__ = ["Closure", "Given", "Names", "Resolver"]

SEE = "see docs/operations.md"


@dataclass(frozen=True)
class Given:
    """What a program is compiled for: the project its runs are of, and what its names of runs stand for.

    A run is given as its id, or as `entity/project/id`.
    """

    project: tuple[str, str] | None = None
    runs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Closure:
    """A function with the names it may use."""

    arrow: s.Arrow
    names: "Names"


Names = Mapping[str, "t.Node | Closure"]


class Resolver:
    """Resolves the expressions of one text."""

    def __init__(
        self, text: str, given: Given, node: "Callable[[Resolver, s.Expression, Names], t.Node]"
    ) -> None:
        self.text = text
        self.given = given
        # What an expression means is said in modules of its own, which need the resolver themselves.
        self._node = node
        self._called: dict[tuple[int, ...], tuple[Closure, Sequence[t.Node], t.Node]] = {}
        """What functions gave, by the identities of the function and its arguments, which are kept for that."""

    def refuse(self, span: s.Span, what: str, mend: str = SEE) -> OperationError:
        """An error about a part of the text."""
        return refusal(self.text, span, what, mend=mend)

    # Statements

    def program(self, statements: Sequence[s.Statement]) -> list[t.Node]:
        """What each statement shows; where the last ones are assignments, the last of them."""
        names: dict[str, t.Node | Closure] = {}
        shown: list[t.Node] = []
        last: t.Node | Closure | None = None
        for statement in statements:
            last = None
            match statement:
                case s.Assignment(name, value):
                    last = names[name] = self.value(value, names)
                case s.Return(_, span):
                    raise self.refuse(span, "return stands outside of a function", "leave it out")
                case s.Evaluation(s.Name(name, span), _) if isinstance(names.get(name), Closure):
                    raise self.refuse(span, f"{name} is a function", "call it, or give it to a list's method")
                case s.Evaluation(expression) if not _effect(expression):
                    shown.append(self.expression(expression, names))
                case _:
                    if (effect := self.effect(statement, names)) is not None:
                        shown.append(effect)
        if isinstance(last, t.Node):
            shown.append(last)
        if not shown:
            raise self.refuse(
                s.Span(0, len(self.text)), "the program shows nothing", "end it with an expression"
            )
        return shown

    def value(self, expression: s.Expression, names: Names) -> "t.Node | Closure":
        """What a name stands for: a node, or a function."""
        return (
            Closure(expression, names)
            if isinstance(expression, s.Arrow)
            else self.expression(expression, names)
        )

    def effect(self, statement: s.Statement, names: Names) -> t.Node | None:
        """The text that a statement writes: text, or a list of texts; None where it writes none."""
        match statement:
            case s.If(condition, then, otherwise, span):
                holds = self.condition(condition, names)
                written = [self._text_of(self.block_effect(part, names)) for part in (then, otherwise)]
                branches = [each or t.Constant(None, type=t.MISSING, span=span) for each in written]
                return t.Apply("if", (holds, *branches), type=t.TEXT, span=span)
            case s.Evaluation(s.Call(s.Member(of, "forEach"), (argument,)), span):
                return self._for_each(of, argument, names, span)
            case s.Evaluation(s.Call(_, arguments), span) as evaluation if _effect(evaluation.expression):
                words = [self.string(self.expression(argument, names)) for argument in arguments]
                spaced = [part for word in words for part in (t.Constant(" ", type=t.TEXT), word)]
                line = t.Apply("concat", tuple(spaced[1:]), type=t.TEXT, span=span)
                return t.Written(line, type=t.TEXT, span=span)
            case s.Evaluation(expression):
                self.expression(expression, names)  # its faults are told, though it shows nothing here
                return None
            case _:
                raise self.refuse(statement.span, "this statement has no meaning here", SEE)

    def _for_each(
        self, of: s.Expression, argument: s.Expression, names: Names, span: s.Span
    ) -> t.Node | None:
        elements = self.listed(self.expression(of, names), of.span)
        closure = self.closure(argument, names)
        (variable,), inner = self.bind(closure, [t.element_of(elements.type)], argument.span)
        body = closure.arrow.body
        statements = body if isinstance(body, tuple) else (s.Evaluation(body, body.span),)
        written = self._text_of(self.block_effect(statements, inner))
        if written is None:
            return None
        return t.Each(elements, variable, written, type=t.list_of(t.TEXT), span=span)

    def block_effect(self, statements: Sequence[s.Statement], names: Names) -> t.Node | None:
        """The text that statements write together, a line each."""
        inner = dict(names)
        lines: list[t.Node] = []
        for statement in statements:
            if isinstance(statement, s.Assignment):
                inner[statement.name] = self.value(statement.value, inner)
            elif (written := self._text_of(self.effect(statement, inner))) is not None:
                lines.append(written)
        if len(lines) < 2:
            return lines[0] if lines else None
        below = t.Apply("lines", tuple(lines), type=t.TEXT, span=statements[0].span)
        return t.Written(below, type=t.TEXT, span=statements[0].span)

    @staticmethod
    def _text_of(written: t.Node | None) -> t.Node | None:
        """A list of texts as one, a line each."""
        if written is None or written.type == t.TEXT:
            return written
        joined = t.Fold("join", written, "\n", type=t.TEXT, span=written.span)
        return t.Written(joined, type=t.TEXT, span=written.span)

    def body(self, closure: Closure, names: Names) -> t.Node:
        """What a function gives."""
        if not isinstance(closure.arrow.body, tuple):
            return self.expression(closure.arrow.body, names)
        return self._returned(closure.arrow.body, names, closure.arrow.span)

    def called(self, closure: Closure, arguments: Sequence[t.Node]) -> t.Node:
        """What a function gives of arguments; of the same ones the same node, so that it is computed once."""
        key = (id(closure), *(id(each) for each in arguments))
        if key not in self._called:
            values = dict(zip(closure.arrow.parameters, arguments, strict=False))
            self._called[key] = closure, arguments, self.body(closure, {**closure.names, **values})
        return self._called[key][-1]

    def _returned(self, statements: Sequence[s.Statement], names: Names, span: s.Span) -> t.Node:
        inner = dict(names)
        for place, statement in enumerate(statements):
            match statement:
                case s.Assignment(name, value):
                    inner[name] = self.value(value, inner)
                case s.Return(expression):
                    return self.expression(expression, inner)
                case s.If(condition, then, otherwise):
                    rest = statements[place + 1 :]
                    return self.either(
                        self.condition(condition, inner),
                        self._returned((*then, *rest), inner, span),
                        self._returned((*otherwise, *rest), inner, span),
                        statement.span,
                    )
                case _:
                    raise self.refuse(statement.span, "a function's statement must assign or return")
        return t.Constant(None, type=t.MISSING, span=span)

    # Functions

    def closure(self, argument: s.Expression, names: Names) -> Closure:
        """The function that an argument is."""
        if isinstance(argument, s.Arrow):
            return Closure(argument, names)
        found = names.get(argument.name) if isinstance(argument, s.Name) else None
        if isinstance(found, Closure):
            return found
        if isinstance(argument, s.Name) and operation_name(argument.name) in RUN_OPERATIONS:
            call = s.Call(argument, (s.Name("run", argument.span),), argument.span)
            return Closure(s.Arrow(("run",), call, argument.span), names)
        raise self.refuse(argument.span, "a function is wanted here", "write it as r => ...")

    def bind(
        self, closure: Closure, types: Sequence[t.Type], span: s.Span
    ) -> tuple[tuple[t.Variable, ...], dict[str, "t.Node | Closure"]]:
        """Variables for a function's parameters, and the names it may use."""
        parameters = closure.arrow.parameters
        if len(parameters) > len(types):
            raise self.refuse(
                span,
                f"this function takes {len(parameters)} parameters, not {len(types)}",
                "leave out the rest",
            )
        names = dict(closure.names)
        variables = []
        for place, type_ in enumerate(types):
            name = parameters[place] if place < len(parameters) else "_"
            variable = t.Variable(name, type=type_, span=span)
            variables.append(variable)
            names[name] = variable
        return tuple(variables), names

    def over(
        self,
        elements: t.Node,
        argument: s.Expression,
        names: Names,
        build: Callable[[t.Variable, t.Node], t.Node],
    ) -> t.Node:
        """Resolve a function of one element and build a node with its variable and what it gives."""
        closure = self.closure(argument, names)
        variable, inner = self.element(closure, elements, argument.span)
        return build(variable, self.body(closure, inner))

    def element(
        self, closure: Closure, elements: t.Node, span: s.Span
    ) -> tuple[t.Variable, dict[str, "t.Node | Closure"]]:
        """The variable for a function's one parameter, and the names it may use."""
        if isinstance(elements, t.Each) and t.element_of(elements.type) == t.DICTIONARY:
            # The parameter is each run's config: the variable is the run, the parameter's name its config.
            _, inner = self.bind(closure, [t.DICTIONARY], span)
            parameters = closure.arrow.parameters
            return elements.variable, {**inner, **dict.fromkeys(parameters[:1], elements.body)}
        (variable,), inner = self.bind(closure, [t.element_of(elements.type)], span)
        return variable, inner

    # Expressions

    def expression(self, expression: s.Expression, names: Names) -> t.Node:
        """The node of an expression."""
        return self._node(self, expression, names)

    def condition(self, expression: s.Expression, names: Names) -> t.Node:
        """An expression as a condition."""
        match expression:
            case s.Binary("&&" | "||" as operator, left, right, span):
                function = "and" if operator == "&&" else "or"
                sides = (self.condition(left, names), self.condition(right, names))
                return t.Apply(function, sides, type=t.BOOLEAN, span=span)
            case s.Unary("!", operand, span):
                return t.Apply("not", (self.condition(operand, names),), type=t.BOOLEAN, span=span)
            case _:
                return self.truth(self.expression(expression, names))

    def truth(self, node: t.Node) -> t.Node:
        """Whether a node counts as true, as JavaScript says."""
        if node.type == t.BOOLEAN:
            return node
        if isinstance(node.type, t.ListType | t.GroupType | t.RecordType):
            return t.Constant(True, type=t.BOOLEAN, span=node.span)
        return t.Apply("truth", (node,), type=t.BOOLEAN, span=node.span)

    def either(self, condition: t.Node, then: t.Node, otherwise: t.Node, span: s.Span) -> t.Node:
        """One of two nodes; where their types differ it is a value."""
        types = {node.type for node in (then, otherwise) if node.type != t.MISSING}
        scalar = {t.NUMBER, t.TEXT, t.BOOLEAN, t.VALUE}
        if len(types) > 1 and types <= scalar:
            types = {t.VALUE}
        if len(types) > 1 or not types <= {*scalar, t.DATE}:
            mend = "choose between numbers, texts, booleans or values"
            raise self.refuse(span, f"SQL cannot choose between {then.type} and {otherwise.type}", mend)
        type_ = types.pop() if types else t.MISSING
        return t.Apply("if", (condition, then, otherwise), type=type_, span=span)

    def number(self, node: t.Node) -> t.Node:
        """A node as a number."""
        if node.type in (t.NUMBER, t.MISSING):
            return node
        if node.type in (t.BOOLEAN, t.VALUE, t.DATE):
            return t.Apply("number", (node,), type=t.NUMBER, span=node.span)
        raise self.refuse(node.span, f"{node.type} is no number", "use Number(...) where a text holds one")

    def string(self, node: t.Node) -> t.Node:
        """A node as JavaScript writes it into a text."""
        if node.type == t.TEXT and isinstance(node, t.Constant):
            return node
        if node.type in (t.TEXT, t.NUMBER, t.BOOLEAN, t.VALUE, t.MISSING):
            return t.Apply("string", (node,), type=t.TEXT, span=node.span)
        raise self.refuse(node.span, f"{node.type} has no text of its own", "name the field that is wanted")

    def scalar_text(self, node: t.Node) -> t.Node:
        """A node as text, missing where it is none."""
        if node.type in (t.TEXT, t.MISSING):
            return node
        if node.type == t.VALUE:
            return t.Apply("text", (node,), type=t.TEXT, span=node.span)
        raise self.refuse(node.span, f"{node.type} is no text", "use String(...)")

    def listed(self, node: t.Node, span: s.Span) -> t.Node:
        """A node as a list."""
        if isinstance(node.type, t.ListType | t.GroupType):
            return node
        if node.type == t.VALUE:
            return t.Items(node, type=t.list_of(t.VALUE), span=span)
        raise self.refuse(span, f"{node.type} is no list")

    def free_run(self, name: str, span: s.Span) -> t.Node | None:
        """The run that a name without a value stands for."""
        if name not in self.given.runs:
            return None
        project, _, run_id = self.given.runs[name].rpartition("/")
        entity, _, named = project.partition("/")
        of = (entity, named) if named else self.given.project
        every = t.AllRuns(of, run_id, type=t.list_of(t.RUN), span=span)
        return t.First(every, type=t.RUN, span=span)

    def unknown(self, name: str, span: s.Span, names: Names) -> OperationError:
        """The error for a name that stands for nothing."""
        if name.startswith("run") and (not name[3:] or name[3:].isdigit()):
            return self.refuse(
                span,
                f"no run is given as {name}",
                "give --run ID" if name == "run" else f"give --run {name}=ID",
            )
        operations = [f"run-{each}" for each in RUN_OPERATIONS]
        known = [*names, *operations, "runs", "Math", "Date", "Number", "String", "compareConfigs"]
        return self.refuse(span, f"unknown name {name}", did_you_mean(name, known, SEE))


def _effect(expression: s.Expression) -> bool:
    match expression:
        case (
            s.Call(s.Name("alert")) | s.Call(s.Member(s.Name("console"), _)) | s.Call(s.Member(_, "forEach"))
        ):
            return True
        case _:
            return False
