"""Walks an answer of a platform's API and tells every place that names something else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from heavylift.evidence.inventory_records import How, Reference
from heavylift.inventory.aws.policies import document_of, granted
from heavylift.inventory.scrub import VALUES_HIDDEN, is_secret
from heavylift.inventory.shapes import hosts, named
from heavylift.inventory.vocabulary import CONFIDENCE, Vocabulary

MAX_REFERENCES = 2000
"""Of one component; who has more is cut, and a finding tells."""

_WITH_HOSTS = frozenset({How.ENVIRONMENT, How.ARGUMENT, How.DEFINITION})
_STATIC = frozenset({How.ENVIRONMENT, How.ARGUMENT, How.TEXT})
_KEY_FIELD = re.compile(r"(?i)(kms|master|encryption).*key|^key(id|arn)$|^keyid$")
_UUID = re.compile(r"^(?:mrk-)?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$|^mrk-[0-9a-f]{32}$|^alias/\S+$")
_ALARM = re.compile(r"\b(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*[\"']?([^\"')]+)[\"']?\s*\)")
_LOW = 0.6
_STRUCTURED = frozenset({How.DEFINITION, How.ENVIRONMENT})
"""Where a text may be JSON, which is walked in its place."""


@dataclass(frozen=True)
class Holder:
    """The component whose answer is walked."""

    id: str
    native_type: str
    service: str
    region: str
    words: Vocabulary


@dataclass(frozen=True)
class _Place:
    """Where the walk is."""

    field: str
    leaf: str
    how: How

    def below(self, key: str, value: Any, modes: Mapping[str, How]) -> _Place:
        how = self.how
        if how in (How.API_FIELD, How.EVENT_SOURCE):
            lower = key.lower()
            how = How.ENVIRONMENT if lower in VALUES_HIDDEN else modes.get(lower, how)
            if how is How.ARGUMENT and isinstance(value, Mapping):
                how = self.how  # a description of the command, such as Glue's
        return _Place(f"{self.field}.{key}" if self.field else key, key, how)

    def item(self, index: int) -> _Place:
        return _Place(f"{self.field}[{index}]", self.leaf, self.how)


def references_of(holder: Holder, document: Mapping[str, Any]) -> list[Reference]:
    """Return what ``document`` names, each once; what names nothing but itself is left to the resolver.

    :param document: the answers about one component, plain JSON, not yet scrubbed.
    """
    found: dict[tuple[str, str, How], Reference] = {}
    for place, target, how, confidence, known in _every(holder, document):
        if target in (holder.id, "") or len(found) >= MAX_REFERENCES:
            continue
        relation = known or holder.words.relation_of(holder.native_type, place, target, how)
        found.setdefault(
            (target, relation, how),
            Reference(holder.id, place, target, relation, how, confidence),
        )
    return list(found.values())


def _every(holder: Holder, document: Mapping[str, Any]) -> Iterator[tuple[str, str, How, float, str]]:
    """Yield (field, target, how, confidence, relation or empty): links first, for they are the surest."""
    for link in holder.words.links(holder.id, holder.region, document):
        yield link.field, link.target, link.how, CONFIDENCE[link.how], link.relation
    for place, target, how, confidence in _walk(holder, document, _Place("", "", How.API_FIELD)):
        yield place.field, holder.words.read_as(holder.region, target), how, confidence, ""


_Found = tuple[_Place, str, How, float]


def _walk(holder: Holder, value: Any, place: _Place) -> Iterator[_Found]:
    if isinstance(value, Mapping):
        yield from _map(holder, value, place)
    elif isinstance(value, list):
        yield from _pairs_in_list(holder, value, place)
        for index, each in enumerate(value):
            yield from _walk(holder, each, place.item(index))
    elif isinstance(value, str) and value:
        yield from _string(holder, value, place)


def _map(holder: Holder, value: Mapping[str, Any], place: _Place) -> Iterator[_Found]:
    name, named_value = value.get("Name", value.get("name")), value.get("Value", value.get("value"))
    if isinstance(name, str) and isinstance(named_value, str):
        if place.leaf == "Dimensions" and name in holder.words.dimensions:
            yield _by_name(holder, place, holder.words.dimensions[name], named_value, How.API_NAME)
        yield from _variable(holder, name, named_value, place)
    for key, each in value.items():
        if str(key).startswith("_"):
            continue
        inner = place.below(str(key), each, holder.words.modes)
        policy = document_of(each) if holder.words.policies.search(str(key)) else None
        if policy is not None:
            for field, arn in granted(policy):
                yield (
                    _Place(f"{inner.field}.{field}", "", How.POLICY),
                    arn,
                    How.POLICY,
                    CONFIDENCE[How.POLICY],
                )
            continue
        if isinstance(each, str):
            yield from _variable(holder, str(key), each, inner)
        yield from _walk(holder, each, inner)


def _pairs_in_list(holder: Holder, value: list[Any], place: _Place) -> Iterator[_Found]:
    """Yield what a dashboard's metrics name: ``["AWS/SageMaker", "Invocations", "EndpointName", "x"]``."""
    if place.how is not How.DEFINITION:
        return
    value = _unfolded(value) if value and all(isinstance(each, list) for each in value) else [value]
    for row in value:
        yield from _named_in(holder, row, place)


def _named_in(holder: Holder, row: list[Any], place: _Place) -> Iterator[_Found]:
    for name, following in pairwise(row):
        if isinstance(name, str) and isinstance(following, str) and name in holder.words.dimensions:
            yield _by_name(holder, place, holder.words.dimensions[name], following, How.DEFINITION)


def _unfolded(rows: list[list[Any]]) -> list[list[Any]]:
    """Return a dashboard's metrics with what ``.`` and ``...`` take over from the row before."""
    made: list[list[Any]] = []
    before: list[Any] = []
    for row in rows:
        told = [each for each in row if isinstance(each, str)]
        if told[:1] == ["..."]:
            told = [*before[: max(0, len(before) - len(told) + 1)], *told[1:]]
        before = [
            before[place] if each == "." and place < len(before) else each for place, each in enumerate(told)
        ]
        made.append(before)
    return made


def _string(holder: Holder, value: str, place: _Place) -> Iterator[_Found]:
    if place.how in _STRUCTURED and value.lstrip()[:1] in ("{", "["):
        parsed = _parsed(value)
        if parsed is not None:
            yield from _walk(holder, parsed, place)
            return
    confidence = CONFIDENCE[place.how]
    for target in named(value, holder.words.shapes):
        typed = _typed(holder, target)
        yield place, typed, place.how, confidence
    if place.how in _WITH_HOSTS or "SelfManagedEventSource" in place.field:
        for host, connects in hosts(value):
            how = How.CONNECTION_STRING if connects and place.how is not How.EVENT_SOURCE else place.how
            yield place, host, how, CONFIDENCE[how]
    yield from _names(holder, value, place)


def _names(holder: Holder, value: str, place: _Place) -> Iterator[_Found]:
    if place.how in _STATIC or value.startswith(("arn:", "$")):
        return
    types = holder.words.names.get((holder.service, place.leaf))
    if types is not None:
        how = How.API_NAME if place.how is How.API_FIELD else place.how
        yield _by_name(holder, place, types, value, how)
    if holder.words.keys and _KEY_FIELD.search(place.leaf) and _UUID.match(value):
        yield _by_name(holder, place, "AWS::KMS::Key", value, How.API_NAME)
    if place.leaf == "AlarmRule":
        for found in _ALARM.finditer(value):
            if not found[1].startswith("arn:"):
                types = "AWS::CloudWatch::Alarm,AWS::CloudWatch::CompositeAlarm"
                yield _by_name(holder, place, types, found[1], How.DEFINITION)


def _variable(holder: Holder, name: str, value: str, place: _Place) -> Iterator[_Found]:
    """Yield what a variable names by its value alone, as its own name suggests."""
    if place.how is not How.ENVIRONMENT or ("/" in value.split("|")[0] and "secret" not in name.lower()):
        return
    if value.startswith(("arn:", "s3:")) or " " in value or is_secret(name):
        return  # a reference keeps what it names, so that a secret's value must never become one
    for pattern, types in holder.words.variables:
        if pattern.search(name):
            yield place, f"{types}|{holder.region}|{value}", How.ENVIRONMENT, _LOW
            return


def _by_name(holder: Holder, place: _Place, types: str, value: str, how: How) -> _Found:
    return place, f"{types}|{holder.region}|{value}", how, CONFIDENCE[how]


def _typed(holder: Holder, target: str) -> str:
    before = target.partition("-")[0]
    if before in holder.words.shapes and ":" not in target:
        return f"{holder.words.shapes[before]}|{holder.region}|{target}"
    return target


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
