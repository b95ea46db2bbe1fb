"""Lift, replace or redesign: what becomes of one component on a target, and what is lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from heavylift.assess.basis import Basis
from heavylift.evidence.assess_input import Component
from heavylift.evidence.assess_records import Level, Treatment
from heavylift.facts.accelerators import AcceleratorMatch
from heavylift.facts.services import ServiceMatch

SILICON = {
    "neuron": "aws",
    "inferentia": "aws",
    "trainium": "aws",
    "neff": "aws",
    "edgetpu": "google",
    "tpu": "google",
    "xla-tpu": "google",
}
"""Formats of artifacts that only one vendor's device runs."""


@dataclass(frozen=True)
class Fate:
    """What becomes of a component.

    :param service: None where service_map.csv does not know its service.
    :param accelerator: None where it has none.
    """

    treatment: Treatment
    advice: str
    capability: str
    level: Level
    service: ServiceMatch | None
    accelerator: AcceleratorMatch | None


def fate_of(component: Component, source: str, target: str, basis: Basis) -> Fate:
    """Return what becomes of a component; the worst of service, artifacts and accelerator decides."""
    service = basis.service(component, source, target)
    accelerator = basis.accelerator(component, source, target)
    level: Level = service.level if service else "unknown"
    treatment, advice = _judge(component, target, service, accelerator)
    return Fate(treatment, advice, service.capability if service else "", level, service, accelerator)


def fates_of(components: Iterable[Component], source: str, target: str, basis: Basis) -> list[Fate]:
    """Return what becomes of each component; those that are alike are judged once."""
    known: dict[tuple[object, ...], Fate] = {}
    fates = []
    for component in components:
        key = (component.service, component.kind, component.accelerator, component.formats)
        if key not in known:
            known[key] = fate_of(component, source, target, basis)
        fates.append(known[key])
    return fates


def compiled_for(component: Component) -> str:
    """Return the first of a component's formats that only one vendor's device runs; empty for none."""
    return next((each for each in component.formats if each.lower() in SILICON), "")


def _judge(
    component: Component, target: str, service: ServiceMatch | None, accelerator: AcceleratorMatch | None
) -> tuple[Treatment, str]:
    compiled = compiled_for(component)
    if compiled and SILICON[compiled.lower()] != {"gcp": "google"}.get(target, target):
        return "redesign", f"compiled for {compiled}: compile again from the framework's own model"
    if accelerator is not None and accelerator.level == "none":
        return "redesign", accelerator.reason
    if service is not None and service.level == "none":
        return "redesign", service.lost
    if service is None:
        return (
            "redesign",
            "its service is in no row of service_map.csv: look at it, and add a row of your own",
        )
    if service.level == "partial":
        return "replace", f"{service.target_service}: {service.lost}"
    if accelerator is not None and accelerator.level == "partial":
        return "replace", accelerator.reason
    return "lift", f"{service.target_service}: {service.route or 'as it is'}"
