"""What the placeholders in a KFP container's command stand for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from heavylift.pipelines.model import Execution, Expression, Join, Literal, PortPath
from heavylift.pipelines.readers.untranslatable import UntranslatableStepError

_PLACEHOLDER = re.compile(r"\{\{(\$[^{}]*(?:\{[^{}]*\}[^{}]*)*)\}\}")
_INPUT = re.compile(r"\$\.inputs\.(parameters|artifacts)\[(['\"])(.+?)\2\](\.\w+)?\Z")
_OUTPUT = re.compile(r"\$\.outputs\.(parameters|artifacts)\[(['\"])(.+?)\2\]\.(path|uri|output_file)\Z")
_RUN = {
    "$.pipeline_job_uuid": "id",
    "$.pipeline_job_name": "pipeline_name",
    "$.pipeline_job_resource_name": "arn",
    "$.pipeline_job_create_time_utc": "start_time",
    "$.pipeline_task_uuid": "id",
}
_REMEDY = "write the program without it, or name a container in the mapping: steps"


@dataclass(frozen=True)
class Signature:
    """What a component is given and makes.

    :param values: what its parameters stand for.
    :param artifacts: names of the artifacts it reads, each with its schema's title.
    :param types: of the parameters, as KFP names them.
    """

    values: Mapping[str, Expression] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, str] = field(default_factory=dict)
    output_values: tuple[str, ...] = ()
    output_artifacts: Mapping[str, str] = field(default_factory=dict)


def program(parts: list[Any], signature: Signature) -> tuple[Expression, ...]:
    """Return what a command's parts mean.

    :raises UntranslatableStepError: a placeholder has no equivalent elsewhere.
    """
    return tuple(found for part in parts for found in _part(part, signature))


def _part(part: Any, signature: Signature) -> list[Expression]:
    if isinstance(part, str) and part.startswith('{"'):
        try:
            part = json.loads(part)
        except ValueError:
            return [text(str(part), signature)]
        if not isinstance(part, dict) or not set(part) & {"Concat", "IfPresent"}:
            return [text(json.dumps(part), signature)]
    if isinstance(part, dict):
        return _structure(part, signature)
    return [text(str(part), signature)]


def _structure(part: dict[str, Any], signature: Signature) -> list[Expression]:
    if "Concat" in part:
        return [Join(tuple(found for inner in part["Concat"] for found in _part(inner, signature)))]
    asked = part.get("IfPresent")
    if not isinstance(asked, dict):
        raise UntranslatableStepError(f"the placeholder {sorted(part)}", _REMEDY)
    given = asked.get("InputName") in {*signature.values, *signature.artifacts}
    chosen = asked.get("Then") if given else asked.get("Else", [])
    inner = chosen if isinstance(chosen, list) else [chosen]
    return [found for each in inner for found in _part(each, signature)]


def text(found: str, signature: Signature) -> Expression:
    """Return what a text with placeholders in it means."""
    parts: list[Expression] = []
    position = 0
    for match in _PLACEHOLDER.finditer(found):
        if match.start() > position:
            parts.append(Literal(found[position : match.start()]))
        parts.append(_placeholder(match[1], signature))
        position = match.end()
    if position < len(found) or not parts:
        parts.append(Literal(found[position:]))
    return parts[0] if len(parts) == 1 else Join(tuple(parts))


def _placeholder(name: str, signature: Signature) -> Expression:
    if name == "$":
        return _executor_input(signature)
    if name in _RUN:
        return Execution(_RUN[name])
    found = _INPUT.match(name)
    if found and found[1] == "parameters" and found[3] in signature.values:
        return signature.values[found[3]]
    if found and found[4] in {".path", ".uri"} and found[3] in signature.artifacts:
        return PortPath(found[3], "in")
    made = _OUTPUT.match(name)
    if made and made[3] in {*signature.output_values, *signature.output_artifacts}:
        return PortPath(made[3], "out")
    raise UntranslatableStepError(f"the placeholder {{{{{name}}}}}", _REMEDY)


def _executor_input(signature: Signature) -> Expression:
    """Return the document that KFP hands to components written as Python functions."""
    parts: list[Expression] = []

    def add(*found: str | Expression) -> None:
        parts.extend(Literal(part) if isinstance(part, str) else part for part in found)

    def artifact(name: str, title: str, direction: str) -> None:
        head = {"name": name, "type": {"schemaTitle": title}, "metadata": {}}
        add(f'"{name}":{{"artifacts":[{json.dumps(head)[:-1]},"uri":"', PortPath(name, direction), '"}]}')

    def several(names: Any, write: Any) -> None:
        for index, name in enumerate(names):
            add("," if index else "")
            write(name)

    def value(name: str) -> None:
        found = signature.values[name]
        if isinstance(found, Literal):
            add(f"{json.dumps(name)}:{json.dumps(found.value)}")
        elif signature.types.get(name, "STRING") == "STRING":
            add(f'{json.dumps(name)}:"', found, '"')
        else:
            add(f"{json.dumps(name)}:", found)

    add('{"inputs":{"parameterValues":{')
    several(signature.values, value)
    add('},"artifacts":{')
    several(signature.artifacts, lambda name: artifact(name, signature.artifacts[name], "in"))
    add('}},"outputs":{"parameters":{')
    several(
        signature.output_values,
        lambda name: add(f'{json.dumps(name)}:{{"outputFile":"', PortPath(name, "out"), '"}'),
    )
    add('},"artifacts":{')
    several(signature.output_artifacts, lambda name: artifact(name, signature.output_artifacts[name], "out"))
    add('},"outputFile":"/tmp/kfp-executor-output.json"}}')
    return Join(tuple(parts))
