"""What a feature store can hold, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from heavylift.registry.catalogues.capabilities import ANY, Pairs, Rule


@dataclass(frozen=True)
class FeatureCapabilities:
    """What a feature store can hold.

    :param platform: its name, as marks and records tell it.
    :param types: what each type becomes there; one that is missing cannot be held at all.
    :param names: what names of views, keys and features may be.
    :param entities: it names what keys identify.
    :param most_keys: identifiers that a view may have; 0 means no limit.
    :param schemes: of the URIs of histories that it reads.
    :param tombstones: its history keeps deletions.
    :param ttl_joins: the time to live bounds joins with the history, too.
    """

    platform: str
    types: Mapping[str, str] = field(default_factory=dict)
    names: Rule = ANY
    entities: bool = False
    most_keys: int = 0
    schemes: tuple[str, ...] = ()
    tombstones: bool = False
    ttl_joins: bool = False
    feature_descriptions: bool = True
    feature_tags: bool = True
    owner: bool = True
    writes: bool = True
    pairs: Pairs = field(default_factory=Pairs)
