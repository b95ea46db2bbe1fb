"""A part of PromQL: enough for the rules that are written and read here; anything else is refused by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from heavylift.alerts.problems import unreadable, untranslatable

MAX_TEXT = 100_000
_ONE = "write a rule for each series"
MAX_DEPTH = 60
MAX_LEVELS = 200

OVER_TIME = frozenset(
    {"avg_over_time", "sum_over_time", "min_over_time", "max_over_time", "count_over_time", "last_over_time"}
)
SCALARS = frozenset({"abs", "vector", "absent", "absent_over_time"})
AGGREGATES = frozenset({"sum", "count", "min", "max", "avg"})
_FUNCTIONS = OVER_TIME | SCALARS | AGGREGATES | {"quantile_over_time", "clamp_min", "clamp_max"}
_PRECEDENCE: tuple[tuple[str, ...], ...] = (
    ("or",),
    ("and", "unless"),
    ("==", "!=", "<=", ">=", "<", ">"),
    ("+", "-"),
    ("*", "/"),
)
COMPARISONS = frozenset(_PRECEDENCE[2])
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<duration>(?:\d+(?:ms|[smhdwy]))+)
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<sign>==|!=|<=|>=|=~|!~|[-+*/<>=(){}\[\],])""",
    re.VERBOSE,
)
_SPAN = re.compile(r"(\d+)(ms|[smhdwy])")
_SECONDS = {"ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}


@dataclass(frozen=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True)
class Selector:
    """A metric, its labels, and for a range how long it is; both shifted back by ``offset`` seconds."""

    metric: str
    labels: tuple[tuple[str, str], ...] = ()
    range: float | None = None
    offset: float = 0.0


@dataclass(frozen=True)
class Call:
    """A function or an aggregation of these arguments."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Binary:
    """Two sides and what stands between them; ``bool`` makes 0 and 1 of a comparison."""

    operator: str
    left: Node
    right: Node
    as_bool: bool = False


Node: TypeAlias = "Number | Selector | Call | Binary"


@lru_cache(maxsize=16)  # a rule is replayed over dozens of series, and read for each
def parse(text: str, functions: frozenset[str] = frozenset()) -> Node:
    """Return an expression; parts of it that are equal are one object, so that a moment asks for them once.

    :param functions: that are known besides PromQL's.
    :raises SpecError: it is none.
    :raises UntranslatableError: it has parts that are not known here.
    """
    if len(text) > MAX_TEXT:
        raise unreadable("an expression of PromQL", f"{len(text)} characters", f"at most {MAX_TEXT}")
    reader = _Reader(list(_tokens(text)), functions)
    found = reader.binary(0)
    reader.end()
    _demand_flat(found)
    return _shared(found, {})


def _shared(node: Node, known: dict[object, Node]) -> Node:
    """Return the same expression; a guarded formula says the same parts half a dozen times."""
    if isinstance(node, Number):
        return known.setdefault(repr(node.value), node)
    if isinstance(node, Selector):
        return known.setdefault(node, node)
    # What is below is one object for all that is equal, so its identity stands for it.
    if isinstance(node, Call):
        arguments = tuple(_shared(each, known) for each in node.arguments)
        return known.setdefault((node.name, *map(id, arguments)), Call(node.name, arguments))
    left, right = _shared(node.left, known), _shared(node.right, known)
    key = (node.operator, node.as_bool, id(left), id(right))
    return known.setdefault(key, Binary(node.operator, left, right, node.as_bool))


def _demand_flat(node: Node) -> None:
    """Refuse what is too deep to be evaluated; a long sum is as deep as it has terms."""
    left = [(node, 1)]
    while left:
        each, level = left.pop()
        if level > MAX_LEVELS:
            raise unreadable("an expression of PromQL", "deep nesting", f"at most {MAX_LEVELS} levels")
        if isinstance(each, Binary):
            left += [(each.left, level + 1), (each.right, level + 1)]
        elif isinstance(each, Call):
            left += [(inner, level + 1) for inner in each.arguments]


def seconds(text: str) -> float:
    """Return how long a duration such as ``5m`` or ``1m1ms`` is.

    :raises SpecError: it is none.
    """
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text or len(text) > 40:
        raise unreadable("a duration of Prometheus", text, "one such as 5m")
    return round(sum(int(number) * _SECONDS[unit] for number, unit in parts), 3)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise unreadable("an expression of PromQL", text[at : at + 40], "a known sign")
        at = found.end()
        if found.lastgroup != "space":
            yield str(found.lastgroup), found[0]
    yield "end", ""


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]], functions: frozenset[str]) -> None:
        self.tokens, self.at, self.depth = tokens, 0, 0
        self.functions = functions | _FUNCTIONS

    def peek(self) -> str:
        return self.tokens[self.at][1]

    def take(self, wanted: str | None = None) -> str:
        kind, found = self.tokens[self.at]
        if kind == "end" or (wanted is not None and found != wanted):
            raise unreadable("an expression of PromQL", found or "its end", wanted or "more of it")
        self.at += 1
        return found

    def end(self) -> None:
        if self.tokens[self.at][0] != "end":
            raise untranslatable("an expression of PromQL", f"{self.peek()} where it should end")

    def binary(self, level: int) -> Node:
        if level == len(_PRECEDENCE):
            return self.unary()
        left = self.binary(level + 1)
        while self.peek() in _PRECEDENCE[level]:
            sign = self.take()
            as_bool = sign in COMPARISONS and self.peek() == "bool"
            if as_bool:
                self.take()
            if self.peek() in ("on", "ignoring"):
                self._empty_matching()
            left = Binary(sign, left, self.binary(level + 1), as_bool)
        return left

    def _empty_matching(self) -> None:
        if self.take() != "on" or self.take("(") != "(" or self.peek() != ")":
            raise untranslatable("an expression of PromQL", "matching by labels")
        self.take(")")

    def unary(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise unreadable("an expression of PromQL", "deep nesting", f"at most {MAX_DEPTH} levels")
        try:
            return self._unary()
        finally:
            self.depth -= 1

    def _unary(self) -> Node:
        kind, found = self.tokens[self.at]
        if found == "(":
            self.take()
            inner = self.binary(0)
            self.take(")")
            return inner
        if found == "-":
            self.take()
            inner = self.unary()
            return Number(-inner.value) if isinstance(inner, Number) else Binary("*", Number(-1.0), inner)
        if kind == "number":
            return Number(float(self.take()))
        if kind == "name":
            return self.named()
        if found == "{":
            raise untranslatable("an expression of PromQL", "a selector without a metric's name")
        raise unreadable("an expression of PromQL", found or "its end", "an expression")

    def named(self) -> Node:
        name = self.take()
        if self.peek() in ("by", "without"):
            raise untranslatable("an expression of PromQL", f"{name} {self.peek()}", _ONE)
        if self.peek() != "(":
            return self.selector(name)
        if name not in self.functions:
            raise untranslatable("an expression of PromQL", f"the function {name}")
        self.take("(")
        arguments = [self.binary(0)]
        while self.peek() == ",":
            self.take()
            arguments.append(self.binary(0))
        self.take(")")
        if self.peek() in ("by", "without"):
            raise untranslatable("an expression of PromQL", f"{name} {self.peek()}", _ONE)
        return Call(name, tuple(arguments))

    def selector(self, name: str) -> Selector:
        labels: list[tuple[str, str]] = []
        if self.peek() == "{":
            self.take()
            while self.peek() != "}":
                label, sign = self.take(), self.take()
                if sign != "=":
                    raise untranslatable("an expression of PromQL", f"the matcher {label}{sign}")
                labels.append((label, _unquoted(self.take())))
                if self.peek() != "}":
                    self.take(",")
            self.take("}")
        span = None
        if self.peek() == "[":
            self.take()
            span = seconds(self.take())
            if self.peek() != "]":
                raise untranslatable("an expression of PromQL", "a subquery")
            self.take("]")
        offset = 0.0
        if self.peek() == "offset":
            self.take()
            offset = seconds(self.take())
        return Selector(name, tuple(labels), span, offset)


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[0] not in "\"'":
        raise unreadable("an expression of PromQL", text, "a text in quotes")

    def plain(found: re.Match[str]) -> str:
        if found[1] not in _ESCAPES:
            raise untranslatable("an expression of PromQL", f"the escape {found[0]}")
        return _ESCAPES[found[1]]

    return re.sub(r"\\(.)", plain, text[1:-1])


def quoted(text: str) -> str:
    """Return a text as PromQL writes it."""
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(plain, escaped)
    return f'"{text}"'
