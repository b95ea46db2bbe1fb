"""Write a changed document so that everything else in it stays: comments, order, quotes, line ends."""

from __future__ import annotations

import io
import json
import re
import tempfile
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from heavylift.manifests.reading import Chunk, parse

_FIRST = re.compile(r"\A((?:[ \t]*(?:#[^\n]*)?\n)*---[ \t]*(?:#[^\n]*)?(?:\n|\Z))")


def report_path(folder: Path) -> Path:
    """Return where the report of a translation lies: beside the folder, which can be applied as it is."""
    return folder.with_name(folder.name + ".report.json")


def write_all(folder: Path, texts: Mapping[str, str], report: Mapping[str, Any]) -> None:
    """Write every file into ``folder``, all or none: the folder appears when it is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        inside, told = Path(scratch, "out"), Path(scratch, "report.json")
        for name, text in texts.items():
            path = inside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        told.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        told.replace(report_path(folder))
        inside.replace(folder)


def render_json(chunk: Chunk, data: Any) -> str:
    """Return a JSON document, indented as the one it came from."""
    indent = re.search(r"\n([ \t]+)\S", chunk.text)
    width = len(indent[1].expandtabs(2)) if indent else None
    return json.dumps(data, indent=width, ensure_ascii=False) + ("\n" if chunk.text.endswith("\n") else "")


def render_yaml(chunk: Chunk, data: Any, translate: Callable[[Any], None]) -> tuple[str, bool]:
    """Return a YAML document and whether its comments are kept.

    :param data: what the document must say.
    :param translate: makes the same changes to the document as it was read for a round trip.
    """
    text = chunk.text.replace("\r\n", "\n")
    head = _FIRST.match(text)
    start = head[1] if head else ""
    if start and not start.endswith("\n"):
        start += "\n"
    body = text[len(head[1]) :] if head else text
    if not head and body.startswith("---"):
        start, body = "---\n", "   " + body[3:]
    kept = None if chunk.aliased else _round_trip(body, data, translate)
    if kept is None:
        dumped = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=2**31 - 1)
        return _ends(start + str(dumped), chunk), "#" not in text
    return _ends(start + kept, chunk), True


def _ends(text: str, chunk: Chunk) -> str:
    return text.replace("\n", "\r\n") if "\r\n" in chunk.text else text


def _round_trip(body: str, data: Any, translate: Callable[[Any], None]) -> str | None:
    """Return the changed text; None where it would not say exactly what it must."""
    rewriter = YAML(typ="rt")
    rewriter.preserve_quotes = True
    rewriter.width = 2**31 - 1
    rewriter.allow_duplicate_keys = False
    if re.search(r"^( *)[\w./-]+:\s*\n\1  +- ", body, re.MULTILINE):
        rewriter.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    try:
        document = rewriter.load(body)
        translate(document)
        _quote(document)
        rewriter.dump(document, out)
        if parse(out.getvalue()) == data:
            return out.getvalue()
    except (YAMLError, yaml.YAMLError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None
    return None


def _quote(value: Any) -> None:
    """Quote new texts that a reader of YAML 1.1, as Kubernetes has one, would take for something else."""
    rows: Any = value.items() if isinstance(value, MutableMapping) else enumerate(value)
    for key, each in list(rows):
        if isinstance(each, (MutableMapping, list)):
            _quote(each)
        elif type(each) is str and _misread(each):
            value[key] = DoubleQuotedScalarString(each)


def _misread(text: str) -> bool:
    try:
        return bool(parse(text) != text)
    except (yaml.YAMLError, ValueError):
        return True
