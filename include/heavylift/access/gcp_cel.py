"""The part of Google's condition language (CEL) that is understood: parsed and evaluated."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from heavylift.access.conditions import Context, moment
from heavylift.access.tokens import MAX_DEPTH, NotUnderstoodError, tokens_of

LIST_PREFIX = 'api.getAttribute("storage.googleapis.com/objectListPrefix", "")'
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<name>\.?[A-Za-z_][\w.]*)|(?P<sign>&&|\|\||[=!<>]=|[()!<>,]))"""
)


@dataclass(frozen=True)
class Node:
    """``and``, ``or``, ``not`` with parts, ``true``, or ``test`` with (left, operator, right)."""

    what: str
    parts: tuple[Node, ...] = ()
    test: tuple[str, str, str] = ("", "", "")


def parse(text: str) -> Node:
    """Return the tree of an expression.

    :raises NotUnderstoodError: there is more in it than is known.
    """
    return _Parser(tokens_of(text, _TOKEN)).whole()


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.at, self.depth = tokens, 0, 0

    def whole(self) -> Node:
        node = self._either()
        if self.at != len(self.tokens):
            raise NotUnderstoodError(self.tokens[self.at])
        return node

    def _peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _take(self, expected: str = "") -> str:
        token = self._peek()
        if not token or (expected and token != expected):
            raise NotUnderstoodError(token or "the end")
        self.at += 1
        return token

    def _either(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise NotUnderstoodError("too deep")
        node = self._chain("||", "or", lambda: self._chain("&&", "and", self._not))
        self.depth -= 1
        return node

    def _chain(self, sign: str, what: str, inner: Callable[[], Node]) -> Node:
        parts = [inner()]
        while self._peek() == sign:
            self._take()
            parts.append(inner())
        return parts[0] if len(parts) == 1 else Node(what, tuple(parts))

    def _not(self) -> Node:
        barred = False
        while self._peek() == "!":
            self._take()
            barred = not barred
        node = self._unit()
        return Node("not", (node,)) if barred else node

    def _unit(self) -> Node:
        found = self._take()
        if found == "(":
            node = self._either()
            self._take(")")
            return node
        if found in ("true", "false"):
            return Node("and" if found == "true" else "or")
        return self._test(found)

    def _test(self, name: str) -> Node:
        left, function = name, ""
        if name.startswith("api.getAttribute"):
            left, function = self._attribute()
        elif name.endswith((".startsWith", ".endsWith")):
            left, _, function = name.rpartition(".")
        if function:
            self._take("(")
            value = self._text()
            self._take(")")
            return Node("test", test=(left, function, value))
        operator = self._take()
        if operator not in ("==", "!=", "<", "<=", ">", ">="):
            raise NotUnderstoodError(operator)
        value = self._time() if self._peek() == "timestamp" else self._text()
        return Node("test", test=(left, operator, value))

    def _attribute(self) -> tuple[str, str]:
        self._take("(")
        name = self._text()
        self._take(",")
        self._text()
        self._take(")")
        left = f"api:{name}"
        if self._peek().startswith("."):
            return left, self._take()[1:]
        return left, ""

    def _time(self) -> str:
        self._take("timestamp")
        self._take("(")
        value = self._text()
        self._take(")")
        return value

    def _text(self) -> str:
        token = self._take()
        if token[0] not in "\"'":
            raise NotUnderstoodError(token)
        try:
            inner = token[1:-1] if token[0] == '"' else token[1:-1].replace('"', '\\"').replace("\\'", "'")
            return str(json.loads(f'"{inner}"'))
        except ValueError as error:
            raise NotUnderstoodError(token) from error


def holds(node: Node, resource: str, context: Context) -> bool:
    """Evaluate a tree for a resource (its name without the service) and a request.

    :raises NotUnderstoodError: it asks for an attribute that is not known.
    """
    if node.what == "test":
        return _test_holds(*node.test, resource, context)
    parts = (holds(each, resource, context) for each in node.parts)
    if node.what == "not":
        return not next(parts)
    return all(parts) if node.what == "and" else any(parts)


def _test_holds(left: str, operator: str, right: str, resource: str, context: Context) -> bool:
    if left == "request.time":
        given, value = moment(next(iter(context["time"]))).timestamp(), moment(right).timestamp()
        if operator not in ("<", "<=", ">", ">="):
            raise NotUnderstoodError(operator)
        return {"<": given < value, "<=": given <= value, ">": given > value, ">=": given >= value}[operator]
    if left == "resource.name":
        text = resource
    elif left == "api:storage.googleapis.com/objectListPrefix":
        text = next(iter(context.get("list_prefix", ())), "")
    else:
        raise NotUnderstoodError(left)
    if operator == "startsWith":
        return text.startswith(right)
    if operator == "endsWith":
        return text.endswith(right)
    if operator not in ("==", "!="):
        raise NotUnderstoodError(operator)
    return (text == right) == (operator == "==")


def quoted(text: str) -> str:
    """Return ``text`` as a string of the language."""
    return json.dumps(text, ensure_ascii=False)
