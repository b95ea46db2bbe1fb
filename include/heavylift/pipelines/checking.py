"""Has a definition read by its own platform's loader, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from heavylift.errors import UnsupportedError
from heavylift.pipelines.model import System

REQUIREMENTS: Mapping[System, str] = {
    System.VERTEX: "kfp==2.17.0",
    System.KFP: "kfp==2.17.0",
    System.AZURE_ML: "azure-ai-ml==1.35.2",
}
"""The package that reads each kind of definition; Airflow's DAGs are read by the Airflow at hand."""

SOURCES = ("kfp-server-api",)
"""What kfp needs and is published without wheels."""

_KFP = """
import json, sys
from kfp import components
try:
    components.load_component_from_file(sys.argv[1])
    problem = ""
except Exception as error:
    problem = f"{type(error).__name__}: {error}"
json.dump({"problem": problem}, open(sys.argv[2], "w"))
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
# Runs in a process of its own, where Airflow is installed: this library never imports it.
_AIRFLOW = """
import json, sys
try:
    from airflow.sdk import DAG
    space = {"__name__": "checked"}
    exec(compile(open(sys.argv[1], encoding="utf-8").read(), sys.argv[1], "exec"), space)
    dags = [value for value in space.values() if isinstance(value, DAG)]
    for dag in dags:
        dag.check_cycle()
    problem = "" if dags else "no DAG in it"
except Exception as error:
    problem = f"{type(error).__name__}: {error}"
json.dump({"problem": problem}, open(sys.argv[2], "w"))
"""
_SAGEMAKER = """
import json, sys
import botocore.session
from botocore.validate import ParamValidator
model = botocore.session.get_session().get_service_model("sagemaker")
jobs = {"Processing": "CreateProcessingJob", "Training": "CreateTrainingJob"}
def plain(value):
    if isinstance(value, dict):
        known = {"Get", "Std:Join", "Std:JsonGet"}
        return "x" if set(value) & known else {key: plain(found) for key, found in value.items()}
    return [plain(found) for found in value] if isinstance(value, list) else value
def problems(steps):
    for step in steps:
        kind, arguments = step["Type"], step["Arguments"]
        if kind == "Condition":
            yield from problems(arguments["IfSteps"] + arguments["ElseSteps"])
        elif kind in jobs:
            given = {kind + "JobName": "x", **plain(arguments)}
            report = ParamValidator().validate(given, model.operation_model(jobs[kind]).input_shape)
            if report.has_errors():
                yield step["Name"] + ": " + report.generate_report()
        elif kind != "Fail":
            yield step["Name"] + ": a step of type " + kind + " is not checked"
try:
    problem = "; ".join(problems(json.load(open(sys.argv[1], encoding="utf-8"))["Steps"]))
except Exception as error:
    problem = f"{type(error).__name__}: {error}"
json.dump({"problem": problem}, open(sys.argv[2], "w"))
"""
_SCRIPTS = {
    System.VERTEX: _KFP,
    System.KFP: _KFP,
    System.AZURE_ML: _AZURE,
    System.SAGEMAKER: _SAGEMAKER,
    System.AIRFLOW: _AIRFLOW,
}


@dataclass(frozen=True)
class Checked:
    """What the loader said of a file; nothing where it took it."""

    file: str
    problem: str


def check(path: Path, system: System, interpreter: Path, seconds: float = 120.0) -> Checked:
    """Return what the platform's loader says of a file.

    :param interpreter: of an environment with the platform's package.
    :raises UnsupportedError: there is no loader, or it did not come to an end.
    """
    script = _SCRIPTS.get(system)
    if script is None:
        raise _unsupported(path, f"the platform {system}", f"one of {', '.join(_SCRIPTS)}")
    with tempfile.TemporaryDirectory(prefix="heavylift-check-") as scratch:
        answer = Path(scratch, "answer.json")
        try:
            done = subprocess.run(  # noqa: S603 - the loader of the platform, no shell
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
            raise _unsupported(path, done.stderr[-500:] or f"status {done.returncode}", "an answer")
        return Checked(str(path), json.loads(answer.read_text(encoding="utf-8"))["problem"])


def _unsupported(path: Path, got: str, expected: str) -> UnsupportedError:
    return UnsupportedError(
        f"checking the pipeline {path} with its platform's loader",
        got=got,
        expected=expected,
        state="nothing was changed",
        remedy="name another --platform, or install what the loader's message asks for",
        code="8412",
    )
