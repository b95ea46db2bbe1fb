"""Paths and rules of Amazon States Language."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from heavylift.pipelines.documents import Fields
from heavylift.pipelines.model import Combine, Compare, Condition, Expression, Item, Literal, Param
from heavylift.pipelines.readers.sagemaker_values import json_path
from heavylift.pipelines.readers.untranslatable import UntranslatableStepError

_CONTEXT = {
    "$$.Execution.Id": "Execution.PipelineExecutionArn",
    "$$.Execution.Name": "Execution.PipelineExecutionId",
    "$$.Execution.StartTime": "Execution.StartDateTime",
    "$$.StateMachine.Name": "Execution.PipelineName",
}
_RULE = re.compile(
    r"(String|Numeric|Boolean)(Equals|LessThan|LessThanEquals|GreaterThan|GreaterThanEquals)(Path)?\Z"
)
_OPERATORS = {
    "Equals": "==",
    "LessThan": "<",
    "LessThanEquals": "<=",
    "GreaterThan": ">",
    "GreaterThanEquals": ">=",
}
_TYPES = {"String": "string", "Numeric": "number", "Boolean": "boolean"}
_REMEDY = "pass it in the execution's input"


@dataclass(frozen=True)
class PathReader:
    """What paths into the document of the execution stand for.

    :param parameters: collects what is asked of the execution's input, with its type.
    :param intact: whether ``$`` is still the input, and not what some state made.
    :param results: the fields of it that states have made.
    :param item: what ``$`` is inside of a loop.
    """

    parameters: dict[str, str] = field(default_factory=dict)
    intact: bool = True
    results: frozenset[str] = frozenset()
    item: Item | None = None
    jsonata: bool = False

    def name(self, path: str, type_: str) -> str:
        """Return the parameter that a path into the input stands for.

        :raises UntranslatableStepError: it stands for what a state made.
        """
        keys = json_path(path)
        if self.jsonata or not path.startswith("$.") or not keys:
            raise UntranslatableStepError(f"the path {path}", _REMEDY)
        if not self.intact or keys[0] in self.results:
            raise UntranslatableStepError(f"{path} is what another state made", _REMEDY)
        name = "_".join(keys)
        if self.parameters.setdefault(name, type_) == "string":
            self.parameters[name] = type_
        return name

    def value(self, path: str, type_: str) -> Expression:
        """Return what a path stands for."""
        if self.item is not None and path.startswith("$") and not path.startswith("$$"):
            return Item(self.item.loop, json_path(path))
        return Param(self.name(path, type_))

    def arguments(self, value: Any) -> Any:
        """Return arguments with each path as a reference of SageMaker's pipelines.

        :raises UntranslatableStepError: a path stands for something else.
        """
        if isinstance(value, list):
            return [self.arguments(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        return {
            str(key).removesuffix(".$"): self._reference(str(inner))
            if str(key).endswith(".$")
            else self.arguments(inner)
            for key, inner in value.items()
        }

    def _reference(self, path: str) -> dict[str, Any]:
        if path in _CONTEXT:
            return {"Get": _CONTEXT[path]}
        if path.startswith("States.Format("):
            return self._format(path)
        if self.item is not None:
            raise UntranslatableStepError(f"{path} inside of a map", "loop inside one step")
        return {"Get": f"Parameters.{self.name(path, 'string')}"}

    def _format(self, path: str) -> dict[str, Any]:
        found = re.fullmatch(r"States\.Format\('((?:\\.|[^'\\])*)'\s*(?:,\s*(.*))?\)", path)
        if not found or "(" in (found[2] or ""):
            raise UntranslatableStepError(f"the function {path}", _REMEDY)
        texts = re.sub(r"\\(.)", r"\1", found[1]).split("{}")
        given = [part.strip() for part in (found[2] or "").split(",") if part.strip()]
        if len(given) != len(texts) - 1:
            raise UntranslatableStepError(f"the function {path}", "give it as many values as it has places")
        parts: list[Any] = [texts[0]]
        for one, text in zip(given, texts[1:], strict=True):
            parts += [self._reference(one), text]
        return {"Std:Join": {"On": "", "Values": [part for part in parts if part != ""]}}


def choice(rule: Fields, paths: PathReader) -> Condition:
    """Return the condition of a rule.

    :raises UntranslatableStepError: it looks at something that has no equivalent.
    """
    for word, operator in (("And", "and"), ("Or", "or")):
        if rule.value.get(word):
            return Combine(operator, tuple(choice(inner, paths) for inner in rule.each(word)))
    if rule.value.get("Not"):
        return Combine("not", (choice(rule.fields("Not"), paths),))
    for key, value in rule.value.items():
        found = _RULE.match(str(key))
        if found:
            type_ = _TYPES[found[1]]
            left = paths.value(str(rule.take("Variable")), type_)
            right = paths.value(str(value), type_) if found[3] else Literal(value)
            return Compare(_OPERATORS[found[2]], left, right)
    known = ", ".join(map(str, sorted(set(rule.value) - {"Variable", "Next"}))) or "nothing"
    raise UntranslatableStepError(f"a choice by {known}", "compare texts, numbers or truth values")
