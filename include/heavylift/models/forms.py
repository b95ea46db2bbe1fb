"""Writes a converted model as a folder that MLflow's tracking server and this library read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from heavylift.models.checking import Checked
from heavylift.models.fetching import FetchedFile, FetchedModel

ONNX = "onnx"
SAFETENSORS = "safetensors"
_CHUNK = 2**22


@dataclass(frozen=True)
class Made:
    """A file that a converter has made.

    :param told: by the converter: ``of`` and ``packages``.
    :param flavor: what MLmodel says of the form beside the file's name.
    :param needed: packages that read it.
    """

    form: str
    file: str
    told: Mapping[str, Any]
    flavor: Mapping[str, Any]
    needed: tuple[str, ...]


def write_form(source: Checked, made: Made, folder: Path) -> FetchedModel:
    """Write what belongs beside the file of a new model; returns it as if it had been fetched.

    :param folder: where the file lies already.
    """
    packages: Mapping[str, str] = {str(name): str(version) for name, version in made.told["packages"].items()}
    lines = [f"{name}=={packages[name]}" for name in made.needed if name in packages]
    document: dict[str, Any] = {
        "flavors": {made.form: {"data": made.file, **made.flavor}},
        "mlflow_version": source.layout.mlflow_version or "3.0.0",
        "metadata": {
            "heavylift": {
                "source_digest": source.fetched.digest, "of": made.told["of"], "packages": {**packages}
            }
        },
    }  # fmt: skip
    signature = source.layout.signature
    if signature:
        document["signature"] = {
            part: json.dumps(found) for part, found in signature.items() if found is not None
        }
    environment = {"python": source.layout.python or "3.11", "dependencies": ["-r requirements.txt"]}
    files = {
        "requirements.txt": "".join(f"{line}\n" for line in lines).encode(),
        "python_env.yaml": yaml.safe_dump(environment).encode(),
        "MLmodel": yaml.safe_dump(document, sort_keys=True).encode(),
    }
    for name, body in files.items():
        (folder / name).write_bytes(body)
    fetched = [_fetched(folder, name) for name in sorted((made.file, *files))]
    return FetchedModel(f"the {made.form} of {source.fetched.url}", folder, tuple(fetched))


def _fetched(folder: Path, name: str) -> FetchedFile:
    found, size = hashlib.sha256(), 0
    with (folder / name).open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            found.update(chunk)
            size += len(chunk)
    return FetchedFile(name, size, found.hexdigest())
