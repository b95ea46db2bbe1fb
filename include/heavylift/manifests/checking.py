"""Validate manifests strictly, offline, against the schemas of one version of Kubernetes.

The schemas come with the package kubernetes-validate (110 MB), which runs in an environment of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heavylift.environments import Solver
from heavylift.errors import HeavyliftError, UnsupportedError
from heavylift.manifests.reading import Unreadable, is_empty_list, objects_in, read_file
from heavylift.manifests.report import dotted, shown

REQUIREMENT = "kubernetes-validate==1.37.0"
"""What the interpreter that is handed in must have."""

OLDEST, NEWEST = (1, 25), (1, 37)
"""Versions of Kubernetes whose schemas that package has."""

_WORKER = """
import json, sys
import kubernetes_validate as kv

def judged(data, version):
    try:
        kv.validate(data, version, strict=True)
    except kv.SchemaNotFoundError:
        return {"verdict": "unchecked"}
    except kv.ValidationError as error:
        rule = str(error.validator)
        # Messages of other rules hold values, which may be secret.
        text = error.message if rule in ("additionalProperties", "required") else ""
        if rule == "type":
            text = "expected " + str(error.validator_value)
        return {"verdict": "invalid", "path": list(error.path), "rule": rule, "text": text}
    return {"verdict": "valid"}

asked = json.load(sys.stdin)
json.dump([judged(each, asked["version"]) for each in asked["objects"]], sys.stdout)
"""


@dataclass(frozen=True)
class Judged:
    """What the schemas say of one object.

    :param verdict: ``valid``, ``invalid``, or ``unchecked`` where there is no schema of its kind.
    """

    file: str
    document: int
    object: str
    verdict: str
    path: str = ""
    problem: str = ""


@dataclass
class Checked:
    """What the schemas say of a set of files."""

    objects: list[Judged] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)

    def count(self, verdict: str) -> int:
        """Return how many objects have a verdict."""
        return sum(each.verdict == verdict for each in self.objects)

    @property
    def passed(self) -> bool:
        """Whether nothing is invalid; what has no schema is unchecked, which is not valid."""
        return not self.unreadable and not self.count("invalid")


def check_files(
    files: Sequence[tuple[Path, str]], version: tuple[int, int], interpreter: Path, seconds: float = 600.0
) -> Checked:
    """Return what the schemas of ``version`` say of every object.

    :param interpreter: of an environment that has :data:`REQUIREMENT`.
    :raises UnsupportedError: the schemas do not know the version, or their program gave no answer.
    """
    if not OLDEST <= version <= NEWEST:
        raise UnsupportedError(
            f"checking manifests for Kubernetes {version[0]}.{version[1]}",
            got="no schemas of that version",
            expected=f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}",
            state="nothing was checked",
            remedy="name a version in that range with --kubernetes-version",
            code="8507",
        )
    done = Checked()
    rows: list[tuple[str, int, str]] = []
    objects: list[Any] = []
    for path, name in files:
        try:
            chunks = read_file(path, name)
        except HeavyliftError as error:
            done.unreadable.append(Unreadable(name, error))
            continue
        for chunk in chunks:
            found = list(objects_in(chunk.data))
            if chunk.data is not None and not found and not is_empty_list(chunk.data):
                text = "no Kubernetes object: it has no apiVersion and kind"
                done.objects.append(Judged(name, chunk.number, "(none)", "invalid", "", text))
            for prefix, root in found:
                named = root.get("metadata")
                called = named.get("name") if isinstance(named, dict) else None
                where = dotted(prefix) + " " if prefix else ""
                rows.append((name, chunk.number, f"{where}{root['kind']}/{called or '(no name)'}"))
                objects.append(root)
    answers = _ask(objects, version, interpreter, seconds) if objects else []
    done.objects += [
        Judged(*row, answer["verdict"], dotted(tuple(answer.get("path", ()))), _problem(answer))
        for row, answer in zip(rows, answers, strict=True)
    ]
    return done


def problems_in(path: Path, version: str) -> list[str]:
    """Return what is not valid in one file by the schemas of a version such as ``1.33``.

    :raises UnsupportedError: the schemas do not know the version.
    """
    major, _, minor = version.removeprefix("v").partition(".")
    numbers = (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else (0, 0)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    done = check_files([(path, path.name)], numbers, Solver().tool(REQUIREMENT, python))
    return [f"{each.object} {each.path} {each.problem}" for each in done.objects if each.verdict != "valid"]


def _problem(answer: dict[str, Any]) -> str:
    return shown(": ".join(filter(None, (answer.get("rule", ""), answer.get("text", "")))))


def _ask(objects: list[Any], version: tuple[int, int], interpreter: Path, seconds: float) -> Any:
    asked = json.dumps({"version": f"{version[0]}.{version[1]}", "objects": objects}, default=str)
    try:
        done = subprocess.run(  # noqa: S603 - our own program, in an environment that we built
            [str(interpreter), "-I", "-c", _WORKER],
            input=asked,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=True,
            env={"PATH": os.defpath},
        )
        return json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        got = f"no answer within {seconds:.0f} s"
    except subprocess.CalledProcessError as error:
        got = f"exit status {error.returncode}: {shown(error.stderr[-120:])}"
    except ValueError:
        got = "an answer that is no JSON"
    raise UnsupportedError(
        "checking manifests",
        got=got,
        expected=f"an answer of {REQUIREMENT}",
        state="nothing was changed",
        remedy="check fewer files at once; if it stays, remove the folder of isolated environments",
        code="8508",
    )
