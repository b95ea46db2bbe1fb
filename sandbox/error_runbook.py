"""Writes what to do about each error code: docs/runbooks/codes.md, and the data of ``heavylift explain``.

``python -m sandbox.error_runbook`` writes both from the source, ``--check`` tells whether
they are up to date.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from typing import Any

import heavylift.errors
from heavylift.errors import HeavyliftError, TransientError
from sandbox.error_areas import AREAS, BY_CODE, FAMILIES, NOTES, Area
from sandbox.error_catalogue import REPOSITORY, Site, find_sites

PAGE = REPOSITORY / "docs" / "runbooks" / "codes.md"
DATA = REPOSITORY / "include" / "heavylift" / "report" / "codes.json"
_CLASSES = {
    name: value
    for name, value in vars(heavylift.errors).items()
    if isinstance(value, type) and issubclass(value, HeavyliftError)
}
_ROOT = "HeavyliftError"
_HEAD = """\
# Runbook: every error code

What each code means, whether a retry is safe, what to do, and what tells more. `heavylift explain HL-1234`
prints the same without this page. `python -m sandbox.error_runbook` writes it from the source, and a test
holds it to the source. `{…}` stands for what the message fills in; the message itself is always more exact.

Start with `heavylift doctor MIGRATION --spec FILE` ([night shift](../reference/night-shift.md)).
"""


def entries(sites: Sequence[Site]) -> list[dict[str, Any]]:
    """Return one entry for each code, by code."""
    groups = groupby(sites, key=lambda site: site.code)
    return [_entry(code, list(group)) for code, group in groups]


def area_of(path: str) -> Area | None:
    """Return the part of Heavylift that a file belongs to, or None."""
    fitting = [area for area in AREAS if path.startswith(area.prefix)]
    return max(fitting, key=lambda area: len(area.prefix), default=None)


def render(found: Sequence[dict[str, Any]]) -> str:
    """Return the page."""
    lines = [_HEAD]
    area = ""
    for entry in found:
        if entry["area"] != area:
            area = entry["area"]
            lines.append(f"## {area}: HL-{entry['code']} and following\n")
        lines.append(_section(entry))
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write page and data, or with ``--check`` compare them; 1 if they were out of date."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.error_runbook", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    options = parser.parse_args(arguments)
    found = entries(find_sites())
    wanted = {PAGE: render(found), DATA: _data(found)}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    if not options.check:
        for path in stale:
            path.write_text(wanted[path], encoding="utf-8")
        return 0
    for path in stale:
        sys.stderr.write(f"{path} is out of date; run: python -m sandbox.error_runbook\n")
    return 1 if stale else 0


def _data(found: Sequence[dict[str, Any]]) -> str:
    """Return the data, a line for each code, so that a change shows as one."""
    return "[\n" + ",\n".join(json.dumps(each, ensure_ascii=False) for each in found) + "\n]\n"


def _entry(code: str, sites: list[Site]) -> dict[str, Any]:
    first = sites[0]
    area = area_of(first.path) or AREAS[0]
    named = list(dict.fromkeys(class_of(site) for site in sites))
    # A constant that holds a code, and its use, are one thing: the class is that of the use.
    kinds = [BY_CODE[code]] if code in BY_CODE else [each for each in named if each != _ROOT] or [_ROOT]
    transient = all(issubclass(_CLASSES[kind], TransientError) for kind in kinds)
    return {
        "code": code,
        "classes": kinds,
        "means": _texts(site.situation for site in sites) or [f"A {kinds[0]}; the message tells the rest."],
        "retry_safe": not any(site.unsafe for site in sites),
        "retries_itself": transient,
        "remedies": _texts(site.remedy for site in sites if site.remedy != "{…}"),
        "advice": FAMILIES[kinds[0]],
        "note": NOTES.get(code, ""),
        "area": area.title,
        "more": area.more,
        "page": f"docs/{area.page}",
        "files": list(dict.fromkeys(site.path for site in sites)),
    }


def class_of(site: Site) -> str:
    """Return the class of error that a site raises; a helper's is what it says that it returns."""
    if site.kind in _CLASSES:
        return site.kind
    if site.path.startswith("include/heavylift/spec/") or site.path.endswith("spec_errors.py"):
        return "SpecError"
    returned = _returned(site.path).get(site.kind, "")
    return returned if returned in _CLASSES else _base_of(site) or _ROOT


@cache
def _tree(path: str) -> ast.Module:
    return ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))


@cache
def _returned(path: str) -> dict[str, str]:
    """Return what each function of a file, or of one that it imports from, is annotated to return."""
    tree = _tree(path)
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("heavylift."):
            module = REPOSITORY / "include" / (node.module.replace(".", "/") + ".py")
            if module.is_file() and any(alias.name in _HELPERS for alias in node.names):
                found |= _returned(module.relative_to(REPOSITORY).as_posix())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
            found[node.name] = ast.unparse(node.returns)
    return found


_HELPERS = frozenset({"unusable", "check_crc32c"})


def _base_of(site: Site) -> str:
    """Return the class of Heavylift's own that a subclass in some file derives from."""
    for node in ast.walk(_tree(site.path)):
        if isinstance(node, ast.ClassDef) and node.name == site.kind:
            return next((name for base in node.bases if (name := ast.unparse(base)) in _CLASSES), "")
    return "IntegrityError" if site.kind == "check_crc32c" else ""


def _texts(texts: Any) -> list[str]:
    cleaned = (re.sub(r"\s+", " ", text).strip() for text in texts)
    return [text for text in dict.fromkeys(cleaned) if text]


def _section(entry: dict[str, Any]) -> str:
    retry = "safe" if entry["retry_safe"] else "**not safe** before it is mended"
    by_itself = "; Airflow retries it by itself" if entry["retries_itself"] else "; not retried by itself"
    to_do = [_escaped(each) for each in entry["remedies"]] + [entry["advice"]]
    to_do += [entry["note"]] if entry["note"] else []
    lines = [
        f"### HL-{entry['code']}",
        "",
        *(f"- Means: {_escaped(each)}" for each in entry["means"]),
        f"- Retry: {retry}{by_itself} ({', '.join(entry['classes'])})",
        *(f"- To do: {each}" for each in to_do),
        f"- More: `{entry['more']}`; [{entry['page']}](../{entry['page'].removeprefix('docs/')})",
        "",
    ]
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_<>|\[\]])", r"\\\1", text)


if __name__ == "__main__":
    sys.exit(main())
