"""What a target is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from heavylift.infra.template import Service


@dataclass(frozen=True)
class Variable:
    """A variable that all roots share; without ``default`` a person or the spec must give it."""

    type: str
    description: str
    default: Any = None


@dataclass(frozen=True)
class Target:
    """One cloud as a target.

    :param provider: Terraform's name for it; the tables were written for ``version``.
    :param settings: what stands in the provider's own block.
    :param areas: tables by area; each area becomes a module.
    :param base: what every wave stands on, and ``outputs`` of it: name to role and attribute.
    :param untranslated: capabilities that Terraform cannot make there, with the reason and the remedy.
    """

    provider: str
    version: str
    settings: Mapping[str, Any]
    areas: Mapping[str, Mapping[str, Service]]
    base: Service
    outputs: Mapping[str, tuple[str, str]]
    variables: Mapping[str, Variable]
    untranslated: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def find(self, capability: str) -> tuple[str, Service] | None:
        """Return the area and service of a capability, or None."""
        for area, services in self.areas.items():
            if capability in services:
                return area, services[capability]
        return None


LABELS = Variable("map(string)", "What every resource is labelled with.", {})
PROTECT = Variable("bool", "Whether what holds data is kept from being destroyed.", default=False)
FOUNDATION = Variable("map(string)", "What the foundation tells: ids of network, key and identity.")
"""Variables of every target."""
