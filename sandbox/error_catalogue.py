"""Writes docs/reference/errors.md from the source: one row for each error code.

``python -m sandbox.error_catalogue`` writes the page, ``--check`` tells whether it is up to date. The
codes are found in the syntax tree, so the page cannot name one that nothing raises, nor miss one.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
ROOTS = ("include/heavylift", "plugins/heavylift_airflow", "sandbox")
PAGE = REPOSITORY / "docs" / "reference" / "errors.md"
_CODE = re.compile(r"[1-9][0-9]{3}")
# Most files hold no such text, and reading a file's syntax takes most of the time.
_MAY_HOLD = re.compile(rf"""["']{_CODE.pattern}["']""")
_SITUATION = ("what", "got", "expected")
# What is wrong with a spec is gathered first, so that one error tells all of it: the helpers that gather
# are not the class that is raised.
_RAISED_AS = {"include/heavylift/spec/": "SpecError"}

_HEAD = """\
# Error codes

Every error that Heavylift raises on purpose ends with a code such as `[HL-2101]`. This page lists them
all; `python -m sandbox.error_catalogue` writes it from the source, and a test holds it to the source.

A message has five parts: what failed for which object, what was got and expected, what is done and left,
how to mend it, and whether a retry is safe. `{…}` stands for what the message fills in. Errors of the
classes `TransientError`, `ThrottledError` and `ServerUnavailableError` are retried with backoff; all
others fail at once, because a retry would fail again.

| Code | Class | Situation | To fix | Where |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Site:
    """One place in the source that gives a code.

    :param kind: the error class, or the helper that builds the error.
    :param keyword: whether the code is the ``code=`` argument of an error, so belongs to this site alone.
    :param unsafe: whether it says that a retry is not safe.
    """

    code: str
    path: str
    line: int
    kind: str
    situation: str = ""
    remedy: str = ""
    keyword: bool = False
    unsafe: bool = False


@dataclass
class _Finder(ast.NodeVisitor):
    """Walks one module and collects its sites."""

    path: str
    sites: list[Site] = field(default_factory=list)
    classes: list[ast.ClassDef] = field(default_factory=list)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.classes.append(node)
        self.generic_visit(node)
        self.classes.pop()

    def visit_Call(self, node: ast.Call) -> None:
        named = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
        own = [value for value in (named.get("code"), *node.args) if value is not None]
        for value in own:
            for code in _codes_in(value):
                self._add(_site_of_call(code, self.path, node, named, keyword="code" in named))
        for child in ast.iter_child_nodes(node):
            if not any(child is value or _holds(child, value) for value in own if _codes_in(value)):
                self.visit(child)

    def visit_Assign(self, node: ast.Assign) -> None:
        self._assigned(node.targets[0], node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._assigned(node.target, node.value)

    def visit_Dict(self, node: ast.Dict) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            for code in _codes_in(value):
                self._add(Site(code, self.path, value.lineno, "", _text(key) if key else ""))
            self.visit(value)

    def _assigned(self, target: ast.expr, value: ast.expr) -> None:
        name = target.id if isinstance(target, ast.Name) else ""
        for code in _codes_in(value):
            owner = self.classes[-1] if name == "default_code" and self.classes else None
            kind = owner.name if owner else ""
            situation = _docstring(owner) if owner else _words(name)
            self._add(Site(code, self.path, value.lineno, kind, situation))
        self.visit(value)

    def _add(self, site: Site) -> None:
        self.sites.append(site)


def find_sites(repository: Path = REPOSITORY) -> list[Site]:
    """Return every site in the source, by code and then by place."""
    found: list[Site] = []
    for root in ROOTS:
        for path in sorted((repository / root).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if _MAY_HOLD.search(text):
                finder = _Finder(path.relative_to(repository).as_posix())
                finder.visit(ast.parse(text))
                found += finder.sites
    return sorted(found, key=lambda site: (site.code, site.path, site.line))


def render(sites: Sequence[Site]) -> str:
    """Return the page."""
    rows = [_row(list(group)) for _, group in groupby(sites, key=lambda site: site.code)]
    return _HEAD + "".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with ``--check`` compare it; 1 if it was out of date."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.error_catalogue", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    options = parser.parse_args(arguments)
    page = render(find_sites())
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page:
        return 0
    if options.check:
        sys.stderr.write(f"{PAGE} is out of date; run: python -m sandbox.error_catalogue\n")
        return 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page, encoding="utf-8")
    return 0


def _codes_in(node: ast.expr) -> list[str]:
    """Return the codes that the expression can be: a constant, or either arm of a choice."""
    if isinstance(node, ast.IfExp):
        return _codes_in(node.body) + _codes_in(node.orelse)
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _CODE.fullmatch(node.value):
        return [node.value]
    return []


def _holds(child: ast.AST, value: ast.expr) -> bool:
    return isinstance(child, ast.keyword) and child.value is value


def _site_of_call(code: str, path: str, node: ast.Call, named: dict[str, ast.expr], *, keyword: bool) -> Site:
    kind = _name(node.func)
    remedy = _text(named["remedy"]) if "remedy" in named else ""
    if keyword:
        parts = {"what": node.args[0]} if node.args else {}
        parts |= {name: named[name] for name in _SITUATION if name in named}
        situation = _sentence({name: _text(value) for name, value in parts.items()})
    else:
        others = [value for value in node.args if code not in _codes_in(value)]
        values = [*others, *(named[name] for name in _SITUATION if name in named)]
        situation = "; ".join(text for value in values if (text := _literal(value)))
    safe = named.get("retry_safe")
    unsafe = isinstance(safe, ast.Constant) and safe.value is False
    return Site(code, path, node.lineno, kind, situation, remedy, keyword, unsafe)


def _sentence(parts: dict[str, str]) -> str:
    said = [f"{name} {parts[name]}" for name in ("got", "expected") if parts.get(name)]
    return ": ".join(part for part in (parts.get("what", ""), ", ".join(said)) if part)


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _literal(node: ast.expr) -> str:
    """Return the text of a string, and nothing for anything else."""
    holds_text = isinstance(node, ast.JoinedStr | ast.BinOp | ast.IfExp) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return _text(node) if holds_text else ""


def _text(node: ast.expr) -> str:
    """Return the text that an expression gives, ``{…}`` where only the running program knows."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(value) for value in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    if isinstance(node, ast.IfExp):
        return " or ".join(text for arm in (node.body, node.orelse) if (text := _text(arm)))
    if isinstance(node, ast.FormattedValue):
        return _text(node.value) if isinstance(node.value, ast.Constant) else "{…}"
    return "{…}"


def _docstring(node: ast.ClassDef) -> str:
    return (ast.get_docstring(node) or "").replace("``", "")


def _words(name: str) -> str:
    """Return a constant's name as words; a variable called ``code`` tells nothing."""
    return "" if name == "code" else name.strip("_").replace("_", " ").lower()


def _row(sites: list[Site]) -> str:
    first = sites[0]
    cells = (
        f"HL-{first.code}",
        "<br>".join(_unique(_class_of(site) for site in sites)),
        "<br>".join(_unique(_cell(site.situation) for site in sites)),
        "<br>".join(_unique(_cell(site.remedy) for site in sites)),
        "<br>".join(_unique(f"`{site.path}`" for site in sites)),
    )
    return "| " + " | ".join(cells) + " |\n"


def _class_of(site: Site) -> str:
    if site.kind.endswith("Error"):
        return f"`{site.kind}`"
    return next((f"`{name}`" for prefix, name in _RAISED_AS.items() if site.path.startswith(prefix)), "")


def _unique(texts: Iterator[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text]


def _cell(text: str) -> str:
    """Return the text so that Markdown shows it as it is, in one table cell."""
    escaped = re.sub(r"([\\`*_<>|\[\]])", r"\\\1", text)
    return re.sub(r"\s+", " ", escaped).strip()


if __name__ == "__main__":
    sys.exit(main())
