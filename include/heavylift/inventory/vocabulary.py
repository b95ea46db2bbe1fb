"""Which fields of a platform's answers name what: data that the walk over an answer reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from heavylift.evidence.inventory_records import How
from heavylift.inventory.shapes import STORES

CONFIDENCE: dict[How, float] = {
    How.API_FIELD: 1.0,
    How.API_NAME: 1.0,
    How.EVENT_SOURCE: 1.0,
    How.DEFINITION: 0.95,
    How.CONNECTION_STRING: 0.9,
    How.LINEAGE: 0.9,
    How.ENVIRONMENT: 0.85,
    How.ARGUMENT: 0.85,
    How.POLICY: 0.8,
    How.TEXT: 0.5,
}
"""How sure a reference is, by how it was found; a judgement, not a measurement."""

BASIC_MODES: dict[str, How] = {
    **dict.fromkeys(("containerarguments", "containerentrypoint", "args", "command"), How.ARGUMENT),
    "definition": How.DEFINITION,
    **dict.fromkeys(("description", "comment", "tags"), How.TEXT),
}
"""Fields, in lower case, below which a reference was found otherwise than in a field of the API."""

WRITES = re.compile(r"(?i)output|destination|sink|log_?uri|artifact|target_?bucket|staging")
NEVER = re.compile(r"(?!)")


@dataclass(frozen=True)
class Link:
    """A place in an answer that names something, found by what is known of this platform.

    :param relation: empty leaves it to the vocabulary.
    """

    field: str
    target: str
    how: How = How.API_NAME
    relation: str = ""


def no_links(_id: str, _region: str, _document: Mapping[str, Any]) -> Iterator[Link]:
    """Find nothing beyond what the walk finds."""
    return iter(())


def as_it_is(_region: str, target: str) -> str:
    """Return what a text names, unchanged."""
    return target


RelationOf = Callable[[str, str, str, How], str]
"""(type of the component, field, target, how) → what the reference means."""


@dataclass(frozen=True)
class Vocabulary:
    """What the walk knows of one platform.

    :param names: (service of the component, field) → the types that the name in it can be of.
    :param dimensions: names of a metric's dimensions → the type of what they name.
    :param variables: names of variables whose value, alone, names a component.
    :param shapes: ids that tell their type by what stands before the dash.
    :param links: what else an answer names: (id, region, answer) → links.
    :param read_as: (region, what a text names) → what that means there, such as a host without a domain.
    """

    relation_of: RelationOf
    names: Mapping[tuple[str, str], str] = field(default_factory=dict)
    dimensions: Mapping[str, str] = field(default_factory=dict)
    variables: tuple[tuple[re.Pattern[str], str], ...] = ()
    shapes: Mapping[str, str] = field(default_factory=dict)
    modes: Mapping[str, How] = field(default_factory=lambda: BASIC_MODES)
    policies: re.Pattern[str] = NEVER
    keys: bool = False
    links: Callable[[str, str, Mapping[str, Any]], Iterator[Link]] = no_links
    read_as: Callable[[str, str], str] = as_it_is


def plain_relation(_type: str, field_: str, target: str, _how: How) -> str:
    """Return what a reference means where only its field and target tell."""
    if target.startswith("image:"):
        return "runs_image"
    if target.startswith(STORES):
        return "writes" if WRITES.search(field_) else "reads"
    return "uses"
