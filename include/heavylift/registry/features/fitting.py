"""What of a view a feature store can hold, and what is lost: pure, and known before anything moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from heavylift.evidence.registry_records import RegistryLoss
from heavylift.registry.catalogues.leaves import Leaves, leaves_of
from heavylift.registry.catalogues.marks import COUNT
from heavylift.registry.features.capabilities import FeatureCapabilities
from heavylift.registry.features.description import Feature, View
from heavylift.registry.uris import UriMap

_EXAMPLES = 5
Told = Iterator[tuple[str, str]]
"""What is lost, and why."""
VIEW = "feature view"
READ = "parquet"
"""The format of histories that is read."""


@dataclass(frozen=True)
class Lost:
    """Something of one view that the target cannot hold as it is."""

    item: str
    reason: str
    id: str


@dataclass(frozen=True)
class FittedView:
    """A view as the target can hold it.

    :param impossible: why it cannot be held at all; empty where it can.
    :param unmapped: no prefix tells where its history goes.
    """

    view: View
    lost: tuple[Lost, ...] = ()
    impossible: str = ""
    unmapped: bool = False

    @property
    def leaves(self) -> Leaves:
        """What reading it there should yield."""
        return leaves_of(self.view)


def fit_view(
    view: View, source: FeatureCapabilities, target: FeatureCapabilities, uris: UriMap
) -> FittedView:
    """Return a view as the target can hold it, with what is lost of it."""
    lost = [
        *_meanings(view, source, target),
        *(Lost(item, reason, f"{view.name}/{name}") for name, item, reason in _of_features(view, target)),
        *_of_metadata(view, target),
    ]
    features = {
        name: replace(
            each,
            type=target.types.get(each.type, each.type),
            description="" if _description_lost(each, target) else each.description,
            tags=_kept_tags(each, target),
        )
        for name, each in view.features.items()
    }
    there = _place(view, target, uris)
    fitted = replace(
        view,
        features=features,
        key_types={name: target.types.get(kind, kind) for name, kind in view.key_types.items()},
        entities=_entities(view) if target.entities else (),
        offline=there,
        offline_format=READ if view.offline else "",
        online="" if target.unserved else view.online,
        ttl_seconds=str(_ttl(view, target) or ""),
        description="" if target.description.wrong(view.description) else view.description,
        owner=view.owner if target.owner else "",
        metadata=_kept_metadata(view, target),
    )
    covered = not view.offline or uris.covers(view.offline)
    return FittedView(fitted, tuple(lost), _impossible(view, fitted, target), unmapped=not covered)


def told(fitted: list[FittedView]) -> tuple[RegistryLoss, ...]:
    """Return what is lost, each sort of it once, with counts and examples."""
    groups: dict[tuple[str, str], list[str]] = {}
    for each in (lost for view in fitted for lost in view.lost):
        groups.setdefault((each.item, each.reason), []).append(each.id)
    return tuple(
        RegistryLoss(what=VIEW, item=item, reason=reason, count=len(ids), examples=tuple(ids[:_EXAMPLES]))
        for (item, reason), ids in groups.items()
    )


def _meanings(view: View, source: FeatureCapabilities, target: FeatureCapabilities) -> Iterator[Lost]:
    for item, reason in (
        *_of_rows(view, source, target),
        *_of_ttl(view, source, target),
        *_of_entities(view, target),
    ):
        yield Lost(item, reason, view.name)
    if bad := target.description.wrong(view.description) if view.description else "":
        yield Lost("description", bad, view.name)
    if view.owner and not target.owner:
        yield Lost("owner", "no place for it there", view.name)


def _of_rows(
    view: View, source: FeatureCapabilities, target: FeatureCapabilities
) -> Iterator[tuple[str, str]]:
    if source.tombstones and not target.tombstones and view.offline:
        yield "deletions in the history", "rows that delete a key are left out there"
    if target.whole_lists and any(each.type.startswith("list<") for each in view.features.values()):
        yield "lists that are null", "they become empty there"
    if view.online and target.unserved:
        yield "online", target.unserved
    elif target.serves_history and view.online and (source.tombstones or view.ttl):
        yield (
            "online rows",
            "they come from a table of their own, made anew by each copy, and do not follow the history",
        )


def _of_ttl(
    view: View, source: FeatureCapabilities, target: FeatureCapabilities
) -> Iterator[tuple[str, str]]:
    if view.ttl and not target.ttl:
        yield "ttl_seconds", "rows are served there however old they grow"
    elif view.ttl and source.ttl_joins != target.ttl_joins:
        where = "there" if target.ttl_joins else "on the source only"
        yield "ttl_seconds", f"it bounds joins with the history, too, {where}"
    if target.ttl and _ttl(view, target) != view.ttl:
        yield "ttl_seconds", f"it is counted in steps of {target.ttl_step} seconds there"


def _of_entities(view: View, target: FeatureCapabilities) -> Told:
    if view.entities and not target.entities:
        yield "entities", "no place for their names there"
    elif view.entities and len(view.entities) != len(view.keys):
        yield "entities", "each key becomes one of its own there"


def _ttl(view: View, target: FeatureCapabilities) -> int:
    """Return the time to live as the target counts it, rounded up."""
    return -(-view.ttl // target.ttl_step) * target.ttl_step if target.ttl else 0


def _entities(view: View) -> tuple[str, ...]:
    return view.entities if len(view.entities) == len(view.keys) else view.keys


def _of_features(view: View, target: FeatureCapabilities) -> Iterator[tuple[str, str, str]]:
    for name, kind in view.key_types.items():
        if (becomes := target.types.get(kind, kind)) != kind:
            yield name, f"type {kind}", f"becomes {becomes}"
    for name, each in view.features.items():
        yield from ((name, item, reason) for item, reason in _of_feature(each, target))


def _of_feature(each: Feature, target: FeatureCapabilities) -> Iterator[tuple[str, str]]:
    becomes = target.types.get(each.type, each.type)
    if becomes != each.type:
        yield f"type {each.type}", f"becomes {becomes}"
    if bad := _description_lost(each, target):
        yield "description of a feature", bad
    if each.tags and not target.feature_tags:
        yield "tags of a feature", "no place for them there"
    elif len(_kept_tags(each, target)) < len(each.tags):
        yield "tags of a feature", "keys, values or a number of them that are not taken there"


def _description_lost(each: Feature, target: FeatureCapabilities) -> str:
    """Return why a feature's description has no place there; empty where it has, or there is none."""
    if not each.description:
        return ""
    if not target.feature_descriptions:
        return "no place for it there"
    return target.feature_description.wrong(each.description)


def _kept_tags(each: Feature, target: FeatureCapabilities) -> dict[str, str]:
    if not target.feature_tags:
        return {}
    pairs = target.feature_pairs
    taken = {key: value for key, value in each.tags.items() if not pairs.wrong(key, value)}
    return dict(list(taken.items())[: pairs.most or len(taken)])


def _place(view: View, target: FeatureCapabilities, uris: UriMap) -> str:
    """Return where the history goes: what the prefixes say, or the table of the view's name there."""
    there = uris.of(view.offline)
    if not target.tables or not there.startswith("bq://"):
        return there
    return "/".join([*there.split("/")[:4], view.name])


def _of_metadata(view: View, target: FeatureCapabilities) -> Iterator[Lost]:
    kept = _kept_metadata(view, target)
    for key, value in view.metadata.items():
        if key not in kept:
            reason = target.pairs.wrong(key, value) or f"at most {target.pairs.most} tags there"
            yield Lost(f"metadata/{key}", reason, view.name)


def _kept_metadata(view: View, target: FeatureCapabilities) -> dict[str, str]:
    taken = {key: value for key, value in view.metadata.items() if not target.pairs.wrong(key, value)}
    room = target.pairs.most - COUNT if target.pairs.most else len(taken)
    return dict(list(taken.items())[: max(room, 0)])


def _impossible(view: View, fitted: View, target: FeatureCapabilities) -> str:
    """Return why a view cannot be held there; empty where it can."""
    if not view.keys:
        return "it has no key"
    if view.offline_format and view.offline_format != READ:
        # The files of such a table hold rows that are superseded, too.
        return f"its history is a table of format {view.offline_format}, and only {READ} files are read"
    if target.most_keys and len(view.keys) > target.most_keys:
        return f"it has {len(view.keys)} keys, and at most {target.most_keys} can be held"
    if wrong := _wrong_column(view, fitted, target):
        return wrong
    if bad := target.names.wrong(view.name):
        return f"the name {view.name!r}: {bad}"
    if target.schemes and fitted.offline and fitted.offline.partition(":")[0] not in target.schemes:
        return f"its history would lie at {fitted.offline}, and only {', '.join(target.schemes)} is read"
    return ""


def _wrong_column(view: View, fitted: View, target: FeatureCapabilities) -> str:
    """Return which column cannot be held, and why; empty where all can."""
    if target.most_features and len(view.columns) + 1 > target.most_features:
        return f"it has {len(view.columns) + 1} columns, and at most {target.most_features} can be held"
    if target.time_is_feature and (bad := target.names.wrong(view.event_time)):
        return f"the name {view.event_time!r}: {bad}"
    for name, kind in view.columns.items():
        if kind not in target.types:
            return f"{name} is of type {kind}, which cannot be held"
        if bad := target.names.wrong(name):
            return f"the name {name!r}: {bad}"
    for name, kind in fitted.key_types.items():
        if target.key_types and kind not in target.key_types:
            return f"the key {name} is of type {view.key_types[name]}, which no key can have"
    return ""
