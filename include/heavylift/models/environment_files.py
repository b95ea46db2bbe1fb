"""Reads what conda.yaml and python_env.yaml have installed: MLflow's servers take either for requirements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from heavylift.evidence.records import Finding
from heavylift.models.layout import read_yaml
from heavylift.models.rules import finding
from heavylift.models.runtime import is_named

_CONDA, _VIRTUAL = "conda.yaml", "python_env.yaml"
_OF_CONDA = re.compile(r"[A-Za-z0-9_][\w.-]*(?:\s*[=<>!~][=<>!~\w.*,|+ -]*)?\Z", re.ASCII)
_CHANNELS = re.compile(
    r"(?:https://(?:conda\.anaconda\.org|repo\.anaconda\.com)/)?[\w.-]+(?:/[\w.-]+)*/?\Z", re.ASCII
)
_SAME = re.compile(r"-r\s*(?:\./)?requirements\.txt\Z")
"""The file that is judged by itself."""
_MOST = 100


def environment_findings(
    folder: Path, names: tuple[str, ...], told: tuple[tuple[str, str], ...] = ()
) -> Iterator[Finding]:
    """Yield what these files have installed that is no package by its name, from a known place.

    :param told: files that MLmodel has an environment built from, each behind its kind.
    """
    for kind, name in dict.fromkeys((("conda", _CONDA), ("virtualenv", _VIRTUAL), *told)):
        if name in names:
            found = read_yaml(folder / name)
            lines = _conda(found) if kind == "conda" else _virtual(found)
            yield from (_unsafe(name, line) for line in lines)


def _virtual(told: dict[str, Any]) -> Iterator[Any]:
    for key in ("build_dependencies", "dependencies"):
        yield from (line for line in _listed(told.get(key)) if not _is_package(line))


def _conda(told: dict[str, Any]) -> Iterator[Any]:
    for channel in _listed(told.get("channels")):
        if not isinstance(channel, str) or not _CHANNELS.match(channel) or ".." in channel:
            yield channel
    if told.get("variables"):
        yield f"variables: {told['variables']}"
    for line in _listed(told.get("dependencies")):
        if isinstance(line, dict):
            for inner in line.values():
                yield from (each for each in _listed(inner) if not _is_package(each))
        elif not isinstance(line, str) or not _OF_CONDA.match(line):
            yield line


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _is_package(line: Any) -> bool:
    return isinstance(line, str) and (is_named(line.strip()) or bool(_SAME.match(line.strip())))


def _unsafe(file: str, line: Any) -> Finding:
    return finding("unsafe-requirement", file, f"{str(line)[:_MOST]!r} is not a package by its name")
