"""The command of a step for targets whose steps share folders: values of other steps are read from files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from heavylift.pipelines.adapter import wrap
from heavylift.pipelines.flattening import FlatStep
from heavylift.pipelines.model import Execution, Expression, Join, Literal, Output, Param, PortPath, Step
from heavylift.pipelines.notes import Notes
from heavylift.pipelines.preparing import split_artifact
from heavylift.pipelines.writers.programs import failing, sagemaker_files, unlike


@dataclass(frozen=True)
class Places:
    """How a target writes down where things are; ``text`` marks what is literal.

    :param files: the folder of an output of another step.
    :param source: the folder of an input of the step that is no output: by the input's name.
    :param made: the folder of an output of the step itself: by its name.
    :param execution: what stands for things of the run.
    """

    text: Callable[[str], str]
    parameter: Callable[[str], str]
    files: Callable[[Output], str]
    source: Callable[[Step, str], str]
    made: Callable[[Step, str], str]
    landing: Callable[[Step, Expression], str]
    execution: dict[str, str]


class Command:
    """Writes one step's command."""

    def __init__(self, flat: FlatStep, places: Places, fixed: set[Output], notes: Notes) -> None:
        self.step, self.flat, self.places, self.notes = flat.step, flat, places, notes
        self._fixed = fixed

    def parts(self) -> list[str]:
        """Return the command, each part as the target writes it."""
        text = self.places.text
        words: list[list[str]] = []
        for decide, way in self.flat.guards:
            at = self.places.files(Output(decide, "ways"))
            words.append([text("when"), f"{at}{text(f'/data/{way}')}", text("true")])
        own = failing(self.step)
        if not own:
            words += self._files()
        arguments = own or self.step.command
        if any(self._reads(part) for part in arguments):
            for part in arguments:
                words += self._argument(part)
            return self._wrapped(words, [])
        return self._wrapped(words, [self._text(part) for part in arguments])

    def _wrapped(self, words: list[list[str]], program: list[str]) -> list[str]:
        made = wrap(words, program)
        if made[:1] == ["sh"]:
            head = [self.places.text(str(part)) for part in made[:4]]
            made = [*head, *("--" if part == "--" else part for part in made[4:])]
        return [str(part) for part in made]

    def _files(self) -> list[list[str]]:
        text, step = self.places.text, self.step
        words = self._outputs()
        for name, value in step.env.items():
            if not isinstance(value, Literal):
                words.append(self._named("env", name, value))
        words += [[text("in"), self._input(port.name), text(port.path)] for port in step.inputs if port.path]
        words += [[text("text"), text(content), text(path)] for path, content in sagemaker_files(step)]
        words += [self._named("hp", name, value) for name, value in step.hyperparameters.items()]
        return words

    def _outputs(self) -> list[list[str]]:
        text, step = self.places.text, self.step
        words: list[list[str]] = []
        for out in step.outputs:
            at = self.places.made(step, out.name)
            place = self.places.landing(step, out.landing) if out.landing is not None else ""
            if place:
                words.append([text("save"), at, place, text("")])
            if out.path:
                words.append([text("out"), text(out.path), at, text(out.archive)])
        return words

    def _named(self, word: str, name: str, value: Expression) -> list[str]:
        text = self.places.text
        if isinstance(value, Output):
            return [text(f"{word}f"), text(name), f"{self.places.files(value)}{text('/data')}"]
        return [text(word), text(name), self._text(value)]

    def _input(self, name: str) -> str:
        port = next(found for found in self.step.inputs if found.name == name)
        found = split_artifact(port.source)
        if found is None:
            return self.places.source(self.step, name)
        output, rest = found
        below = "" if output in self._fixed else self.places.text("/data")
        more = "".join(self.places.text("/") + self._text(part) for part in rest)
        return f"{self.places.files(output)}{below}{more}"

    @staticmethod
    def _reads(part: Expression) -> bool:
        parts = part.parts if isinstance(part, Join) else (part,)
        return any(isinstance(found, Output) for found in parts)

    def _argument(self, part: Expression) -> list[list[str]]:
        parts = part.parts if isinstance(part, Join) else (part,)
        words = [[self.places.text("arg"), self.places.text("")]]
        for index, found in enumerate(parts):
            if index and isinstance(part, Join) and part.separator:
                words.append([self.places.text("more"), self.places.text(part.separator)])
            if isinstance(found, Output):
                at = f"{self.places.files(found)}{self.places.text('/data')}"
                words.append([self.places.text("moref"), at])
            else:
                words.append([self.places.text("more"), self._text(found)])
        return words

    def _text(self, expression: Expression) -> str:
        if isinstance(expression, Join):
            between = self.places.text(expression.separator) if expression.separator else ""
            return between.join(self._text(part) for part in expression.parts)
        if isinstance(expression, Literal):
            value = expression.value
            return self.places.text(value if isinstance(value, str) else json.dumps(value))
        if isinstance(expression, Param):
            return self.places.parameter(expression.name)
        if isinstance(expression, Execution):
            return unlike(expression, self.places.execution, self.step, self.notes)
        if isinstance(expression, PortPath):
            if expression.direction == "in":
                return self._input(expression.port)
            port = next(found for found in self.step.outputs if found.name == expression.port)
            below = "" if port.path else self.places.text("/data")
            return f"{self.places.made(self.step, expression.port)}{below}"
        raise TypeError(type(expression).__name__)
