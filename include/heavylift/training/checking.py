"""Holds definitions of training jobs to what their platforms publish, in processes of their own.

SageMaker: the request's model in botocore, with enumerations and lengths. Vertex AI: the discovery
document in google-api-python-client. Azure ML: the loader of azure-ai-ml. Kubernetes: objects for the
strict check of ``heavylift manifests``; pods of kinds without a schema are handed over as plain pods.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heavylift.errors import UnsupportedError
from heavylift.training.documents import read_documents
from heavylift.training.model import Form

REQUIREMENTS: Mapping[Form, str] = {
    Form.SAGEMAKER: "botocore",
    Form.VERTEX: "google-api-python-client==2.202.0",
    Form.AZURE_ML: "azure-ai-ml==1.35.2",
}
"""What the interpreter that is handed in must have."""

_SAGEMAKER = """
import json, re, sys
import botocore.session
from botocore.validate import ParamValidator
model = botocore.session.get_session().get_service_model("sagemaker")
shape = model.operation_model("CreateTrainingJob").input_shape
def walk(shape, value, where):
    if shape.type_name == "structure":
        for name, item in value.items():
            if name in shape.members:
                yield from walk(shape.members[name], item, where + "." + name)
    elif shape.type_name == "list":
        for index, item in enumerate(value):
            yield from walk(shape.member, item, where + "[" + str(index) + "]")
    elif shape.type_name == "map":
        for name, item in value.items():
            yield from walk(shape.key, name, where)
            yield from walk(shape.value, item, where + "." + name)
    elif shape.type_name == "string":
        if getattr(shape, "enum", None) and value not in shape.enum:
            yield where + ": " + value + " is none of the values that are allowed"
        if len(value) > shape.metadata.get("max", 1 << 30):
            yield where + ": longer than " + str(shape.metadata["max"])
        if "pattern" in shape.metadata and not re.fullmatch(shape.metadata["pattern"], value, re.S):
            yield where + ": not of the form " + shape.metadata["pattern"]
given = json.load(open(sys.argv[1], encoding="utf-8"))
report = ParamValidator().validate(given, shape)
found = [report.generate_report()] if report.has_errors() else list(walk(shape, given, "job"))
json.dump({"problem": "; ".join(found)}, open(sys.argv[2], "w"))
"""
_VERTEX = """
import json, pathlib, sys
import googleapiclient.discovery_cache as documents
raw = json.loads((pathlib.Path(documents.__path__[0]) / "documents" / "aiplatform.v1.json").read_text())
kinds = {"string": str, "boolean": bool, "integer": int, "number": (int, float)}
kinds.update({"array": list, "object": dict})
def walk(schema, value, where):
    if "$ref" in schema:
        schema = raw["schemas"][schema["$ref"]]
    kind = "string" if schema.get("format") in ("int64", "uint64") else schema.get("type", "object")
    if not isinstance(value, kinds[kind]) or (kind == "integer" and isinstance(value, bool)):
        yield where + ": no " + kind
    elif "Output only" in schema.get("description", "")[:40]:
        yield where + ": set by the service only"
    elif "enum" in schema and value not in schema["enum"]:
        yield where + ": " + value + " is none of the values that are allowed"
    elif kind == "array":
        for index, item in enumerate(value):
            yield from walk(schema["items"], item, where + "[" + str(index) + "]")
    elif kind == "object" and "properties" in schema:
        for name, item in value.items():
            if name in schema["properties"]:
                yield from walk(schema["properties"][name], item, where + "." + name)
            else:
                yield where + ": unknown field " + name
given = json.load(open(sys.argv[1], encoding="utf-8"))
found = list(walk({"$ref": "GoogleCloudAiplatformV1CustomJob"}, given, "job"))
json.dump({"problem": "; ".join(found)}, open(sys.argv[2], "w"))
"""
_AZURE = """
import json, sys
from azure.ai.ml import load_job
try:
    found = load_job(sys.argv[1])._validate()
    problem = "" if found.passed else json.dumps(found.error_messages)
except Exception as error:
    problem = f"{type(error).__name__}: {error}"
json.dump({"problem": problem}, open(sys.argv[2], "w"))
"""
_SCRIPTS = {Form.SAGEMAKER: _SAGEMAKER, Form.VERTEX: _VERTEX, Form.AZURE_ML: _AZURE}


@dataclass(frozen=True)
class Checked:
    """What was found wrong with a file; nothing where it was accepted.

    :param unchecked: kinds whose outer fields nothing was held against.
    """

    file: str
    problem: str
    unchecked: tuple[str, ...] = ()


def check(path: Path, form: Form, interpreter: Path, seconds: float = 120.0) -> Checked:
    """Return what the platform's published form says of a file; asks no platform.

    :param interpreter: of an environment with :data:`REQUIREMENTS`.
    :raises UnsupportedError: the checker gave no answer, or there is none for this form.
    """
    script = _SCRIPTS.get(form)
    if script is None:
        raise _unsupported(path, f"the form {form}", f"one of {', '.join(_SCRIPTS)}")
    with tempfile.TemporaryDirectory(prefix="heavylift-check-") as scratch:
        answer = Path(scratch, "answer.json")
        try:
            done = subprocess.run(  # noqa: S603 - our own program, no shell
                [str(interpreter), "-W", "ignore", "-c", script, str(path.absolute()), str(answer)],
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired as error:
            raise _unsupported(path, f"no end within {seconds:g} s", "an answer") from error
        if not answer.exists():
            raise _unsupported(path, done.stderr[-300:] or f"status {done.returncode}", "an answer")
        return Checked(path.name, json.loads(answer.read_text(encoding="utf-8"))["problem"])


def check_text(text: str, form: Form, interpreter: Path) -> str | None:
    """Return what the platform's published form says of a definition; None where that needs more packages.

    :raises UnsupportedError: as :func:`check`.
    """
    if form not in {Form.SAGEMAKER, Form.VERTEX}:
        return None
    with tempfile.TemporaryDirectory(prefix="heavylift-check-") as scratch:
        file = Path(scratch, "definition.json")
        file.write_text(text, encoding="utf-8")
        return check(file, form, interpreter).problem


ProblemsIn = Callable[[Path, str], list[str]]
"""Returns what is not valid in a file by the schemas of a version of Kubernetes, which `manifests` has."""


def checked_objects(path: Path, version: str, problems_in: ProblemsIn) -> Checked:
    """Return what the schemas say of a file's objects, and of the pods in kinds that have none.

    :raises UnsupportedError: the schemas do not know the version.
    :raises SpecError: the file is no YAML.
    """
    objects, unknown = strict_objects(path)
    with tempfile.TemporaryDirectory(prefix="heavylift-check-") as scratch:
        file = Path(scratch, "objects.json")
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}), encoding="utf-8")
        wrong = problems_in(file, version)
    if not objects:
        wrong.append("nothing in it has a schema or a pod")
    return Checked(path.name, "; ".join(wrong), unknown)


_PLAIN = {"Job", "Service"}


def strict_objects(path: Path) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return the objects of a file that Kubernetes' schemas know, and the kinds whose own fields they do not.

    Pods of kinds without a schema are returned as plain pods, so that they are checked at least.

    :raises SpecError: the file is no YAML.
    """
    found: list[dict[str, Any]] = []
    unknown: list[str] = []
    for document in read_documents(path):
        if document.get("kind") in _PLAIN:
            found.append(document)
            continue
        unknown.append(str(document.get("kind")))
        for index, spec in enumerate(pods_of(document)):
            name = f"{document.get('metadata', {}).get('name', 'pod')}-{index}"
            found.append({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    return found, tuple(unknown)


def pods_of(value: Any) -> list[dict[str, Any]]:
    """Return the specs of pods in an object of any kind, found by their shape."""
    if isinstance(value, list):
        return [pod for item in value for pod in pods_of(item)]
    if not isinstance(value, dict):
        return []
    if isinstance(value.get("containers"), list):
        return [value]
    return [pod for item in value.values() for pod in pods_of(item)]


def _unsupported(path: Path, got: str, expected: str) -> UnsupportedError:
    return UnsupportedError(
        f"checking the training job {path}",
        got=got,
        expected=expected,
        state="nothing was changed",
        remedy="install what the checker's message asks for, or name another form",
        code="9205",
    )
