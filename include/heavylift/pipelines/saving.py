"""Puts translations into a folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from heavylift.errors import ConflictError
from heavylift.pipelines.api import Translation
from heavylift.pipelines.model import System
from heavylift.pipelines.report import report_text

_SUFFIX = {
    System.VERTEX: "vertex.yaml",
    System.AZURE_ML: "azureml.yaml",
    System.SAGEMAKER: "sagemaker.json",
    System.AIRFLOW: "airflow.py",
}


def file_name(stem: str, target: System) -> str:
    """Return what the definition of a pipeline is called."""
    return f"{stem}.{_SUFFIX[target]}"


def save(translation: Translation, report: dict[str, Any], folder: Path, *, overwrite: bool) -> list[Path]:
    """Write definition and report, and return their paths; what is there already stays as it is.

    :raises ConflictError: another file is in the way.
    """
    stem = Path(translation.file).name.split(".")[0] or "pipeline"
    wanted = {
        folder / file_name(stem, translation.target): translation.text,
        folder / f"{stem}.{translation.target}.report.json": json.dumps(report, indent=2) + "\n",
        folder / f"{stem}.{translation.target}.report.txt": report_text(report),
    }
    for path, text in wanted.items():
        if path.exists() and not overwrite and path.read_text(encoding="utf-8") != text:
            raise ConflictError(
                f"writing {path}",
                got="a file with other contents",
                expected="no such file",
                state="nothing was written",
                remedy="remove it, name another --out, or add --overwrite",
                code="8405",
            )
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in wanted.items():
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    return list(wanted)
