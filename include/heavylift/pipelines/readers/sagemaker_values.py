"""Expressions and conditions of a SageMaker pipeline definition."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from heavylift.pipelines.documents import Fields
from heavylift.pipelines.model import (
    Combine,
    Compare,
    Condition,
    Execution,
    Expression,
    Join,
    JsonValue,
    Literal,
    Output,
    Param,
)
from heavylift.pipelines.readers.untranslatable import UntranslatableStepError

_EXECUTION = {
    "PipelineExecutionId": "id",
    "PipelineExecutionArn": "arn",
    "PipelineName": "pipeline_name",
    "PipelineArn": "pipeline_arn",
    "StartDateTime": "start_time",
    "CurrentDateTime": "current_time",
}
_OUTPUT = re.compile(r"ProcessingOutputConfig\.Outputs\[(['\"])(?P<port>.+)\1\]\.S3Output\.S3Uri\Z")
_PATH = re.compile(r"([^.\[\]]+)|\[(\d+)\]|\[['\"](.+?)['\"]\]")
_COMPARE = {
    "Equals": "==",
    "GreaterThan": ">",
    "GreaterThanOrEqualTo": ">=",
    "LessThan": "<",
    "LessThanOrEqualTo": "<=",
}
MODEL = "model"
"""The output of a training step that holds the model."""


@dataclass
class Known:
    """What references can mean.

    :param outputs: the ports of each step that has any.
    :param property_files: by step and name: output and file.
    """

    outputs: dict[str, set[str]] = field(default_factory=dict)
    property_files: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)


def references(value: Any) -> Iterator[str]:
    """Yield the steps that a part of the definition refers to."""
    if isinstance(value, dict):
        got = value.get("Get")
        if isinstance(got, str) and got.startswith("Steps."):
            yield got.split(".")[1]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def expression(value: Any, known: Known) -> Expression:
    """Return what a value means.

    :raises UntranslatableStepError: it means something that has no neutral form.
    """
    if not isinstance(value, dict):
        return Literal(value)
    if len(value) == 1:
        (word, argument), *_ = value.items()
        reader = _WORDS.get(word)
        if reader:
            return reader(argument, known)
    if any(str(key).startswith("Std:") or key == "Get" for key in value):
        raise UntranslatableStepError(
            f"the expression {sorted(value)} is not known", "write it in another way"
        )
    if any(isinstance(atom, dict) for atom in value.values()):
        raise UntranslatableStepError(
            "a mapping with expressions in it", "give each value a parameter of its own"
        )
    return Literal(value)


def _get(argument: Any, known: Known) -> Expression:
    text = str(argument)
    kind, _, rest = text.partition(".")
    if kind == "Parameters":
        return Param(rest)
    if kind == "Execution" and rest in _EXECUTION:
        return Execution(_EXECUTION[rest])
    step, _, path = rest.partition(".")
    if kind != "Steps" or not path:
        raise UntranslatableStepError(
            f"{text} is not known", "refer to a parameter or to an output of a step"
        )
    found = _OUTPUT.match(path)
    port = found["port"] if found else MODEL if path == "ModelArtifacts.S3ModelArtifacts" else ""
    if port and port in known.outputs.get(step, ()):
        return Output(step, port)
    if found and step in known.outputs:
        raise UntranslatableStepError(f"{step} has no output {port!r}", "correct the reference")
    raise UntranslatableStepError(
        f"it needs {text}, which no other platform hands over",
        "let the step write what is needed to an output, and refer to that",
    )


def _join(argument: Any, known: Known) -> Expression:
    if not isinstance(argument, dict) or not isinstance(argument.get("Values"), list):
        raise UntranslatableStepError("Std:Join without Values", "give it a list")
    parts = tuple(expression(part, known) for part in argument["Values"])
    return Join(parts, str(argument.get("On", "")))


def _json_get(argument: Any, known: Known) -> Expression:
    if not isinstance(argument, dict):
        raise UntranslatableStepError("Std:JsonGet without arguments", "give it PropertyFile and Path")
    file = argument.get("PropertyFile")
    got = file.get("Get", "") if isinstance(file, dict) else ""
    found = re.fullmatch(r"Steps\.([^.]+)\.PropertyFiles\.(.+)", str(got))
    if not found or (found[1], found[2]) not in known.property_files:
        raise UntranslatableStepError(
            f"Std:JsonGet of {got or file!r}, which is no property file of a step",
            "declare it in the step's PropertyFiles",
        )
    port, name = known.property_files[found[1], found[2]]
    return JsonValue(Output(found[1], port), name, json_path(str(argument.get("Path", ""))))


def json_path(text: str) -> tuple[str, ...]:
    """Return the keys and indexes of a path such as ``a.b[0]['c.d']``."""
    keys = []
    for plain, index, quoted in _PATH.findall(text.removeprefix("$")):
        keys.append(plain or index or quoted)
    return tuple(keys)


_WORDS: dict[str, Callable[[Any, Known], Expression]] = {
    "Get": _get,
    "Std:Join": _join,
    "Std:JsonGet": _json_get,
}


def conditions(entries: list[Fields], known: Known) -> Condition:
    """Return the conditions of a condition step, all of which must hold."""
    parts = tuple(_condition(entry, known) for entry in entries)
    return parts[0] if len(parts) == 1 else Combine("and", parts)


def _condition(entry: Fields, known: Known) -> Condition:
    kind = entry.text("Type")
    if kind in _COMPARE:
        left = expression(entry.take("LeftValue"), known)
        return Compare(_COMPARE[kind], left, expression(entry.take("RightValue"), known))
    if kind == "In":
        asked = expression(entry.take("QueryValue"), known)
        choices = tuple(Compare("==", asked, expression(value, known)) for value in entry.items("Values"))
        return choices[0] if len(choices) == 1 else Combine("or", choices)
    if kind == "Not":
        return Combine("not", (_condition(entry.fields("Expression"), known),))
    if kind == "Or":
        return Combine("or", tuple(_condition(inner, known) for inner in entry.each("Conditions")))
    raise UntranslatableStepError(f"a condition of type {kind}", "write it with comparisons, In, Not and Or")
