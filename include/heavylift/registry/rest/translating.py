"""Two servers whose things have other ids, seen alike: by what the target's tags say of their origin.

Nothing of the mover's is used but the names of its tags. What a server gives by itself (ids, times) is shown
as the source's values, which the tags hold: so those are compared, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from heavylift.errors import NotFoundError
from heavylift.registry.rest import spans
from heavylift.registry.rest.client import ONLY_PROMPTS, TrackingServer
from heavylift.registry.rest.tags import as_dictionary, tags_of
from heavylift.registry.rest.views import Raw, own_id
from heavylift.registry.selection import Selected
from heavylift.registry.uris import UriMap

_MARK = "heavylift."
_FROM = f"{_MARK}source."
_EARLIER = f"{_MARK}earlier."
ORIGIN = "origin"
"""A field that only those things show that stand within what came from the source, and did not themselves."""
_REFUSED = f"s3://{_FROM}refused/none"

_GIVEN: Mapping[str, tuple[str, ...]] = {
    "experiment": ("experiment_id", "creation_time", "last_update_time", "artifact_location"),
    "run": ("artifact_uri",),
    "logged model": ("creation_timestamp_ms", "last_updated_timestamp_ms", "artifact_uri", "creator_id"),
    "registered model": ("creation_timestamp", "last_updated_timestamp"),
    "model version": ("creation_timestamp", "last_updated_timestamp", "user_id"),
    "evaluation dataset": ("created_time", "last_update_time", "digest", "created_by", "last_updated_by"),
}
"""What the target gives anew; the tags tell what it was."""

_IGNORED: Mapping[str, tuple[str, ...]] = {
    "experiment": ("workspace",),
    "run": ("run_uuid", "experiment_id"),
    "logged model": ("experiment_id",),
    "trace": ("trace_location",),
    "registered model": ("latest_versions", "workspace"),
    "model version": ("workspace", "aliases", "model_metrics", "model_params", "status_message"),
    "scorer": ("scorer_id", "creation_time", "experiment_id"),
    "webhook": ("webhook_id", "creation_timestamp", "last_updated_timestamp", "status"),
    "evaluation dataset": ("schema", "profile"),
    "record": (
        "dataset_record_id",
        "dataset_id",
        "created_time",
        "last_update_time",
        "created_by",
        "last_updated_by",
    ),
}
"""What follows from something else that is compared, or is among the losses that are listed."""

_WITHIN_EXPERIMENTS = frozenset({"run", "logged model", "trace"})
"""These are asked for in experiments alone that came from the source."""

_SERVERS_OWN = spans.SERVERS_OWN | {"mlflow.runName", "mlflow.modelVersions", "mlflow.trace.infoFinalized"}
_REFERENCES = {
    "mlflow.parentRunId": "run",
    "mlflow.sourceRun": "run",
    "mlflow.assessment.sourceRunId": "run",
    "mlflow.modelId": "logged model",
    "mlflow.prompt.associatedRunIds": "run",
    "_mlflow_experiment_ids": "experiment",
}


@dataclass(frozen=True)
class Terms:
    """How a side's ids and names of tags become the source's.

    :param id: from a kind and the side's id.
    :param tag: from the key of a tag; None for the mover's own.
    """

    id: Callable[[str, str], str]
    tag: Callable[[str], str | None]


def _as_it_is(_kind: str, actual: str) -> str:
    return actual


def _source_tag(key: str) -> str | None:
    if key.startswith(_EARLIER):
        return _MARK + key.removeprefix(_EARLIER)
    return None if key.startswith(_MARK) else key


_SOURCE = Terms(_as_it_is, str)
_URIS = (("models:/m-", "logged model"), ("models:/", "registered model"), ("runs:/", "run"))


@dataclass
class SourceView:
    """The source's things, without what no target could show.

    :param webhooks: the names of those that were shown; ``experiments`` likewise.
    """

    webhooks: set[str] = field(default_factory=set)
    experiments: set[str] = field(default_factory=set)

    def thing(self, kind: str, raw: Raw) -> tuple[str, Raw] | None:
        """Return a thing's id and what can be compared of it."""
        if kind == "webhook":
            self.webhooks.add(str(raw["name"]))
        if kind == "experiment":
            self.experiments.add(str(raw["name"]))
        if raw.get("status") and kind == "model version":
            # Another one no interface gives to a version: a loss that is listed.
            raw = {**raw, "status": "READY"}
        return _shown_id(kind, raw), _plain(kind, raw, _SOURCE)

    def actual(self, _kind: str, shown: str) -> str:
        """Return the id itself."""
        return shown


@dataclass
class TargetView:
    """The target's things, in the source's terms.

    :param registry: under which name the move is known.
    :param source: knows the webhooks' names, which have no tags.
    :param uris: the map of prefixes, target to source.
    :param selected: what of the source moves, where that is not all.
    """

    registry: str
    source: SourceView
    uris: UriMap
    origins: dict[tuple[str, str], str] = field(default_factory=dict)
    ids: dict[tuple[str, str], str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    selected: Selected | None = None

    async def learn(self, server: TrackingServer) -> None:
        """Read which experiments, runs, logged models and registered models come from where."""
        api = "api/2.0/mlflow"
        query: dict[str, Any] = {"view_type": "ALL", "max_results": 1000}
        async for page in server.pages(f"{api}/experiments/search", "experiments", query, post=True):
            self._learn("experiment", page)
        for _, experiment in list(self.origins):
            query = {"experiment_ids": [experiment], "run_view_type": "ALL", "max_results": 1000}
            async for page in server.pages(f"{api}/runs/search", "runs", query, post=True):
                self._learn("run", page)
            await self._learn_models(server, experiment)
        for more in ({}, {"filter": ONLY_PROMPTS}):
            query = {"max_results": 1000, **more}
            async for page in server.pages(f"{api}/registered-models/search", "registered_models", query):
                self._learn("registered model", page)

    async def _learn_models(self, server: TrackingServer, experiment: str) -> None:
        query = {"experiment_ids": [experiment], "max_results": 50}
        try:
            async for page in server.pages("api/2.0/mlflow/logged-models/search", "models", query, post=True):
                self._learn("logged model", page)
        except NotFoundError:
            # Not every server has them; the comparison then tells that they are unread.
            return

    def _learn(self, kind: str, page: Iterable[Raw]) -> None:
        for raw in page:
            tags = tags_of(raw)
            origin = self._origin(tags)
            if origin is None:
                continue
            actual = own_id(kind, raw)
            self.origins[kind, actual] = origin
            self.ids.setdefault((kind, origin), actual)
            place, was = (
                str(raw.get("info", {}).get("artifact_uri", "")),
                tags.get(f"{_FROM}artifact_uri", ""),
            )
            if place and was:
                self.places[place.rstrip("/")] = was.rstrip("/")

    def _origin(self, tags: Mapping[str, str]) -> str | None:
        if tags.get(f"{_FROM}registry") != self.registry or f"{_MARK}duplicate" in tags:
            return None
        return tags.get(f"{_FROM}id")

    def thing(self, kind: str, raw: Raw) -> tuple[str, Raw] | None:
        """Return the id that a thing has on the source, and what can be compared of it."""
        if kind in {"webhook", "record", "scorer"}:
            # These have no tags: they are known by what they say, or by what they belong to.
            if kind == "webhook" and raw["name"] not in self.source.webhooks:
                return None
            if kind == "scorer":
                raw = {**raw, "experiment_id": self._back("experiment", str(raw["experiment_id"]))}
            return _shown_id(kind, raw), _plain(kind, raw, self._terms)
        tags = tags_of(raw)
        origin = self._origin(tags)
        if origin is None:
            return self._stranger(kind, raw, tags)
        if self.selected is not None and self.selected.leaves_out(kind, origin):
            # It came when more was chosen, and stays.
            return None
        self.ids.setdefault((kind, origin), own_id(kind, raw))
        return origin, _plain(kind, self._with_origin(kind, raw, origin, tags), self._terms)

    def _stranger(self, kind: str, raw: Raw, tags: Mapping[str, str]) -> tuple[str, Raw] | None:
        """Return what did not come from the source, where it stands within what did: one too many."""
        own = own_id(kind, raw)
        if kind == "model version":
            model = self.origins.get(("registered model", str(raw["name"])))
            if model is None:
                return None
            own = f"{model}/{raw['version']}"
        elif kind not in _WITHIN_EXPERIMENTS or f"{_MARK}duplicate" in tags:
            # Experiments and models of others are theirs.
            return None
        # Traces keep their ids: one that lost the tags of its origin differs in this.
        return own, {**_plain(kind, raw, self._terms), ORIGIN: "untold"}

    def actual(self, kind: str, shown: str) -> str:
        """Return the target's own id of what has an id on the source."""
        return self.ids.get((kind, shown), shown)

    @property
    def _terms(self) -> Terms:
        return Terms(self._back, _source_tag)

    def _back(self, kind: str, actual: str) -> str:
        return self.origins.get((kind, actual), actual)

    def _with_origin(self, kind: str, raw: Raw, origin: str, tags: Mapping[str, str]) -> Raw:
        """Return a thing with what its tags say in place of what the target gave it."""
        shown = {**raw, "info": dict(raw["info"])} if "info" in raw else dict(raw)
        inner = shown.get("info", shown)
        for name in _GIVEN.get(kind, ()):
            inner.pop(name, None)
            if f"{_FROM}{name}" in tags:
                inner[name] = tags[f"{_FROM}{name}"]
        inner |= {
            "experiment": lambda: {
                "experiment_id": origin,
                "name": self._experiment_name(str(inner["name"])),
            },
            "run": lambda: {"run_id": origin},
            "logged model": lambda: {"model_id": origin},
            "registered model": lambda: {"name": origin},
            "evaluation dataset": lambda: {"dataset_id": origin},
            "model version": lambda: {
                "name": origin.rpartition("/")[0],
                "source": self._source_place(str(inner.get("source", "")), tags),
            },
        }.get(kind, dict)()
        if kind == "run" and f"{_FROM}run_name" in tags:
            # It has no name there, and here one that the server gave: a loss that is listed.
            inner["run_name"] = ""
        if kind == "run" and "inputs" in shown:
            shown["inputs"] = json.loads(self._within(json.dumps(shown["inputs"])))
        return shown

    def _experiment_name(self, name: str) -> str:
        return name if name in self.source.experiments else name.removesuffix(f" ({self.registry})")

    def _within(self, text: str) -> str:
        # A dataset's source is JSON within JSON.
        for target, source in self.uris.changing:
            for end in ("/", '\\"'):
                text = text.replace(f'\\"{target}{end}', f'\\"{source}{end}')
        return text

    def _source_place(self, uri: str, tags: Mapping[str, str]) -> str:
        if uri == _REFUSED:
            # A loss that is listed; the tag must tell it none the less.
            return tags.get(f"{_FROM}source", uri)
        for prefix, kind in (
            ("models:/m-", "logged model"),
            ("models:/", "registered model"),
            ("runs:/", "run"),
        ):
            if uri.startswith(prefix):
                start = prefix.removesuffix("m-")
                name, slash, rest = uri.removeprefix(start).partition("/")
                return f"{start}{self._back(kind, name)}{slash}{rest}"
        for place, was in self._places_above(uri):
            return was + uri[len(place) :]
        return self.uris.of(uri)

    def _places_above(self, uri: str) -> Iterator[tuple[str, str]]:
        parts = uri.split("/")
        for length in range(len(parts), 0, -1):
            place = "/".join(parts[:length])
            if place in self.places:
                yield place, self.places[place]


def _shown_id(kind: str, raw: Raw) -> str:
    if kind == "webhook":
        return str(raw["name"])
    if kind == "record":
        return json.dumps(raw.get("inputs", {}), sort_keys=True)
    return own_id(kind, raw)


def _plain(kind: str, raw: Raw, terms: Terms) -> Raw:
    """Return what is compared of a thing, the same for equal things of both sides."""
    shown = {**raw, "info": dict(raw["info"])} if "info" in raw else dict(raw)
    inner = shown.get("info", shown)
    for name in _IGNORED.get(kind, ()):
        inner.pop(name, None)
    if kind == "run":
        inner.setdefault("run_name", "")
    for name in _GIVEN.get(kind, ()):
        if inner.get(name):
            # Numbers come as numbers or as texts, tags always as texts.
            inner[name] = str(inner[name]).rstrip("/")
    if "metrics" in shown.get("data", {}) and kind == "run":
        # What else a metric belongs to is told by the logged models.
        points = [
            {name: each.get(name) for name in ("key", "value", "timestamp", "step")}
            for each in shown["data"]["metrics"]
        ]
        shown["data"] = {**shown["data"], "metrics": points}
    found = _translated(shown, terms)
    return dict(found) if isinstance(found, dict) else {}


def _translated(value: Any, terms: Terms, name: str = "") -> Any:
    """Return a value with every id in it as the source's, and tags without the mover's."""
    if name in {"tags", "trace_metadata", "metadata"}:
        return _compared_tags(value, terms)
    if name in {"run_id", "source_run_id"}:
        return terms.id("run", str(value))
    if name == "model_id":
        return terms.id("logged model", str(value))
    if name == "experiment_ids":
        return [terms.id("experiment", str(each)) for each in value]
    if isinstance(value, dict):
        return {key: _translated(each, terms, str(key)) for key, each in value.items()}
    if isinstance(value, list):
        return [_translated(each, terms) for each in value]
    return value


def _compared_tags(tags: Any, terms: Terms) -> dict[str, str]:
    found = {}
    for key, value in as_dictionary(tags).items():
        shown = terms.tag(key)
        if shown is None or key in _SERVERS_OWN:
            continue
        kind = _REFERENCES.get(key)
        found[shown] = value if kind is None else ",".join(terms.id(kind, each) for each in value.split(","))
    return found
