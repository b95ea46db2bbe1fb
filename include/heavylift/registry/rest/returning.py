"""Two servers between which things have gone before the other way: what is a copy of what is told by marks.

A thing that came from the target bears marks on the source, and none on the target, where it was at home.
So the source is seen without those marks, and the target as if its own things bore the marks of copies.
Whoever looks then needs to know nothing of the way that they took.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from heavylift.errors import NotFoundError
from heavylift.registry.rest.client import ONLY_PROMPTS, TrackingServer
from heavylift.registry.rest.older import trace_pages
from heavylift.registry.rest.tags import seen, tags_of, with_tags
from heavylift.registry.rest.views import Raw, own_id

_MARK = "heavylift."
_FROM = f"{_MARK}source."
_ID, _REGISTRY, _NOTED = f"{_FROM}id", f"{_FROM}registry", f"{_FROM}noted"
_UPDATED = f"{_FROM}last_update_time"
_DUPLICATE = f"{_MARK}duplicate"
_REFUSED = f"s3://{_FROM}refused/none"
_V2, _V3 = "api/2.0/mlflow", "api/3.0/mlflow"
_EVERY_SERVER_HAS = "0"
"""The experiment that a server makes by itself, before any move."""

_FACTS: Mapping[str, tuple[str, ...]] = {
    "experiment": ("creation_time", "last_update_time", "artifact_location"),
    "run": ("artifact_uri",),
    "logged model": ("creation_timestamp_ms", "last_updated_timestamp_ms", "artifact_uri", "creator_id"),
    "registered model": ("creation_timestamp", "last_updated_timestamp"),
    "model version": ("creation_timestamp", "last_updated_timestamp", "user_id", "run_id", "source"),
    "evaluation dataset": ("created_time", "last_update_time", "digest", "created_by", "last_updated_by"),
}
"""What a copy's marks tell of its origin."""

_CHANGES: Mapping[str, tuple[str, ...]] = {
    "experiment": ("last_update_time",),
    "logged model": ("last_updated_timestamp_ms",),
    "registered model": ("last_updated_timestamp",),
    "model version": ("last_updated_timestamp",),
    "evaluation dataset": ("last_update_time", "digest", "last_updated_by"),
}
"""What each way changes on its target by writing there, so that the other one need not note it."""

_MADE = {
    "experiment": "creation_time",
    "registered model": "creation_timestamp",
    "evaluation dataset": "created_time",
}

Tags = dict[str, str]
Thing = tuple[str, str]
"""A kind and an id."""
Unite = Callable[[Mapping[str, str], Mapping[str, str]], Tags]


@dataclass
class Marks:
    """What the source's things say of the way that they have come.

    :param ours: the registry's name on this way.
    :param theirs: its name on the other one.
    :param unite: returns the tags that note what two sides' notes do; None for who only compares.
    :param copies: what each thing of the target is to be shown with, since the source has a copy of it.
    :param notes: what is noted on things of the source.
    :param changes: what a thing of the source tells of its last change.
    :param asleep: ids of the source's experiments that are deleted.
    :param strangers: things of the source that were there before the first of ours, and are not ours.
    """

    ours: str
    theirs: str
    unite: Unite | None = None
    copies: dict[Thing, Tags] = field(default_factory=dict)
    notes: dict[Thing, Tags] = field(default_factory=dict)
    changes: dict[Thing, Tags] = field(default_factory=dict)
    asleep: set[str] = field(default_factory=set)
    strangers: set[Thing] = field(default_factory=set)

    def take(self, kind: str, raw: Raw) -> bool:
        """Take in one thing of the source; tell whether it came from the target."""
        tags, own = tags_of(raw), own_id(kind, raw)
        noted = _notes_in(tags)
        if noted:
            self.notes[kind, own] = noted
        if raw.get("lifecycle_stage") == "deleted":
            self.asleep.add(own)
        self.changes[kind, own] = _told(raw, _CHANGES.get(kind, ()))
        origin = tags.get(_ID, "")
        if tags.get(_REGISTRY) != self.theirs or _DUPLICATE in tags or not _fits(kind, origin, own):
            return False
        if not noted:
            # The other way was killed at it: less than its origin, and nothing of it goes back.
            self.strangers.add((kind, own))
            return False
        facts = _told(self.of_source(kind, raw) or raw, _FACTS.get(kind, ()))
        self.copies[kind, origin] = {_ID: own, _REGISTRY: self.ours, **facts, **noted}
        return True

    def of_source(self, kind: str, raw: Raw) -> Raw | None:
        """Return a thing of the source as it would be if it had not come from the target."""
        tags, own = tags_of(raw), own_id(kind, raw)
        model = ("registered model", own.rpartition("/")[0]) if kind == "model version" else None
        if (kind, own) in self.strangers or model in self.strangers:
            return None
        # What says nothing of where it came from may have tags of a conversion, and notes of this way only.
        ours = _MARK if _REGISTRY in tags else _FROM
        left = {key: value for key, value in tags.items() if not key.startswith(ours)}
        if len(left) == len(tags) or tags.get(_REGISTRY, self.theirs) != self.theirs:
            return raw
        found = with_tags(kind, raw, left)
        return _at_home(kind, found, tags, self.theirs) if _REGISTRY in tags else found

    def of_target(self, kind: str, raw: Raw) -> Raw:
        """Return a thing of the target with the marks of a copy, where the source has one of it."""
        tags, own = tags_of(raw), own_id(kind, raw)
        if tags.get(_REGISTRY) == self.ours:
            return self._marked(kind, raw, tags)
        copy = self.copies.get((kind, own))
        if copy is None:
            return raw
        # Marks of moves that filled this side once are not seen on the source either.
        plain = {key: value for key, value in tags.items() if not key.startswith(_MARK)}
        if self._asks_for_records(kind):
            copy = {key: value for key, value in copy.items() if key != _UPDATED}
            copy |= {key: value for key, value in tags.items() if key == _UPDATED}
        return self._with(kind, raw, plain | copy, _notes_in(tags))

    def _marked(self, kind: str, raw: Raw, tags: Tags) -> Raw:
        origin = (kind, tags.get(_ID, ""))
        changes = self.changes.get(origin, {})
        if self._asks_for_records(kind):
            changes = {key: value for key, value in changes.items() if key != _UPDATED}
        # What has no note was not finished, whatever the other side notes.
        return self._with(kind, raw, tags | changes, self.notes.get(origin, {}) if _notes_in(tags) else {})

    def _asks_for_records(self, kind: str) -> bool:
        """Tell whether a mover looks at it: by its change it knows which records there are already."""
        return self.unite is not None and kind == "evaluation dataset"

    def _with(self, kind: str, raw: Raw, tags: Tags, noted: Tags) -> Raw:
        if self.unite is None:
            return with_tags(kind, raw, tags)
        rest = {key: value for key, value in tags.items() if not key.startswith(_NOTED)}
        return with_tags(kind, raw, rest | self.unite(tags, noted))


def _told(raw: Raw, names: tuple[str, ...]) -> Tags:
    """Return what a thing tells under some names, as marks."""
    inner = raw.get("info", raw)
    return {_FROM + name: str(inner[name]) for name in names if inner.get(name) not in (None, "")}


def _notes_in(tags: Mapping[str, str]) -> Tags:
    return {key: value for key, value in tags.items() if key.startswith(_NOTED)}


def _fits(kind: str, origin: str, own: str) -> bool:
    if kind == "model version":
        # What only stood for a gap was no version.
        return origin.rpartition("/")[2] == own.rpartition("/")[2] and "/" in origin
    return bool(origin)


def _at_home(kind: str, raw: Raw, tags: Mapping[str, str], registry: str) -> Raw:
    """Return a thing with what the other way could not carry, and noted."""
    if kind == "run" and f"{_FROM}run_name" in tags:
        return {**raw, "info": {**raw["info"], "run_name": ""}}
    if kind == "model version" and raw.get("source") == _REFUSED:
        return {**raw, "source": tags.get(f"{_FROM}source", _REFUSED)}
    if kind == "experiment":
        return {**raw, "name": str(raw["name"]).removesuffix(f" ({registry})")}
    return raw


async def look_both_ways(source: TrackingServer, target: TrackingServer, marks: Marks, *, back: bool) -> bool:
    """Let both servers be seen as they are without the other way; tell whether anything has taken it.

    :param back: what was on the source before the first of ours, and is not ours, is not seen.
    """
    if not await _read(source, marks, back=back):
        return False
    source.lens = lambda answer: seen(answer, marks.of_source)
    target.lens = lambda answer: seen(answer, marks.of_target)
    return True


async def _read(server: TrackingServer, marks: Marks, *, back: bool) -> bool:
    """Read all marks of a server; nothing further where no experiment has any."""
    others: list[tuple[str, Raw]] = []
    ours: list[tuple[str, Raw]] = []

    async def take(kind: str, pages: AsyncIterator[list[Raw]]) -> None:
        async for page in _as_far_as_there_are(pages):
            for raw in page:
                (ours if marks.take(kind, raw) else others).append((kind, raw))

    query: dict[str, Any] = {"view_type": "ALL", "max_results": 1000}
    await take("experiment", server.pages(f"{_V2}/experiments/search", "experiments", query, post=True))
    if not ours:
        return False
    skipped = _earlier(ours, others) if back else set()
    # One without a mark may hold what has come: it was asleep when it would have been marked.
    for _, experiment in {(kind, own_id(kind, raw)) for kind, raw in [*ours, *others]} - skipped:
        await _within(server, marks, experiment)
    for more in ({}, {"filter": ONLY_PROMPTS}):
        asked = {"max_results": 1000, **more}
        path = f"{_V2}/registered-models/search"
        await take("registered model", server.pages(path, "registered_models", asked))
        async for page in _as_far_as_there_are(
            server.pages(f"{_V2}/model-versions/search", "model_versions", asked)
        ):
            for raw in page:
                marks.take("model version", raw)
    datasets = f"{_V3}/datasets/search"
    await take("evaluation dataset", server.pages(datasets, "datasets", {"max_results": 50}, post=True))
    if back:
        marks.strangers |= _earlier(ours, others)
    return True


def _earlier(ours: list[tuple[str, Raw]], others: list[tuple[str, Raw]]) -> set[Thing]:
    """Return what others had made before the first thing of ours was."""
    made = [
        int(raw.get(_MADE[kind]) or 0)
        for kind, raw in ours
        if (kind, own_id(kind, raw)) != ("experiment", _EVERY_SERVER_HAS)
    ]
    first = min(made, default=0)
    return {(kind, own_id(kind, raw)) for kind, raw in others if int(raw.get(_MADE[kind]) or 0) < first}


async def _within(server: TrackingServer, marks: Marks, experiment: str) -> None:
    runs = {"experiment_ids": [experiment], "run_view_type": "ALL", "max_results": 1000}
    models = {"experiment_ids": [experiment], "max_results": 50}
    for kind, pages in (
        ("run", server.pages(f"{_V2}/runs/search", "runs", runs, post=True)),
        ("logged model", server.pages(f"{_V2}/logged-models/search", "models", models, post=True)),
        ("trace", trace_pages(server, experiment)),
    ):
        async for page in _as_far_as_there_are(pages):
            for raw in page:
                marks.take(kind, raw)


async def _as_far_as_there_are(pages: AsyncIterator[list[Raw]]) -> AsyncIterator[list[Raw]]:
    """Yield pages; none where a server has no such route."""
    try:
        async for page in pages:
            yield page
    except NotFoundError:
        return
