"""Runs the neutral form on this machine: each step a process of its own, its files in folders.

Images are not used: the programs are those of this machine. Made for small pipelines, to compare what a
definition and its translations make.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heavylift.errors import IncompleteError, SpecError
from heavylift.pipelines.adapter import wrap
from heavylift.pipelines.model import (
    Branch,
    Combine,
    Condition,
    Execution,
    Expression,
    Item,
    Join,
    JsonValue,
    Literal,
    Loop,
    Node,
    Output,
    Param,
    Pipeline,
    PortPath,
    Step,
)
from heavylift.pipelines.preparing import split_artifact
from heavylift.pipelines.reshaping import without_groups
from heavylift.pipelines.walk import Order
from heavylift.pipelines.writers.programs import failing, sagemaker_files

_PASSED = ("PATH", "HOME", "LANG", "TMPDIR")


@dataclass
class Run:
    """One run.

    :param folder: outputs lie in ``<folder>/<step>/<output>``; must be empty.
    :param places: prefixes of addresses to folders of this machine.
    :param seconds: longest time of one step.
    """

    pipeline: Pipeline
    folder: Path
    arguments: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 600.0
    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pipeline = without_groups(self.pipeline)
        self._order = Order(self.pipeline)
        self._items: dict[str, Any] = {}
        self._run_names: dict[str, str] = {}
        self._values = {p.name: p.default for p in self.pipeline.parameters} | dict(self.arguments)

    def run(self) -> list[str]:
        """Run every step; return the names of those that ran.

        :raises SpecError: a parameter has no value.
        :raises IncompleteError: a step failed.
        """
        missing = [name for name, value in self._values.items() if value is None]
        unknown = sorted(set(self.arguments) - {p.name for p in self.pipeline.parameters})
        if missing or unknown:
            raise SpecError(
                f"running the pipeline {self.pipeline.name}",
                got=f"no value for {', '.join(missing)}" if missing else f"unknown: {', '.join(unknown)}",
                expected="a value for each parameter that has no default",
                state="nothing was run",
                remedy="give each with --set NAME=VALUE",
                code="8410",
            )
        last = tuple(n for n in self.pipeline.nodes if isinstance(n, Step) and n.final)
        try:
            self._body(tuple(n for n in self.pipeline.nodes if n not in last), "")
        finally:
            for step in last:
                self._step(step, "")
        return self.done

    def _body(self, body: tuple[Node, ...], prefix: str) -> None:
        for node in self._order.sorted(body):
            if isinstance(node, Step):
                self._step(node, prefix)
            elif isinstance(node, Branch):
                self._branch(node, prefix)
            elif isinstance(node, Loop):
                for index, item in enumerate(self._list(node)):
                    self._items[node.name] = item
                    self._body(node.body, f"{prefix}{node.name}-{index}/")

    def _list(self, loop: Loop) -> list[Any]:
        found = self._value(loop.items, None)
        items = json.loads(found) if isinstance(found, str) else found
        return list(items)

    def _branch(self, branch: Branch, prefix: str) -> None:
        for condition, body in branch.cases:
            if self._holds(condition):
                return self._body(body, prefix)
        return self._body(branch.otherwise, prefix)

    def _holds(self, condition: Condition) -> bool:
        if isinstance(condition, Combine):
            parts = [self._holds(part) for part in condition.parts]
            return {"and": all(parts), "or": any(parts), "not": not parts[0]}[condition.operator]
        left, right = self._value(condition.left, None), self._value(condition.right, None)
        left, right = _alike(left, right)
        held: dict[str, bool] = {
            "==": left == right,
            "!=": left != right,
            "<": left < right,
            "<=": left <= right,
            ">": left > right,
            ">=": left >= right,
        }
        return held[condition.operator]

    # --- one step ----------------------------------------------------------------------------------

    def _step(self, step: Step, prefix: str) -> None:
        home = self.folder / f"{prefix}{step.name}"
        self._run_names[step.name] = f"{prefix}{step.name}"
        root = home / ".root"
        root.mkdir(parents=True)
        command = self._command(step, home, root)
        environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
        environment |= {name: self._text(value, step) for name, value in step.env.items()}
        environment["HEAVYLIFT_ROOT"] = str(root)
        for attempt in range(step.retry.attempts + 1):
            problem = self._attempt(step, command, home, environment)
            if not problem:
                break
            if attempt == step.retry.attempts:
                raise IncompleteError(
                    f"running the step {step.name}",
                    got=problem,
                    expected="exit status 0",
                    state=f"done: {', '.join(self.done) or 'nothing'}; what they made is in {self.folder}",
                    remedy="correct the step's program, and run into an empty folder",
                    code="8411",
                )
        shutil.rmtree(root)
        self.done.append(f"{prefix}{step.name}")

    def _attempt(self, step: Step, command: list[str], home: Path, environment: dict[str, str]) -> str:
        seconds = min(step.timeout_seconds or self.seconds, self.seconds)
        with (home / ".log").open("wb") as log:
            try:
                done = subprocess.run(  # noqa: S603 - what the pipeline's author wrote, and no shell of ours
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    cwd=home,
                    timeout=seconds,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return f"no end within {seconds:g} s"
            except OSError as error:
                return f"{command[0]}: {error.strerror}"
        tail = (home / ".log").read_text(encoding="utf-8", errors="replace")[-500:].strip()
        return f"exit status {done.returncode}: {tail}" if done.returncode else ""

    def _command(self, step: Step, home: Path, root: Path) -> list[str]:
        own = failing(step)
        if own:
            return [self._text(part, step) for part in own]
        words: list[list[str]] = []
        for out in step.outputs:
            at = str(home / out.name)
            if out.landing is not None and (place := self._place(self._text(out.landing, step))):
                words.append(["save", at, place, ""])
            if out.path:
                words.append(["out", out.path, at, out.archive])
        placed = [found for found in step.inputs if found.path]
        words += [["in", self._source(found.source, step), found.path] for found in placed]
        words += [["text", content, path] for path, content in sagemaker_files(step)]
        words += [["hp", name, self._text(value, step)] for name, value in step.hyperparameters.items()]
        program = [self._rooted(self._text(part, step), step, root) for part in step.command]
        return [str(part) for part in wrap(words, program)]

    @staticmethod
    def _rooted(text: str, step: Step, root: Path) -> str:
        """Return an argument with the container's places as they are below the step's own root."""
        paths = [port.path for port in step.inputs if port.path]
        paths += [port.path for port in step.outputs if port.path]
        for path in sorted(paths, key=len, reverse=True):
            if text == path or text.startswith(f"{path}/"):
                return f"{root}{text}"
        return text

    def _source(self, expression: Expression, step: Step) -> str:
        found = split_artifact(expression)
        if found is None:
            text = self._text(expression, step)
            return self._place(text) or text
        output, rest = found
        below = "".join("/" + self._text(part, step).strip("/") for part in rest)
        return f"{self._at(output)}{below}"

    def _at(self, output: Output) -> Path:
        return self.folder / self._run_names.get(output.step, output.step) / output.port

    def _place(self, uri: str) -> str:
        for prefix in sorted(self.places, key=len, reverse=True):
            if uri.startswith(prefix):
                return self.places[prefix] + uri[len(prefix) :]
        return ""

    # --- values ------------------------------------------------------------------------------------

    def _text(self, expression: Expression, step: Step | None) -> str:
        value = self._value(expression, step)
        return value if isinstance(value, str) else json.dumps(value)

    def _value(self, expression: Expression, step: Step | None) -> Any:
        if isinstance(expression, Literal):
            return expression.value
        if isinstance(expression, Param):
            return self._values[expression.name]
        if isinstance(expression, Join):
            return expression.separator.join(self._text(part, step) for part in expression.parts)
        if isinstance(expression, Execution):
            return {"id": "local", "pipeline_name": self.pipeline.name}.get(expression.name, "local")
        if isinstance(expression, Item):
            return _inside(self._items[expression.loop], expression.path)
        if isinstance(expression, JsonValue):
            text = (self._at(expression.output) / expression.file).read_text(encoding="utf-8")
            return _inside(json.loads(text), expression.path)
        if isinstance(expression, PortPath):
            return self._port(expression, step)
        at = self._at(expression)
        return at.read_text(encoding="utf-8") if at.is_file() else str(at)

    def _port(self, expression: PortPath, step: Step | None) -> str:
        if step is None or expression.direction == "out":
            return str(self.folder / self._run_names[step.name if step else ""] / expression.port)
        port = next(found for found in step.inputs if found.name == expression.port)
        return self._source(port.source, step)


def _inside(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def _alike(left: Any, right: Any) -> tuple[Any, Any]:
    """Return two values as numbers where one is a number, and else as texts."""
    if isinstance(left, bool) or isinstance(right, bool):
        return str(left).lower(), str(right).lower()
    if isinstance(left, int | float) or isinstance(right, int | float):
        return float(left), float(right)
    return str(left), str(right)
