"""Traces: with their own ids, spans and assessments, which the interface takes as they are."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from heavylift.errors import IncompleteError, NotFoundError, ServerUnavailableError, UnsupportedError
from heavylift.registry.interface import names
from heavylift.registry.interface.artifacts import Place, route_for
from heavylift.registry.interface.attachments import attachments_due, move_attachments
from heavylift.registry.interface.context import Context, optional
from heavylift.registry.interface.links import SORT as LINKS
from heavylift.registry.interface.links import move_links, runs_to_look_at
from heavylift.registry.interface.merging import Merge, note, noted
from heavylift.registry.interface.names import to_target
from heavylift.registry.interface.runs import Runs
from heavylift.registry.interface.server import segment
from heavylift.registry.rest.artifacts import Owner
from heavylift.registry.rest.client import TrackingServer
from heavylift.registry.rest.older import trace_pages
from heavylift.registry.rest.spans import LOCATION, SERVERS_OWN, Spans, spans_of

_API = "api/3.0/mlflow/traces"
_SPANS = "v1/traces"
SORT = "traces"
ROUTE = "traces/search"
_AT_ONCE = 50
_ASSESSMENT = "\0assessment "
_FILE = "traces.json"
SPAN_FILES = "files of spans"
_RUN_KEYS = ("mlflow.sourceRun",)
_MODEL_KEYS = ("mlflow.modelId",)
_ASSESSED_BY_RUN = "mlflow.assessment.sourceRunId"


@dataclass
class _There:
    tags: Mapping[str, str]
    fields: Mapping[str, str]
    also: Mapping[str, str]


@dataclass
class Traces:
    """The traces of one experiment."""

    context: Context
    runs: Runs
    there: dict[str, _There] = field(default_factory=dict)

    async def move(self, looked_at: Iterable[str] = ()) -> None:
        """Write what is missing, and bring the rest up to date.

        :param looked_at: runs that have changed.
        """
        context, experiment = self.context, self.runs.experiment
        left = set()
        if not experiment.fresh:
            await self._index()
            left = set(self.there)
        infos = await self._infos()
        if infos is None:
            return
        context.tally.found(SORT, len(infos))
        written = 0
        for start in range(0, len(infos), _AT_ONCE):
            context.tell(f"traces of experiment {experiment.id}")
            written += await self._group(infos[start : start + _AT_ONCE])
        if infos:
            due = runs_to_look_at(context, self.runs, looked_at, every=written > 0)
            linked = partial(move_links, context, self.runs, due)
            await context.guarded(LINKS, experiment.id, linked)
        await self._gone(left - {str(info["trace_id"]) for info in infos})

    async def _infos(self) -> list[dict[str, Any]] | None:
        """Return the source's traces; None where its server fails on one of them, and is there otherwise."""
        context, experiment = self.context, self.runs.experiment.id
        try:
            return await optional(trace_infos(context.source, experiment), context.tally, f"source {ROUTE}")
        except ServerUnavailableError as error:
            # A server that is away fails here, too, and ends the run.
            await context.source.get("api/2.0/mlflow/experiments/get", {"experiment_id": experiment})
            reason = (
                f"{error.what}: {error.got}: the server fails on one of them, so on no account are they all"
                " there; mend what it cannot read (a time beyond the calendar, say)"
            )
            context.tally.failed(SORT, f"those of experiment {experiment}", reason, f"HL-{error.code}")
            return None

    async def _index(self) -> None:
        context = self.context
        origins = context.origins(context.maps.runs)
        infos = trace_infos(context.target, self.runs.experiment.target_id)
        for info in await optional(infos, context.tally, f"target {ROUTE}"):
            tags = info.get("tags") or {}
            source = context.provenance.source_id(tags)
            if source is not None:
                also = _assessments(info, origins) if origins else {}
                self.there[source] = _There(tags, _fields(info, None), also)

    async def _group(self, infos: Sequence[Mapping[str, Any]]) -> int:
        """Write what is missing of some traces; return how many were looked at."""
        context = self.context
        due: dict[str, tuple[Mapping[str, Any], Merge]] = {}
        for info in infos:
            source = str(info["trace_id"])
            there = self.there.get(source)
            earlier = noted(there.tags) if there else None
            if there is not None and earlier is not None and there.also:
                earlier = replace(earlier, also=there.also)
            merge = context.policy.merge(_fields(info, context), there.fields if there else {}, earlier)
            if (
                there is None
                or earlier is None
                or merge
                or context.full
                or info.get("state") == "IN_PROGRESS"
            ):
                due[source] = (info, merge)
            else:
                context.tally.merged(SORT, source, merge)
        if not due:
            return 0
        spans = await spans_of(context.source, [info for info, _ in due.values()])
        known = await spans_of(
            context.target,
            [{"trace_id": each, "tags": self.there[each].tags} for each in due if each in self.there],
        )
        await context.each(
            SORT,
            due,
            lambda source: self._one(*due[source], spans[source], known.get(source, Spans())),
            str,
        )
        return len(due)

    async def _one(self, info: Mapping[str, Any], merge: Merge, spans: Spans, known: Spans) -> None:
        source = str(info["trace_id"])
        there = self.there.get(source)
        missing = [span for name, span in spans.served.items() if known.served.get(name) != span]
        file = spans.file if spans.file != known.file else None
        unfinished = there is None or noted(there.tags) is None
        self._tell_lost(info, spans)
        due = await attachments_due(self.context, source, spans, fresh=unfinished or bool(missing or file))
        if not missing and file is None and not merge and not unfinished and not due:
            self.context.tally.merged(SORT, source, merge)
            return
        await self.runs.awake()
        if there is None:
            await self._demand_free(source)
            await self._start(info, self._own(source))
        await self._send_spans(source, missing)
        # Before the note, which no longer knows of them: what it does not know is somebody else's, and stays.
        for key in merge.delete:
            await self._delete(source, key)
        served = {LOCATION: "TRACKING_STORE"} if spans.served else {}
        kept = {key: there.fields[key] for key in merge.kept} if there else {}
        wanted = _fields(info, self.context)
        done = note({**wanted, **kept})
        again = self._to_make_again(info, merge.conflicts)
        # Written a second time, so that what the server worked out from the spans gives way.
        last = bool(again or due or file is not None)
        own = self._own(source) | served | ({} if last else done)
        place = await self._start(info, own, without=merge.conflicts)
        if file is not None:
            await self._put_file(source, place, file)
        await move_attachments(self.context, source, place, due)
        if again:
            for each in again:
                await self._delete(source, _ASSESSMENT + str(each["assessment_id"]))
                await self._make_again(source, each)
        if last:
            # Noted last: killed before, a trace that is new is written anew by the next run.
            await self._note(source, done)
        if there is None:
            self.context.tally.created(SORT)
        self.context.tally.merged(SORT, source, merge, changes=False)
        if there is not None:
            self.context.tally.changed(SORT)

    def _own(self, source: str) -> dict[str, str]:
        return self.context.provenance.tags(source)

    async def _demand_free(self, trace: str) -> None:
        """Make sure that no trace of somebody else has the id."""
        answer = await self.context.target.get(f"{_API}/batchGet", {"trace_ids": [trace]})
        for each in answer.get("traces") or []:
            if self.context.provenance.source_id(each["trace_info"].get("tags") or {}) != trace:
                raise IncompleteError(
                    f"writing trace {trace}",
                    got="a trace of that id on the target, which this migration did not make",
                    expected="a free id",
                    state="the other one was not touched; this one was not moved",
                    remedy="remove the other one, if it is a copy that was made before",
                    code="7162",
                )

    async def _start(
        self, info: Mapping[str, Any], own: Mapping[str, str], without: Iterable[str] = ()
    ) -> str:
        """Write a trace but its spans; return where the target keeps its files."""
        maps = self.context.maps
        body = dict(info)
        place = {"experiment_id": self.runs.experiment.target_id}
        body["trace_location"] = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": place}
        left_out = set(without)
        tags = {to_target(k): v for k, v in (info.get("tags") or {}).items() if k not in SERVERS_OWN}
        body["tags"] = {k: v for k, v in tags.items() if k not in left_out} | dict(own)
        body["trace_metadata"] = _metadata(info, self.context)
        body["assessments"] = [
            _assessment(each, maps.runs)
            for each in info.get("assessments") or ()
            if _ASSESSMENT + str(each["assessment_id"]) not in left_out
        ]
        answer = await self.context.target.write("POST", _API, {"trace": {"trace_info": body}})
        made = answer.get("trace", {}).get("trace_info", {})
        return str((made.get("tags") or {}).get("mlflow.artifactLocation", ""))

    async def _put_file(self, trace: str, place: str, spans: bytes) -> None:
        """Put the file that holds a trace's spans where the target looks for it."""
        if not self.context.target.writes:
            self.context.tally.created(SPAN_FILES)
            return
        owner = Owner("trace", trace)
        try:
            path, query = route_for(Place(owner, owner, "", place, fresh=True), _FILE, len(spans))
        except UnsupportedError:
            reason = "a file holds them, and the target's server does not serve the root of its artifacts"
            self.context.tally.lose("trace", "its spans", reason, trace)
            return
        await self.context.target.upload("PUT", path, query, spans)
        self.context.tally.created(SPAN_FILES)

    def _to_make_again(self, info: Mapping[str, Any], conflicts: Iterable[str]) -> list[Mapping[str, Any]]:
        """Return the assessments that overrule others, by time: where one is made, the other gives way.

        A trace that is written whole has all of them valid; the interface says otherwise in no other way.
        """
        left_out, given = set(conflicts), list(info.get("assessments") or ())
        overruled = {str(each["assessment_id"]) for each in given if each.get("valid") is False}
        return [
            each
            for each in sorted(given, key=lambda each: str(each.get("create_time", "")))
            if str(each.get("overrides", "")) in overruled
            and _ASSESSMENT + str(each["assessment_id"]) not in left_out
        ]

    async def _note(self, trace: str, tags: Mapping[str, str]) -> None:
        # The tag that the others go on from comes last, so that no half of a note is taken for one.
        for key, value in reversed(list(tags.items())):
            await self.context.target.write(
                "PATCH", f"{_API}/{segment(trace)}/tags", {"key": key, "value": value}
            )

    async def _make_again(self, trace: str, given: Mapping[str, Any]) -> None:
        """Make an assessment that was deleted; one of its id again the server takes for its own failure."""

        async def there() -> bool | None:
            answer = await self.context.target.get(f"{_API}/batchGet", {"trace_ids": [trace]})
            infos = [each["trace_info"] for each in answer.get("traces") or []]
            made = {str(each["assessment_id"]) for info in infos for each in info.get("assessments") or ()}
            return True if str(given["assessment_id"]) in made else None

        await self.context.target.create(
            f"{_API}/{segment(trace)}/assessments",
            {"assessment": _assessment(given, self.context.maps.runs)},
            pick=lambda _: True,
            find=there,
            planned=lambda _: True,
        )

    async def _send_spans(self, trace: str, spans: Sequence[Mapping[str, Any]]) -> None:
        ours = [span for span in spans if _trace_of(span) == trace]
        if len(ours) < len(spans):
            self.context.tally.lose("trace", "its spans", "they carry another id than their trace", trace)
        if not ours:
            return
        # As the server spells it: ids stay in base64 where the names are not OTLP's own.
        body = {"resource_spans": [{"scope_spans": [{"spans": ours}]}]}
        headers = {"X-MLflow-Experiment-Id": self.runs.experiment.target_id}
        try:
            await self.context.target.write("POST", _SPANS, body, headers)
        except NotFoundError:
            self.context.tally.fallbacks.add(f"target {_SPANS}: spans are left out")
            self.context.tally.lose("trace", "its spans", "the target takes none", trace)
            return
        self.context.tally.created("spans", len(ours))

    def _tell_lost(self, info: Mapping[str, Any], spans: Spans) -> None:
        if spans.unread:
            reason = f"the source's server cannot send them ({spans.unread})"
        elif not spans and LOCATION not in (info.get("tags") or {}) and info.get("state") != "IN_PROGRESS":
            reason = "the source does not send them (none, or their file is gone)"
        else:
            return
        self.context.tally.lose("trace", "its spans", reason, str(info["trace_id"]))

    async def _delete(self, trace: str, key: str) -> None:
        path = f"{_API}/{segment(trace)}"
        if key.startswith(_ASSESSMENT):
            assessment = segment(key.removeprefix(_ASSESSMENT))
            await self.context.target.gone("DELETE", f"{path}/assessments/{assessment}", {})
        else:
            await self.context.target.gone("DELETE", f"{path}/tags", {"key": key})

    async def _gone(self, left: Iterable[str]) -> None:
        names_ = sorted(left)
        if not self.context.policy.propagate:
            self.context.tally.kept(SORT, len(names_))
            return
        for start in range(0, len(names_), _AT_ONCE):
            part = names_[start : start + _AT_ONCE]
            body = {"experiment_id": self.runs.experiment.target_id, "request_ids": part}
            await self.context.target.write("POST", f"{_API}/delete-traces", body)
            self.context.tally.deleted(SORT, len(part))


def _fields(info: Mapping[str, Any], context: Context | None) -> dict[str, str]:
    """Return what may change of a trace: tags, assessments, state and times.

    :param context: for a trace of the source, which is told in the target's terms.
    """
    runs = context.maps.runs if context else {}
    found = {
        (to_target(key) if context else key): str(value)
        for key, value in (info.get("tags") or {}).items()
        if key not in SERVERS_OWN and (context is not None or not names.is_ours(key))
    }
    found |= _assessments(info, runs)
    for name in ("state", "request_time", "execution_duration", "request_preview", "response_preview"):
        if info.get(name):
            found[f"\0{name}"] = str(info[name])
    return found


def _assessments(info: Mapping[str, Any], runs: Mapping[str, str]) -> dict[str, str]:
    return {
        _ASSESSMENT + str(each["assessment_id"]): _line(_assessment(each, runs))
        for each in info.get("assessments") or ()
    }


def _metadata(info: Mapping[str, Any], context: Context) -> dict[str, str]:
    found = {str(key): str(value) for key, value in (info.get("trace_metadata") or {}).items()}
    for keys, ids in ((_RUN_KEYS, context.maps.runs), (_MODEL_KEYS, context.maps.models)):
        for key in keys:
            if key in found:
                found[key] = ids.get(found[key], found[key])
    return found


def _assessment(each: Mapping[str, Any], runs: Mapping[str, str]) -> dict[str, Any]:
    found = dict(each)
    metadata = dict(found.get("metadata") or {})
    if _ASSESSED_BY_RUN in metadata:
        metadata[_ASSESSED_BY_RUN] = runs.get(str(metadata[_ASSESSED_BY_RUN]), metadata[_ASSESSED_BY_RUN])
        found["metadata"] = metadata
    return found


def _line(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _trace_of(span: Mapping[str, Any]) -> str:
    return "tr-" + base64.b64decode(str(span.get("trace_id", ""))).hex()


async def trace_infos(server: TrackingServer, experiment: str) -> AsyncIterator[dict[str, Any]]:
    """Yield an experiment's traces without their spans."""
    async for page in trace_pages(server, experiment):
        for each in page:
            yield each
