"""Reads and writes files of rules."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from heavylift.alerts import prometheus
from heavylift.alerts.model import Platform
from heavylift.alerts.problems import unreadable
from heavylift.alerts.translate import Translated
from heavylift.errors import ConflictError

MAX_BYTES = 16 * 1024 * 1024


def read_document(path: Path) -> Any:
    """Read a file of JSON or YAML.

    :raises SpecError: it is neither, or too large.
    """
    import yaml

    what = f"the file {path}"
    try:
        size = path.stat().st_size
        text = path.read_text(encoding="utf-8") if size <= MAX_BYTES else ""
        found = json.loads(text or "0") if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except OSError as problem:
        raise unreadable(
            what, problem.strerror or type(problem).__name__, "a file that can be read"
        ) from None
    except (ValueError, RecursionError, yaml.YAMLError) as problem:
        raise unreadable(what, type(problem).__name__, "JSON, or YAML") from None
    if size > MAX_BYTES:
        raise unreadable(what, f"{size} bytes", f"at most {MAX_BYTES}")
    return found


def combined(target: Platform, translated: Sequence[Translated]) -> dict[str, Any]:
    """Return all rules as one document of the target."""
    documents = [each.document for each in translated]
    if target is Platform.PROMETHEUS:
        return prometheus.file_of(documents, {each.rule.name: each.target.every for each in translated})
    if target is Platform.GOOGLE:
        return {"alertPolicies": documents}
    if target is Platform.CLOUDWATCH:
        whole: dict[str, list[Any]] = {"MetricAlarms": [], "CompositeAlarms": []}
        for each in documents:
            whole["MetricAlarms"] += each.get("MetricAlarms", [each] if "AlarmRule" not in each else [])
            whole["CompositeAlarms"] += each.get("CompositeAlarms", [])
        named = {each["AlarmName"]: each for each in whole["MetricAlarms"]}
        composites = whole["CompositeAlarms"]
        return {"MetricAlarms": [*named.values()], **({"CompositeAlarms": composites} if composites else {})}
    versions = {"Microsoft.Insights/metricAlerts": "2018-03-01"}
    return {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": [{"apiVersion": versions.get(each["type"], "2023-12-01"), **each} for each in documents],
    }


def written(document: dict[str, Any], path: Path) -> str:
    """Return a document as text: YAML where the file is called so."""
    if path.suffix.lower() in (".yaml", ".yml"):
        import yaml

        return str(yaml.safe_dump(document, sort_keys=False, width=100_000, allow_unicode=True))
    return json.dumps(document, indent=2) + "\n"


def save(text: str, path: Path, *, overwrite: bool) -> None:
    """Write a file; one that is there already stays as it is, unless it may be overwritten.

    :raises ConflictError: another file is in the way.
    """
    if path.exists() and not overwrite and path.read_text(encoding="utf-8", errors="replace") != text:
        raise ConflictError(
            f"writing {path}",
            got="a file with other contents",
            expected="no such file",
            state="nothing was written",
            remedy="remove it, name another --out, or add --overwrite",
            code="9353",
        )
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
