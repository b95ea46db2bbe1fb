"""Fits a pipeline to its target: addresses, images, machines, values out of JSON files."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from heavylift.pipelines.machines import CLOUD, Choice, choose
from heavylift.pipelines.mapping import CLOUD_URI, TargetMap, mapped_uri
from heavylift.pipelines.model import (
    Branch,
    Expression,
    Input,
    Join,
    JsonValue,
    Literal,
    Loop,
    Node,
    Output,
    OutputPort,
    Param,
    Pipeline,
    PortPath,
    Step,
    System,
)
from heavylift.pipelines.notes import Notes
from heavylift.pipelines.reshaping import within_reach, without_groups
from heavylift.pipelines.walk import (
    all_nodes,
    own_atoms,
    rewrite,
    rewritten,
    rewritten_condition,
    with_steps,
)

_ECR = re.compile(r"\d{12}\.dkr\.ecr\.[\w-]+\.amazonaws\.com")
_READ = (
    "import json, pathlib, sys\n"
    "value = json.loads(pathlib.Path(sys.argv[1], sys.argv[2]).read_text(encoding='utf-8'))\n"
    "for key in sys.argv[4:]:\n"
    "    value = value[int(key)] if isinstance(value, list) else value[key]\n"
    "target = pathlib.Path(sys.argv[3])\n"
    "target.parent.mkdir(parents=True, exist_ok=True)\n"
    "target.write_text(value if isinstance(value, str) else json.dumps(value), encoding='utf-8')\n"
)
_ONE_MACHINE = {System.VERTEX, System.KFP, System.AIRFLOW}
READER = "reads a value"
"""The origin of steps that were put in to read a value out of a file."""


@dataclass(frozen=True)
class Prepared:
    """A pipeline that fits its target, and the machine of each step with the reason."""

    pipeline: Pipeline
    machines: dict[str, Choice]


def prepare(pipeline: Pipeline, target: System, mapping: TargetMap, notes: Notes) -> Prepared:
    """Return the pipeline as the target can run it; tells in ``notes`` what is left to do."""
    pipeline = _mapped(within_reach(without_groups(pipeline), notes), target, mapping, notes)
    if target is not System.SAGEMAKER:
        pipeline = _with_readers(pipeline, mapping)
    machines: dict[str, Choice] = {}

    defaults = {parameter.name: parameter.default for parameter in pipeline.parameters}

    def fitted(step: Step) -> Step:
        if step.kind != "container":
            return step
        step = _with_written_image(step, target, defaults, notes)
        if step.kind != "container":
            return step
        if step.machine.disk_gib and target is not System.SAGEMAKER:
            what = f"a disk of {step.machine.disk_gib:g} GiB is not asked for"
            notes.loss(step.name, what, "make sure that the target's machines have as much")
        by_hand = mapping.machines.get(step.name) or mapping.machines.get(step.machine.instance) or ""
        choice = choose(step.machine, CLOUD[target.value], by_hand)
        machines[step.name] = choice
        problem = choice.problem
        if step.machine.count > 1 and target in _ONE_MACHINE and not problem:
            problem = f"{step.machine.count} machines for one step, which {target.value} does not have"
        if problem:
            what = f"its machine: {problem}"
            remedy = f"name a machine in the mapping: machines.{step.machine.instance or step.name}"
            notes.untranslated(step.name, what, remedy)
            message = f"{step.name} was not translated: {what}. To fix: {remedy}"
            return replace(step, kind="stub", message=Literal(message))
        return replace(step, machine=choice.machine)

    return Prepared(replace(pipeline, nodes=with_steps(pipeline.nodes, fitted)), machines)


def _with_written_image(step: Step, target: System, defaults: dict[str, Any], notes: Notes) -> Step:
    """Return the step with an image that is written down, where the target needs it so."""
    if isinstance(step.image, Literal) or target not in {System.AZURE_ML, System.AIRFLOW}:
        return step
    default = defaults.get(step.image.name) if isinstance(step.image, Param) else None
    if not isinstance(default, str):
        what, remedy = "its image is known only when it runs", "write the image into the definition"
        notes.untranslated(step.name, what, remedy)
        message = Literal(f"{step.name} was not translated: {what}. To fix: {remedy}")
        return replace(step, kind="stub", message=message)
    notes.loss(
        step.name, "its image is the default of a parameter, whatever a run is given", "change it here"
    )
    return replace(step, image=Literal(default))


def _mapped(pipeline: Pipeline, target: System, mapping: TargetMap, notes: Notes) -> Pipeline:
    unmapped: set[tuple[str, str]] = set()

    def one(step: Step) -> Step:
        changed = rewritten(replace(step, image=None), lambda found: mapped_uri(found, mapping))
        step = _with_image(replace(changed, image=step.image), target, mapping, notes)
        for name in step.env.keys() & mapping.env.keys():
            step = replace(step, env={**step.env, name: Literal(mapping.env[name])})
        unmapped.update((uri, step.name) for uri in _foreign(step, target))
        return step

    nodes = with_steps(pipeline.nodes, one)
    parameters = []
    for parameter in pipeline.parameters:
        default = parameter.default
        if isinstance(default, str):
            default = mapping.uri(mapping.image(default)[0])[0]
            if _is_foreign(default, target):
                unmapped.add((default, "pipeline"))
        parameters.append(replace(parameter, default=default))
    for uri, name in sorted(unmapped):
        notes.loss(
            name,
            f"{uri} is an address of another platform",
            "move the data (heavylift objects) and name its new place in the mapping: uris",
        )
    return replace(pipeline, nodes=nodes, parameters=tuple(parameters))


def _with_image(step: Step, target: System, mapping: TargetMap, notes: Notes) -> Step:
    if not isinstance(step.image, Literal) or not isinstance(step.image.value, str):
        return step
    image, said = mapping.image(step.image.value)
    if not said and _ECR.match(image) and CLOUD[target.value] != "aws":
        notes.loss(
            step.name,
            f"its image {image} is still in a registry of AWS",
            "copy the image and name its new place in the mapping: images",
        )
    return replace(step, image=Literal(image))


def _foreign(step: Step, target: System) -> set[str]:
    return {
        atom.value
        for atom in own_atoms(step)
        if isinstance(atom, Literal) and isinstance(atom.value, str) and _is_foreign(atom.value, target)
    }


_SCHEMES = {"aws": ("s3://",), "gcp": ("gs://",), "azure": ("azureml://", "https://"), "kubernetes": ()}


def _is_foreign(text: str, target: System) -> bool:
    return bool(CLOUD_URI.match(text)) and not text.startswith(_SCHEMES[CLOUD[target.value]] or ("\0",))


def _with_readers(pipeline: Pipeline, mapping: TargetMap) -> Pipeline:
    """Put in a step that reads each value out of a JSON file which somebody needs."""
    wanted: dict[JsonValue, str] = {}
    taken = {node.name for node in all_nodes(pipeline.nodes)}
    for node in all_nodes(pipeline.nodes):
        for atom in own_atoms(node):
            if isinstance(atom, JsonValue) and atom not in wanted:
                wanted[atom] = _free(f"{atom.output.step}-{atom.path[-1] if atom.path else 'value'}", taken)
    if not wanted:
        return pipeline

    def change(expression: Expression) -> Expression:
        return Output(wanted[expression], "value") if isinstance(expression, JsonValue) else expression

    numbers = _compared_with_numbers(pipeline)
    made: dict[str, list[Step]] = {}
    for value, name in wanted.items():
        made.setdefault(value.output.step, []).append(_reader(value, name, mapping, value in numbers))
    return replace(pipeline, nodes=_spliced(pipeline.nodes, change, made))


def _free(name: str, taken: set[str]) -> str:
    base = re.sub(r"[^A-Za-z0-9-]+", "-", name).strip("-") or "value"
    found, number = base, 2
    while found in taken:
        found, number = f"{base}-{number}", number + 1
    taken.add(found)
    return found


def _reader(value: JsonValue, name: str, mapping: TargetMap, number: bool) -> Step:
    return Step(
        name,
        origin=READER,
        image=Literal(mapping.helper_image),
        command=(
            Literal("python3"),
            Literal("-c"),
            Literal(_READ),
            PortPath("files", "in"),
            Literal(value.file),
            PortPath("value", "out"),
            *(Literal(key) for key in value.path),
        ),
        inputs=(Input("files", value.output),),
        outputs=(OutputPort("value", "value", "number" if number else "string"),),
    )


def _compared_with_numbers(pipeline: Pipeline) -> set[JsonValue]:
    found: set[JsonValue] = set()
    types = {parameter.name: parameter.type for parameter in pipeline.parameters}

    def is_number(expression: Expression) -> bool:
        if isinstance(expression, Param):
            return types.get(expression.name) in {"number", "integer"}
        return isinstance(expression, Literal) and isinstance(expression.value, int | float)

    def look(condition: Any) -> None:
        for part in getattr(condition, "parts", ()):
            look(part)
        if hasattr(condition, "left"):
            for one, other in ((condition.left, condition.right), (condition.right, condition.left)):
                if isinstance(one, JsonValue) and (
                    is_number(other) or condition.operator not in {"==", "!="}
                ):
                    found.add(one)

    for node in all_nodes(pipeline.nodes):
        for condition, _ in node.cases if isinstance(node, Branch) else ():
            look(condition)
    return found


def _spliced(nodes: tuple[Node, ...], change: Any, made: dict[str, list[Step]]) -> tuple[Node, ...]:
    result: list[Node] = []
    for node in nodes:
        if isinstance(node, Step):
            result += [rewritten(node, change), *made.get(node.name, ())]
        elif isinstance(node, Branch):
            cases = tuple(
                (rewritten_condition(c, change), _spliced(body, change, made)) for c, body in node.cases
            )
            result.append(replace(node, cases=cases, otherwise=_spliced(node.otherwise, change, made)))
        elif isinstance(node, Loop):
            items = rewrite(node.items, change)
            result.append(replace(node, items=items, body=_spliced(node.body, change, made)))
        else:
            result.append(replace(node, body=_spliced(node.body, change, made)))
    return tuple(result)


def split_artifact(expression: Expression) -> tuple[Output, tuple[Expression, ...]] | None:
    """Return the output that an address begins with and what follows it; None for any other address."""
    if isinstance(expression, Output):
        return expression, ()
    if isinstance(expression, Join) and expression.parts and isinstance(expression.parts[0], Output):
        rest = expression.parts[1:]
        return expression.parts[0], (Join(rest, expression.separator),) if rest else ()
    return None
