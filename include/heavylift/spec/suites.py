"""Puts the expectations of a ``suite_file`` into the spec that names it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from heavylift.spec.document import Document, read_document
from heavylift.spec.files import read_text
from heavylift.spec.problems import FieldPath, Problem, field_text


def insert_suites(document: Document, directory: Path) -> None:
    """Fill ``suite`` from ``suite_file`` wherever the document names one, and note what is wrong.

    A model's ``golden_suite`` likewise.

    The file must lie in ``directory`` or below it, so that a spec cannot read elsewhere. It is
    a list of expectations, or a mapping with ``expectations``, as Great Expectations saves it.
    """
    for key, tables in (("suite", _tables), ("golden_suite", _models)):
        for path, table in list(tables(document.data)):
            if isinstance(table.get(f"{key}_file"), str):
                _insert(document, directory, path, table, key)


def _tables(data: Any) -> Iterator[tuple[FieldPath, dict[str, Any]]]:
    datasets = data.get("datasets") if isinstance(data, dict) else None
    for index, dataset in enumerate(datasets if isinstance(datasets, list) else ()):
        tables = dataset.get("expectations") if isinstance(dataset, dict) else None
        for position, table in enumerate(tables if isinstance(tables, list) else ()):
            if isinstance(table, dict):
                yield ("datasets", index, "expectations", position), table


def _models(data: Any) -> Iterator[tuple[FieldPath, dict[str, Any]]]:
    models = data.get("models") if isinstance(data, dict) else None
    for index, model in enumerate(models if isinstance(models, list) else ()):
        if isinstance(model, dict):
            yield ("models", index), model


def _insert(document: Document, directory: Path, path: FieldPath, table: dict[str, Any], key: str) -> None:
    here = (*path, f"{key}_file")
    mark = document.mark(here)
    if table.get(key):
        document.report("2133", here, mark, f"both {key} and {key}_file", "one of the two")
        return
    root = directory.resolve()
    file = (root / table[f"{key}_file"]).resolve()
    if not file.is_relative_to(root):
        document.report("2116", here, mark, "a file outside the spec's directory", "a file in it or below it")
        return
    name = str(directory / table[f"{key}_file"])
    text = read_text(file, name)
    if isinstance(text, Problem):
        document.report("2116", here, mark, f"{name}: {text.got}", text.expected)
        return
    suite = read_document(text, name)
    document.problems += suite.problems
    if not suite.problems:
        _adopt(document, (*path, key), suite, table)


def _adopt(document: Document, path: FieldPath, suite: Document, table: dict[str, Any]) -> None:
    expectations, inner = suite.data, tuple[str, ...]()
    if isinstance(expectations, dict) and "expectations" in expectations:
        expectations, inner = expectations["expectations"], ("expectations",)
    if not isinstance(expectations, list):
        document.report(
            "2116", path, suite.mark(()), "no list", f"a list of expectations for {field_text(path)}"
        )
        return
    # What Great Expectations adds when it saves a suite is of no use here.
    table[str(path[-1])] = [_without_bookkeeping(item) for item in expectations]
    for marks, adopted in ((suite.keys, document.keys), (suite.values, document.values)):
        for place, mark in marks.items():
            if place[: len(inner)] == inner:
                adopted[(*path, *place[len(inner) :])] = mark


def _without_bookkeeping(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    return {key: value for key, value in item.items() if key not in {"id", "meta", "severity", "notes"}}
