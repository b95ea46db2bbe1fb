"""What the walk knows of servers that are asked through their own protocols."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from heavylift.evidence.inventory_records import How
from heavylift.inventory.vocabulary import Link, Vocabulary, plain_relation

LINKS = "_links"
"""Where an answer holds what its plane found to be named: a list of field, target and relation."""


def link(field: str, target: str, relation: str) -> dict[str, str]:
    """Return one entry of :data:`LINKS`."""
    return {"field": field, "target": target, "relation": relation}


def _links(_id: str, _region: str, document: Mapping[str, Any]) -> Iterator[Link]:
    for each in document.get(LINKS) or ():
        yield Link(each["field"], each["target"], How.API_FIELD, each["relation"])


WORDS = Vocabulary(relation_of=plain_relation, links=_links)
"""The planes themselves tell what is named; the walk adds URIs."""
