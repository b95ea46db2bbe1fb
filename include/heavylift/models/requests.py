"""What the check and the comparison of a model are asked to do: one version, in one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from heavylift.connections import Connection
from heavylift.errors import NotFoundError
from heavylift.evidence.records import RunKey
from heavylift.locations import REGISTERED, is_registered, parse_location, parse_registered
from heavylift.models.latency import LatencyPlan
from heavylift.models.runtime import Runtime
from heavylift.models.sessions import Limits
from heavylift.platforms.places import Place
from heavylift.platforms.registered import Registered
from heavylift.spec.expectations import Expectation
from heavylift.spec.sections_models import VERSION_MARK

if TYPE_CHECKING:
    from heavylift.spec.model import MigrationSpec
    from heavylift.spec.platforms import Side
    from heavylift.spec.sections_data import RegistrySide
    from heavylift.spec.sections_models import Model, ModelPlace, ModelRuntime

GIB = 2**30
SEED = 20260101


@dataclass(frozen=True)
class CheckOptions:
    """How a model is checked before it is run.

    :param accept: rules whose findings a person accepts.
    :param trusted: names that its pickles may import although they are not known.
    :param offline: solve and build with what has been downloaded before.
    :param scanner: whether modelscan runs as well.
    """

    source_runtime: Runtime | None = None
    target_runtime: Runtime | None = None
    requirements: tuple[str, ...] = ()
    accept: frozenset[str] = frozenset()
    trusted: frozenset[str] = frozenset()
    offline: bool = False
    scanner: bool = True
    solve_seconds: float = 600.0
    max_bytes: int = 20 * GIB


@dataclass(frozen=True)
class CompareOptions:
    """How two models are compared; defaults are the spec's.

    :param latency: None leaves durations out.
    :param max_p95_ms: of the target.
    :param seed: of everything that is drawn.
    """

    label: str = ""
    drop: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    max_metric_drop: float = 0.005
    absolute: float | None = None
    relative: float | None = None
    max_mismatch_rate: float = 0.001
    latency: LatencyPlan | None = field(default_factory=LatencyPlan)
    max_p95_ms: float | None = None
    limits: Limits = field(default_factory=Limits)
    seed: int = SEED


@dataclass(frozen=True)
class ModelRequest:
    """One version of a model, within one run.

    :param source: the model's place; None where an endpoint answers for it. ``target`` likewise.
    :param golden: inputs; None for the model's own example.
    :param golden_suite: what must be true of them.
    :param evidence_url: the evidence store's URL; None leaves it to the connection.
    """

    run: RunKey
    model: str
    version: str
    source: Place | Registered | None
    target: Place | Registered | None
    evidence_url: str | None
    evidence_connection: Connection | None
    golden: Place | None = None
    golden_suite: tuple[Expectation, ...] = ()
    source_endpoint: Connection | None = None
    target_endpoint: Connection | None = None
    check: CheckOptions = field(default_factory=CheckOptions)
    compare: CompareOptions = field(default_factory=CompareOptions)

    @property
    def name(self) -> str:
        """The model and its version, for people."""
        return f"{self.model} {self.version}" if self.version else self.model


def versions_of(model: Model) -> tuple[str, ...]:
    """Return the versions of a spec's model; one without a name where it has none."""
    return model.versions or ("",)


def model_request(
    spec: MigrationSpec,
    model: str,
    version: str,
    run: RunKey,
    connections: Callable[[str], Connection],
) -> ModelRequest:
    """Return the request about one version of a spec's model.

    :param connections: looks a connection up by its id.
    :raises NotFoundError: the spec has no such model or version.
    """
    found = _find(spec, model, version)
    source = _side(spec, found, "source", version, connections)
    return ModelRequest(
        run=run,
        model=model,
        version=version,
        source=source,
        target=_side(spec, found, "target", version, connections),
        evidence_url=spec.evidence.url,
        evidence_connection=connections(spec.evidence.connection) if spec.evidence.connection else None,
        golden=_golden(spec, found, source, connections),
        golden_suite=found.golden_suite,
        source_endpoint=connections(found.source_endpoint) if found.source_endpoint else None,
        target_endpoint=connections(found.target_endpoint) if found.target_endpoint else None,
        check=_check_options(found),
        compare=_compare_options(found),
    )


def converted_place(
    spec: MigrationSpec, model: str, version: str, connections: Callable[[str], Connection]
) -> Place | Registered | None:
    """Return where the converted form of a spec's model goes; None where none is asked for."""
    place = _find(spec, model, version).converted
    if place is None:
        return None
    conn_id = place.connection or spec.target.connection
    if is_registered(place.url):
        files = partial(connections, spec.target.connection)
        return Registered(place.url.removeprefix(REGISTERED), "", "", connections(conn_id), files)
    location = parse_location(place.url)
    return Place(location, None if location.scheme == "file" else connections(conn_id))


def _check_options(model: Model) -> CheckOptions:
    return CheckOptions(
        source_runtime=runtime_of(model.source_runtime),
        target_runtime=runtime_of(model.target_runtime),
        requirements=model.requirements,
        accept=frozenset(model.accept),
        trusted=frozenset(model.trusted_globals),
        max_bytes=model.limits.size,
    )


def _compare_options(model: Model) -> CompareOptions:
    plan = LatencyPlan(
        requests=model.latency.requests, warm_up=model.latency.warm_up, max_ratio=model.latency.max_ratio
    )
    longest = model.latency.max_p95
    return CompareOptions(
        label=model.label or "",
        drop=model.drop,
        slices=model.slices,
        metrics=tuple(each.value for each in model.metrics),
        max_metric_drop=model.max_metric_drop,
        absolute=model.tolerance.absolute,
        relative=model.tolerance.relative,
        max_mismatch_rate=model.tolerance.max_mismatch_rate,
        latency=plan if model.latency.measure else None,
        max_p95_ms=None if longest is None else longest * 1000.0,
        limits=replace(
            Limits(),
            memory_bytes=model.limits.memory,
            cpu_seconds=int(model.limits.cpu_time),
            seconds=float(model.limits.timeout),
        ),
    )


def runtime_of(runtime: ModelRuntime | None) -> Runtime | None:
    """Return what a spec says of a runtime, as the check takes it."""
    if runtime is None:
        return None
    return Runtime(
        name=runtime.name,
        python=runtime.python or "",
        packages=dict(runtime.packages),
        accelerator=runtime.accelerator.value if runtime.accelerator else "",
        compute_capability=runtime.compute_capability or "",
        driver=runtime.driver or "",
        platform=runtime.platform or "",
    )


def _side(
    spec: MigrationSpec, model: Model, name: str, version: str, connections: Callable[[str], Connection]
) -> Place | Registered | None:
    """Return where one side's model is: at a URL, under a name in a registry, or nowhere."""
    side: Side = getattr(spec, name)
    place: ModelPlace | None = getattr(model, name)
    if place is not None:
        return _place(side, place, version, connections)
    if model.registry is None or getattr(model, f"{name}_endpoint") is not None:
        return None
    registry = next(each for each in spec.registries if each.name == model.registry)
    held: RegistrySide = getattr(registry, name)
    # Under which mark the copy lies there; see the registry phase.
    copied_by = f"{spec.migration}/{registry.name}" if name == "target" else ""
    return Registered(
        model.registered_name or model.name,
        version,
        "",
        connections(held.connection),
        partial(connections, held.artifacts_connection or side.connection),
        copied_by,
    )


def _place(
    side: Side, place: ModelPlace, version: str, connections: Callable[[str], Connection]
) -> Place | Registered:
    url = place.url.replace(VERSION_MARK, version)
    if is_registered(url):
        files = partial(connections, side.connection)
        return Registered(*parse_registered(url), connections(place.connection or side.connection), files)
    location = parse_location(url)
    if location.scheme == "file":
        return Place(location)
    return Place(location, connections(place.connection or side.connection))


def _golden(
    spec: MigrationSpec,
    model: Model,
    source: Place | Registered | None,
    connections: Callable[[str], Connection],
) -> Place | None:
    if model.golden_inputs is None:
        return None
    location = parse_location(model.golden_inputs)
    if location.scheme == "file":
        return Place(location)
    if model.golden_connection is None and isinstance(source, Place) and source.connection is not None:
        return Place(location, source.connection)
    return Place(location, connections(model.golden_connection or spec.source.connection))


def _find(spec: MigrationSpec, name: str, version: str) -> Model:
    for model in spec.models:
        if model.name == name and version in versions_of(model):
            return model
    known = [f"{model.name} {version}".strip() for model in spec.models for version in versions_of(model)]
    raise NotFoundError(
        f"looking up model {name!r} {version} of migration {spec.migration!r}",
        got="no such model or version in the spec",
        expected=", ".join(known[:20]) or "a models section",
        state="nothing was touched",
        remedy="the spec was changed during the run: start a new run",
        code="7501",
    )
