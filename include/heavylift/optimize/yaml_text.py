"""YAML that keeps its comments when it is written back."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML


def dumped(document: Any, indent: int | None, offset: int | None) -> str:
    """Return a document that was read with its comments, as text."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=indent or 2, offset=offset or 0)
    text = io.StringIO()
    yaml.dump(document, text)
    return text.getvalue()


def round_trip(text: str) -> Any:
    """Return what a text says, as plain values."""
    return YAML(typ="safe", pure=True).load(text)
