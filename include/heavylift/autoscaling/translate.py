"""Translates autoscaling settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heavylift.autoscaling.documents import bad, read_documents
from heavylift.autoscaling.model import Loss, Policy, System
from heavylift.autoscaling.readers import aws, azure, kubernetes, vertex
from heavylift.autoscaling.writers import aws as to_aws
from heavylift.autoscaling.writers import azure as to_azure
from heavylift.autoscaling.writers import kubernetes as to_kubernetes
from heavylift.autoscaling.writers import vertex as to_vertex
from heavylift.errors import SpecError

READERS: dict[System, tuple[Callable[[dict[str, Any]], bool], Callable[[dict[str, Any], str], Policy]]] = {
    System.AWS: (aws.looks_like, aws.read),
    System.HPA: (kubernetes.is_hpa, kubernetes.read_hpa),
    System.KEDA: (kubernetes.is_keda, kubernetes.read_keda),
    System.VERTEX: (vertex.looks_like, vertex.read),
    System.AZURE: (azure.looks_like, azure.read),
}


@dataclass(frozen=True)
class Translation:
    """A policy of the source, the target's, and what is lost between them.

    :param text: the target's settings.
    """

    file: str
    source: Policy
    target: Policy
    losses: tuple[Loss, ...]
    text: str

    @property
    def passed(self) -> bool:
        """Whether nothing stands in the way."""
        return not any(loss.blocks for loss in self.losses)


def load(path: Path) -> Policy:
    """Return the policy of a file.

    :raises SpecError: it is of no known kind, or wrong in itself.
    :raises NotFoundError: it cannot be read.
    """
    for document in read_documents(path):
        for looks_like, read in READERS.values():
            if looks_like(document):
                return read(document, path.name)
    raise bad(path.name, "its kind", "none that is known", ", ".join(READERS))


def translate_policy(source: Policy, system: System) -> tuple[Policy, list[Loss]]:
    """Return the policy as ``system`` holds it, and what it cannot hold."""
    losses: list[Loss] = []
    if system in {System.HPA, System.KEDA}:
        return to_kubernetes.made(source, system, losses), losses
    make = {System.AWS: to_aws.made, System.VERTEX: to_vertex.made, System.AZURE: to_azure.made}[system]
    return make(source, losses), losses


def write(policy: Policy) -> tuple[str, list[Loss]]:
    """Return a policy as its system's settings, and what they lack."""
    losses: list[Loss] = []
    if policy.system in {System.HPA, System.KEDA}:
        return to_kubernetes.write(policy, losses), losses
    texts = {System.AWS: to_aws.write, System.VERTEX: to_vertex.write, System.AZURE: to_azure.write}
    return texts[policy.system](policy, losses), losses


def translate(path: Path, system: System) -> Translation:
    """Return the translation of one file; reaches no platform and writes nothing.

    :raises SpecError: as :func:`load`.
    :raises NotFoundError: as :func:`load`.
    """
    source = load(path)
    target, losses = translate_policy(source, system)
    text, more = write(target)
    return Translation(path.name, source, target, tuple(dict.fromkeys([*losses, *more])), text)


def system_of(text: str) -> System:
    """Return the system that a word means.

    :raises SpecError: it means none.
    """
    if text in set(System):
        return System(text)
    raise SpecError(
        "choosing the target of autoscaling settings",
        got=text,
        expected=f"one of {', '.join(System)}",
        state="nothing was run",
        remedy="correct the system",
        code="9213",
    )
