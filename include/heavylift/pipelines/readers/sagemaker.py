"""Reads SageMaker's pipeline definition JSON, version 2020-12-01."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from heavylift.pipelines.documents import Fields
from heavylift.pipelines.mapping import TargetMap
from heavylift.pipelines.model import Branch, Literal, Node, Parameter, Pipeline, Retry, Step, System
from heavylift.pipelines.notes import Notes
from heavylift.pipelines.readers.sagemaker_steps import Job, processing, training
from heavylift.pipelines.readers.sagemaker_values import MODEL, Known, conditions, expression, references
from heavylift.pipelines.readers.settling import settled
from heavylift.pipelines.readers.untranslatable import OWN_CONTAINER, UntranslatableStepError, stub

_TYPES = {"String": "string", "Integer": "integer", "Float": "number", "Boolean": "boolean"}
_WHY = {
    "Tuning": "a search over hyperparameters is another service on each platform",
    "Transform": "a batch transform runs a SageMaker model, which no other platform has",
    "Model": "it makes a SageMaker model, which no other platform has",
    "RegisterModel": "it registers a model package with SageMaker",
    "Lambda": "it calls an AWS Lambda function",
    "Callback": "it waits for somebody to call SageMaker back through a queue",
    "EMR": "it runs on an EMR cluster",
    "EMRServerless": "it runs on EMR Serverless",
    "QualityCheck": "it uses SageMaker Model Monitor",
    "ClarifyCheck": "it uses SageMaker Clarify",
    "AutoML": "it uses SageMaker Autopilot",
    "NotebookJob": "it runs a notebook of SageMaker Studio",
    "EndpointConfig": "it configures a SageMaker endpoint",
    "Endpoint": "it deploys to a SageMaker endpoint",
}
_HOW = {
    "RegisterModel": "register the model with `heavylift registry`, or name a container of yours "
    "in the mapping: steps.{name}",
    "Model": "deploy the model on the target, or name a container in the mapping: steps.{name}",
    "Lambda": "bring the function's code into a container and name it in the mapping: steps.{name}",
}


def read_sagemaker(document: dict[str, Any], notes: Notes, mapping: TargetMap) -> Pipeline:
    """Return what a definition says.

    :raises SpecError: it is no definition of this version, or wrong in itself.
    """
    return _Reader(document, notes, mapping).pipeline()


class _Reader:
    def __init__(self, document: dict[str, Any], notes: Notes, mapping: TargetMap) -> None:
        self.root = Fields(document, notes.file, "the definition")
        self.notes, self.mapping = notes, mapping
        self.known = Known()
        self.defaults: dict[str, Any] = {}
        self.gone: dict[str, str] = {}

    def pipeline(self) -> Pipeline:
        version = self.root.take("Version")
        if version != "2020-12-01":
            raise self.root.bad("Version", repr(version), "2020-12-01")
        parameters = tuple(self._parameter(entry) for entry in self.root.each("Parameters"))
        self.defaults = {parameter.name: parameter.default for parameter in parameters}
        self._learn(self.root.items("Steps"))
        nodes = tuple(self._node(entry) for entry in self.root.each("Steps"))
        if not nodes:
            raise self.root.bad("Steps", "no step", "at least one")
        self.root.ignore("Metadata")
        for name in self.root.left():
            if name == "PipelineExperimentConfig":
                self.notes.loss(
                    "pipeline", f"{name}: runs are not grouped", "name the experiment with each run"
                )
            else:
                self.notes.loss("pipeline", f"{name} is not translated", "bring it over by hand")
        made = Pipeline("pipeline", nodes, parameters, source=System.SAGEMAKER)
        return settled(made, self.gone, self.notes)

    def _parameter(self, entry: Fields) -> Parameter:
        kind = entry.text("Type")
        if kind not in _TYPES:
            raise entry.bad("Type", kind, f"one of {', '.join(_TYPES)}")
        name = entry.text("Name")
        default = entry.take("DefaultValue")
        choices = tuple(entry.items("EnumValues"))
        for left in entry.left():
            self.notes.loss(
                "pipeline", f"parameter {name}: {left} is not checked", "check it in the first step"
            )
        return Parameter(name, _TYPES[kind], default, choices)

    def _learn(self, entries: list[Any]) -> None:
        """Note the outputs of all steps, so that references can be told from mistakes."""
        for entry in entries:
            if not isinstance(entry, dict):
                continue
            name, arguments = str(entry.get("Name")), entry.get("Arguments") or {}
            if not isinstance(arguments, dict):
                continue
            if entry.get("Type") == "Training":
                self.known.outputs[name] = {MODEL}
            elif entry.get("Type") == "Processing":
                config = arguments.get("ProcessingOutputConfig") or {}
                outputs = config.get("Outputs") or [] if isinstance(config, dict) else []
                self.known.outputs[name] = {str(o.get("OutputName")) for o in outputs if isinstance(o, dict)}
            for file in entry.get("PropertyFiles") or []:
                if isinstance(file, dict):
                    place = (str(file.get("OutputName")), str(file.get("FilePath")))
                    self.known.property_files[name, str(file.get("PropertyFileName"))] = place
            if entry.get("Type") == "Condition":
                for branch in ("IfSteps", "ElseSteps"):
                    found = arguments.get(branch)
                    self._learn(found if isinstance(found, list) else [])

    def _node(self, entry: Fields) -> Node:
        name, kind = entry.text("Name"), entry.text("Type")
        after = self._after(entry)
        arguments = entry.fields("Arguments")
        try:
            if kind == "Condition":
                node: Node = self._branch(name, arguments, after)
            else:
                node = self._step(name, kind, entry, arguments, after)
        except UntranslatableStepError as why:
            node = self._stub(name, kind, why, entry, arguments, after)
        return node

    def _after(self, entry: Fields) -> tuple[str, ...]:
        names = []
        for name in entry.items("DependsOn"):
            if not isinstance(name, str):
                raise entry.bad("DependsOn", repr(name), "names of steps")
            # A step collection is referred to by its last step's name, as the SDK writes it.
            names.append(name)
        return tuple(names)

    def _branch(self, name: str, arguments: Fields, after: tuple[str, ...]) -> Branch:
        then = tuple(self._node(entry) for entry in arguments.each("IfSteps"))
        otherwise = tuple(self._node(entry) for entry in arguments.each("ElseSteps"))
        condition = conditions(arguments.each("Conditions"), self.known)
        return Branch(name, ((condition, then),), otherwise, after)

    def _step(self, name: str, kind: str, entry: Fields, arguments: Fields, after: tuple[str, ...]) -> Step:
        if kind == "Fail":
            found = arguments.take("ErrorMessage", "")
            return Step(name, "fail", kind, message=expression(found, self.known), after=after)
        make = {"Processing": processing, "Training": training}.get(kind)
        if make is None:
            raise UntranslatableStepError(
                _WHY.get(kind, "this kind of step is not known"),
                _HOW.get(kind, OWN_CONTAINER).format(name=name),
            )
        self._set_machine(arguments.value)
        made = make(Job(name, arguments, self.known, self.notes))
        made = self._settled(made, kind)
        entry.ignore("PropertyFiles", "DisplayName", "Description")
        made = replace(made, after=after, retry=self._retry(name, entry), cache=self._cache(name, entry))
        for left in entry.left():
            self.notes.loss(name, f"{left} is not translated", "bring it over by hand")
        return made

    def _settled(self, step: Step, kind: str) -> Step:
        """Return the step with the command that its image starts by itself, where only that is known."""
        bare = step.origin == "image entrypoint"
        step = replace(step, origin=kind)
        if not bare:
            return step
        image = step.image.value if isinstance(step.image, Literal) else None
        entrypoint = self.mapping.entrypoints.get(str(image))
        if entrypoint is None:
            raise UntranslatableStepError(
                f"what the image {image or 'of the step'} starts by itself is not in the definition",
                "name the image's ENTRYPOINT (and CMD) in the mapping: entrypoints",
            )
        return replace(step, command=(*(Literal(part) for part in entrypoint), *step.command))

    def _set_machine(self, arguments: dict[str, Any]) -> None:
        """Put parameters' defaults in place where a machine is a parameter: the target has other types."""
        for outer, inner in (("ProcessingResources", "ClusterConfig"), ("ResourceConfig", "")):
            config = arguments.get(outer)
            if isinstance(config, dict) and inner:
                config = config.get(inner)
            if isinstance(config, dict):
                for key, value in config.items():
                    config[key] = self._default_of(value)
        stopping = arguments.get("StoppingCondition")
        if isinstance(stopping, dict):
            arguments["StoppingCondition"] = {key: self._default_of(v) for key, v in stopping.items()}

    def _default_of(self, value: Any) -> Any:
        if isinstance(value, dict) and str(value.get("Get", "")).startswith("Parameters."):
            name = value["Get"].removeprefix("Parameters.")
            default = self.defaults.get(name)
            if default is None:
                raise UntranslatableStepError(
                    f"its machine is the parameter {name}, which has no default", "give it a default"
                )
            self.notes.loss(
                "pipeline",
                f"parameter {name} no longer chooses machines: its default {default!r} is translated",
                "change the machine in the translated definition",
            )
            return default
        return value

    def _retry(self, name: str, entry: Fields) -> Retry:
        policies = entry.each("RetryPolicies")
        retries = []
        for policy in policies:
            if policy.take("ExpireAfterMin") is not None:
                self.notes.loss(name, "RetryPolicies: ExpireAfterMin has no equivalent", "use MaxAttempts")
            attempts = policy.take("MaxAttempts")
            numbers = (attempts or 0, policy.take("IntervalSeconds", 1), policy.take("BackoffRate", 2.0))
            if not all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers):
                raise policy.bad("MaxAttempts", "something else", "numbers")
            retries.append(Retry(int(numbers[0]), float(numbers[1]), float(numbers[2])))
        if policies:
            self.notes.loss(
                name, "RetryPolicies: every failure is tried again, not only those named", "none is needed"
            )
        return max(retries, key=lambda retry: retry.attempts, default=Retry())

    def _cache(self, name: str, entry: Fields) -> bool:
        cache = entry.fields("CacheConfig")
        if cache.take("ExpireAfter"):
            self.notes.loss(name, "CacheConfig: ExpireAfter has no equivalent", "turn caching off")
        return bool(cache.take("Enabled", False))

    def _stub(
        self,
        name: str,
        kind: str,
        why: UntranslatableStepError,
        entry: Fields,
        arguments: Fields,
        after: tuple[str, ...],
    ) -> Step:
        held = [
            inner
            for branch in ("IfSteps", "ElseSteps")
            if kind == "Condition"
            for inner in _names_in(arguments.value.get(branch))
        ]
        for inner in held:
            self.gone[inner] = name
            self.notes.untranslated(inner, f"it depends on the condition {name}", f"translate {name} first")
        needed = [step for step in references(arguments.value) if step not in {name, *held}]
        waits = tuple(dict.fromkeys((*after, *needed)))
        own = self.mapping.steps.get(name) or self.mapping.steps.get(kind)
        if own is None:
            return stub(name, kind, why, waits, self.notes)
        self.notes.loss(name, f"{kind}: the mapping's container does its work", "check that it does")
        command = tuple(Literal(part) for part in own.command)
        return Step(name, origin=kind, image=Literal(own.image), command=command, after=waits)


def _names_in(entries: Any) -> list[str]:
    found = []
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict):
            found.append(str(entry.get("Name")))
            arguments = entry.get("Arguments")
            if entry.get("Type") == "Condition" and isinstance(arguments, dict):
                found += _names_in(arguments.get("IfSteps")) + _names_in(arguments.get("ElseSteps"))
    return found


def looks_like(document: dict[str, Any]) -> bool:
    """Tell whether a document is of this kind."""
    return isinstance(document.get("Steps"), list) and "Version" in document
