"""Reads chat templates without rendering them: a template may reach for more than messages.

transformers renders in a sandbox, others have not always done so. What leaves the plain language is refused:
names that begin with an underscore are the way to Python's insides, and inclusions read files.
"""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import Environment, TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

_EXTENSIONS = ("jinja2.ext.loopcontrols", "jinja2.ext.do")
_MOST_TEXT = 2**20
_LOADS = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
_INSIDES = frozenset({"self", "lipsum", "cycler", "joiner"})
Problem = tuple[str, str]


class _Generation(Extension):
    """The tag that transformers adds: it marks what the model has said."""

    tags = {"generation"}  # noqa: RUF012 - as Jinja has it

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """Return what lies between the tags."""
        next(parser.stream)
        return list(parser.parse_statements(("name:endgeneration",), drop_needle=True))


def template_problems(text: str) -> Iterator[Problem]:
    """Yield rule and detail of what a template reaches for beyond the plain language."""
    if len(text) > _MOST_TEXT:
        yield "unscanned-file", f"a chat template of more than {_MOST_TEXT} characters"
        return
    # Parsed, and never made into code: nothing of it is evaluated.
    environment = Environment(extensions=[*_EXTENSIONS, _Generation], autoescape=True)
    try:
        tree = environment.parse(text)
        found = list(dict.fromkeys(_reaches(tree)))
    except (TemplateError, RecursionError, ValueError) as error:
        yield "unscanned-file", f"a chat template that cannot be read ({str(error)[:100]})"
        return
    for each in found:
        yield "malicious-code", f"its chat template {each}"


def _reaches(tree: nodes.Node) -> Iterator[str]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        waiting += node.iter_child_nodes()
        if isinstance(node, _LOADS):
            yield "reads another file"
        elif isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
            yield f"reaches for {node.attr[:60]!r}"
        elif isinstance(node, nodes.Getitem) and _is_odd(node.arg):
            yield "reaches for a name that it puts together, or that begins with an underscore"
        elif isinstance(node, nodes.Filter) and node.name in {"attr", "map"} and _maps_insides(node):
            yield f"reaches for attributes by the filter {node.name}"
        elif isinstance(node, nodes.Name) and node.name in _INSIDES:
            yield f"reaches for {node.name!r}"


def _is_odd(key: nodes.Expr) -> bool:
    """Tell whether what is looked up may be a name that begins with an underscore."""
    if isinstance(key, nodes.Const):
        return isinstance(key.value, str) and key.value.startswith("_")
    parts = (nodes.Add, nodes.Concat, nodes.Mod, nodes.Filter)
    found = [key] if isinstance(key, parts) else list(key.find_all(parts))
    return any(isinstance(text.value, str) for each in found for text in each.find_all(nodes.Const))


def _maps_insides(node: nodes.Filter) -> bool:
    if node.name == "attr":
        return True
    texts = [each.value for each in node.find_all(nodes.Const) if isinstance(each.value, str)]
    return any(each.startswith("_") or "._" in each or each == "attr" for each in texts)
