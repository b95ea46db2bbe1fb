"""Reads state machines of AWS Step Functions (Amazon States Language)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from heavylift.pipelines.documents import Fields
from heavylift.pipelines.mapping import TargetMap
from heavylift.pipelines.model import (
    Branch,
    Condition,
    Group,
    Item,
    Literal,
    Loop,
    Node,
    Parameter,
    Pipeline,
    Retry,
    Step,
    System,
)
from heavylift.pipelines.notes import Notes
from heavylift.pipelines.readers.sagemaker_steps import Job, processing, training
from heavylift.pipelines.readers.sagemaker_values import Known
from heavylift.pipelines.readers.settling import settled
from heavylift.pipelines.readers.states_choices import PathReader, choice
from heavylift.pipelines.readers.untranslatable import OWN_CONTAINER, UntranslatableStepError, stub

_JOBS = {"createProcessingJob": processing, "createTrainingJob": training}
_ENDS = {"Succeed", "Fail"}


def looks_like(document: dict[str, Any]) -> bool:
    """Tell whether a document is of this kind."""
    return isinstance(document.get("States"), dict) and "StartAt" in document


def read_stepfunctions(document: dict[str, Any], notes: Notes, mapping: TargetMap) -> Pipeline:
    """Return what a state machine says.

    :raises SpecError: it is wrong in itself.
    """
    reader = _Reader(notes, mapping)
    machine = Fields(document, notes.file, "the state machine")
    nodes = reader.machine(machine, PathReader(reader.parameters), ())
    machine.ignore("Version", "TimeoutSeconds")
    if machine.value.get("TimeoutSeconds"):
        notes.loss("pipeline", "TimeoutSeconds of the whole machine", "limit each step")
    for left in machine.left():
        notes.loss("pipeline", f"{left} is not translated", "bring it over by hand")
    parameters = tuple(Parameter(name, kind) for name, kind in reader.parameters.items())
    description = str(document.get("Comment") or "")
    made = Pipeline("pipeline", nodes, parameters, description, System.STEP_FUNCTIONS)
    return settled(made, reader.gone, notes)


@dataclass
class _Walk:
    """One machine's states: where the way through them has been."""

    states: dict[str, Any]
    where: str
    paths: PathReader
    seen: set[str]


class _Reader:
    def __init__(self, notes: Notes, mapping: TargetMap) -> None:
        self.notes, self.mapping = notes, mapping
        self.parameters: dict[str, str] = {}
        self.taken: set[str] = set()
        self.gone: dict[str, str] = {}

    def machine(self, machine: Fields, paths: PathReader, before: tuple[str, ...]) -> tuple[Node, ...]:
        """Return the nodes of a machine, or of a branch or loop, which is one in itself."""
        if machine.take("QueryLanguage") == "JSONata":
            paths = replace(paths, jsonata=True)
        machine.ignore("Comment")
        states = machine.mapping("States")
        walk = _Walk(states, machine.where, paths, set())
        nodes = self._way(machine.text("StartAt"), None, walk, before, machine, whole=True)
        for name in sorted(set(states) - walk.seen):
            what = "it runs only when another state fails (Catch), or never"
            remedy = "let the target tell of failures, or call it from an exit handler"
            self.notes.untranslated(name, what, remedy)
        return nodes

    def _state(self, name: Any, walk: _Walk, asker: Fields) -> Fields:
        if name not in walk.states:
            raise asker.bad("Next", repr(name), "a state of this machine")
        return Fields(walk.states[name], self.notes.file, f"{walk.where}.States.{name}")

    def _way(
        self,
        start: str | None,
        stop: str | None,
        walk: _Walk,
        before: tuple[str, ...],
        asker: Fields,
        *,
        whole: bool = False,
    ) -> tuple[Node, ...]:
        """Return the nodes from one state on, up to ``stop``.

        :param whole: it is all of a machine, and where it goes back ends with a step that fails; a way of a
            choice leaves that to the choice.
        """
        nodes: list[Node] = []
        name = start
        while name is not None and name != stop:
            state = self._state(name, walk, asker)
            if name in walk.seen:
                back = UntranslatableStepError(
                    f"the way goes back to {name}", "wait and repeat inside one step instead"
                )
                if not whole:
                    raise back
                return (*nodes, stub(f"{name}-again", "a way back", back, before, self.notes))
            walk.seen.add(name)
            node, following = self._node(name, state, walk, before)
            nodes.append(node)
            before, name, asker = (node.name,), following, state
        return tuple(nodes)

    def _node(
        self, name: str, state: Fields, walk: _Walk, before: tuple[str, ...]
    ) -> tuple[Node, str | None]:
        if name in self.taken:
            raise state.bad("", name, "a name of its own for each state of the whole machine")
        self.taken.add(name)
        kind = state.text("Type")
        following = None if state.take("End") or kind in _ENDS else state.take("Next")
        state.ignore("Comment")
        paths = walk.paths
        if state.take("InputPath", "$") != "$":
            paths = replace(paths, intact=False)
        if state.take("QueryLanguage") == "JSONata":
            paths = replace(paths, jsonata=True)
        if kind == "Choice":
            return self._choice(name, state, walk, before)
        seen, taken = set(walk.seen), set(self.taken)
        try:
            node = self._plain(name, kind, state, paths, before)
        except UntranslatableStepError as why:
            walk.seen, self.taken = seen, taken
            node = self._stub(name, kind, why, state, before)
        self._effects(name, kind, state, walk)
        for left in state.left():
            self.notes.loss(name, f"{left} is not translated", "bring it over by hand")
        return node, following

    def _effects(self, name: str, kind: str, state: Fields, walk: _Walk) -> None:
        """Follow what becomes of the document that states hand on."""
        result = state.take("ResultPath", "$")
        for handed in ("OutputPath", "ResultSelector", "Assign", "Output", "Result"):
            if state.take(handed) is not None:
                what = f"{handed}: what a state hands on is not translated"
                self.notes.loss(name, what, "write it to a file, and read it in the next step")
        if state.take("Catch"):
            self.notes.loss(name, "Catch: a failure ends the pipeline", "let the target tell of failures")
        changes = (
            kind in {"Task", "Parallel", "Map"} or "Result" in state.value or "Parameters" in state.value
        )
        if kind in {"Task", "Parallel", "Map", "Pass"} and changes and result == "$":
            walk.paths = replace(walk.paths, intact=False)
        elif isinstance(result, str) and result.startswith("$."):
            walk.paths = replace(walk.paths, results=walk.paths.results | {result[2:].split(".")[0]})
        if "OutputPath" in state.value:
            walk.paths = replace(walk.paths, intact=False)

    def _plain(self, name: str, kind: str, state: Fields, paths: PathReader, before: tuple[str, ...]) -> Node:
        if kind == "Task":
            return self._task(name, state, paths, before)
        if kind == "Wait":
            return self._wait(name, state, paths, before)
        if kind == "Fail":
            said = ": ".join(str(state.take(key)) for key in ("Error", "Cause") if state.take(key))
            state.ignore("ErrorPath", "CausePath")
            return Step(name, "fail", kind, after=before, message=Literal(said or name))
        if kind in {"Pass", "Succeed"}:
            return Step(name, "pass", kind, after=before)
        if kind == "Parallel":
            branches = state.each("Branches")
            body = [
                Group(f"{name}-{index}", self.machine(branch, paths, ()))
                for index, branch in enumerate(branches)
            ]
            return Group(name, tuple(body), before)
        if kind == "Map":
            return self._map(name, state, paths, before)
        raise UntranslatableStepError(f"a state of type {kind}", OWN_CONTAINER.format(name=name))

    def _wait(self, name: str, state: Fields, paths: PathReader, before: tuple[str, ...]) -> Step:
        seconds = state.take("Seconds")
        path = state.take("SecondsPath")
        if path is not None:
            return Step(name, "wait", "Wait", wait_seconds=paths.value(str(path), "integer"), after=before)
        if not isinstance(seconds, int | float):
            raise UntranslatableStepError("it waits for a moment", "wait for a number of seconds")
        return Step(name, "wait", "Wait", wait_seconds=Literal(seconds), after=before)

    def _map(self, name: str, state: Fields, paths: PathReader, before: tuple[str, ...]) -> Loop:
        processor = state.fields("ItemProcessor") if state.take("ItemProcessor") else state.fields("Iterator")
        if processor.fields("ProcessorConfig").take("Mode") == "DISTRIBUTED" or state.take("ItemReader"):
            raise UntranslatableStepError("a distributed map over objects", "loop over a list in the input")
        if state.take("ItemSelector") or state.take("Parameters"):
            raise UntranslatableStepError("a map that builds its items", "loop over the items themselves")
        items = paths.value(str(state.take("ItemsPath", "$")), "list")
        limit = state.take("MaxConcurrency", 0)
        state.ignore("Label")
        inner = replace(paths, item=Item(name), intact=True, results=frozenset())
        return Loop(name, items, self.machine(processor, inner, ()), int(limit or 0), before)

    # --- tasks and choices -------------------------------------------------------------------------

    def _task(self, name: str, state: Fields, paths: PathReader, before: tuple[str, ...]) -> Step:
        resource = state.text("Resource")
        action = resource.rsplit(":", 1)[-1].removesuffix(".sync")
        make = _JOBS.get(action) if ":sagemaker:" in resource else None
        if make is None:
            raise UntranslatableStepError(f"it calls {resource}", OWN_CONTAINER.format(name=name))
        if not resource.endswith(".sync"):
            self.notes.loss(name, "the pipeline waits for its end", "none is needed")
        if paths.jsonata or state.take("Arguments"):
            raise UntranslatableStepError("its arguments are JSONata", "write them with JSONPath")
        arguments = Fields(
            paths.arguments(state.mapping("Parameters")), state.file, f"{state.where}.Parameters"
        )
        arguments.ignore("ProcessingJobName", "TrainingJobName", "Tags")
        made = make(Job(name, arguments, Known(), self.notes))
        if made.origin == "image entrypoint":
            image = made.image.value if isinstance(made.image, Literal) else None
            entrypoint = self.mapping.entrypoints.get(str(image))
            if entrypoint is None:
                raise UntranslatableStepError(
                    "what its image starts by itself is not in the definition",
                    "name the image's ENTRYPOINT in the mapping: entrypoints",
                )
            made = replace(made, command=(*map(Literal, entrypoint), *made.command))
        seconds = state.take("TimeoutSeconds") or made.timeout_seconds
        state.ignore("HeartbeatSeconds", "Credentials")
        return replace(
            made, origin=action, after=before, retry=self._retry(name, state), timeout_seconds=seconds
        )

    def _retry(self, name: str, state: Fields) -> Retry:
        found = [
            Retry(
                int(policy.take("MaxAttempts", 3)),
                float(policy.take("IntervalSeconds", 1)),
                float(policy.take("BackoffRate", 2.0)),
            )
            for policy in state.each("Retry")
        ]
        if found:
            self.notes.loss(
                name, "Retry: every failure is tried again, not only those named", "none is needed"
            )
        return max(found, key=lambda retry: retry.attempts, default=Retry())

    def _choice(
        self, name: str, state: Fields, walk: _Walk, before: tuple[str, ...]
    ) -> tuple[Node, str | None]:
        rules, default = state.each("Choices"), state.take("Default")
        targets = [rule.text("Next") for rule in rules] + ([default] if default else [])
        join = self._join([self._reach(target, walk, state) for target in targets]) if default else None
        seen, taken = set(walk.seen), set(self.taken)
        try:
            cases: list[tuple[Condition, tuple[Node, ...]]] = []
            for rule in rules:
                condition = choice(rule, walk.paths)
                cases.append((condition, self._way(rule.text("Next"), join, walk, (), state)))
            otherwise = self._way(default, join, walk, (), state)
        except UntranslatableStepError as why:
            self.taken = taken
            held = {n for target in targets for n in self._reach(target, walk, state)} - seen
            walk.seen = seen | held
            for inner in sorted(held):
                self.gone[inner] = name
                self.notes.untranslated(inner, f"it depends on the choice {name}", f"translate {name} first")
            return stub(name, "Choice", why, before, self.notes), None
        if not default:
            fail = Step(f"{name}-no-choice", "fail", message=Literal(f"no choice of {name} fits"))
            otherwise = (fail,)
        return Branch(name, tuple(cases), otherwise, before), join

    def _reach(self, start: str, walk: _Walk, asker: Fields) -> list[str]:
        """Return the states that can follow, nearest first."""
        found, waiting = [], [start]
        while waiting:
            name = waiting.pop(0)
            if name in found:
                continue
            found.append(name)
            state = self._state(name, walk, asker).value
            rules = state.get("Choices")
            rules = rules if isinstance(rules, list) else []
            following = [rule.get("Next") for rule in rules if isinstance(rule, dict)]
            named = (state.get("Next"), *following, state.get("Default"))
            waiting += [other for other in named if isinstance(other, str)]
        return found

    @staticmethod
    def _join(ways: list[list[str]]) -> str | None:
        common = set(ways[0]).intersection(*map(set, ways[1:])) if ways else set()
        return next((name for name in ways[0] if name in common), None) if common else None

    def _stub(
        self, name: str, kind: str, why: UntranslatableStepError, state: Fields, before: tuple[str, ...]
    ) -> Step:
        state.ignore(*state.value)
        resource = str(state.value.get("Resource", ""))
        own = self.mapping.steps.get(name) or self.mapping.steps.get(resource)
        if own is None:
            return stub(name, kind, why, before, self.notes)
        self.notes.loss(name, f"{kind}: the mapping's container does its work", "check that it does")
        command = tuple(Literal(part) for part in own.command)
        return Step(name, origin=kind, image=Literal(own.image), command=command, after=before)
