"""Versions of a registered model or prompt: under the numbers that they have, gaps included."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from heavylift.errors import ConflictError, HeavyliftError, PermanentError, TransientError
from heavylift.registry.interface import names
from heavylift.registry.interface.context import Context, Maps
from heavylift.registry.interface.merging import note, noted, pairs
from heavylift.registry.interface.names import pairs_of, tags_of, to_target
from heavylift.registry.rest.client import IS_PROMPT, ONLY_PROMPTS, TrackingServer

_API = "api/2.0/mlflow/model-versions"
SORT = "model versions"
GAPS = "numbers of deleted versions"
_DESCRIPTION, _STAGE = "\0description", "\0stage"
_PLACEHOLDERS = frozenset({"dummy-source", "prompt-template"})
_RUNS_OF_PROMPT = "mlflow.prompt.associatedRunIds"
_NO_STAGE = "None"
_ALWAYS_TAKEN = frozenset({"runs", "models", "mlflow-artifacts", "s3", "gs", "wasbs", "abfss"})
"""Of these what is refused is one path, or whose it is: that is no loss to be accepted, but a fault.

A path on the source's own disk is nowhere on the target, so that one is a loss.
"""


@dataclass
class Versions:
    """The versions of one registered model.

    :param name: as on the source.
    :param target_name: as on the target.
    :param next_number: what the next one's number will be; 0 where that is not known.
    """

    context: Context
    name: str
    target_name: str
    is_prompt: bool
    next_number: int

    async def move(self, sources: list[Mapping[str, Any]], targets: list[Mapping[str, Any]]) -> None:
        """Make what is missing, in order, and bring the rest up to date."""
        there = await self._ours(targets)
        self.context.tally.found(SORT, len(sources))
        for version in sorted(sources, key=lambda each: int(each["version"])):
            number = int(version["version"])
            known = there.pop(number, None)
            if known is None:
                await self._make(version, number)
            else:
                await self._update(version, known, number)
        await self._gone(there)

    async def _ours(self, targets: list[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
        """Return the target's versions that are ours; what a killed run left half-made goes."""
        found: dict[int, Mapping[str, Any]] = {}
        for each in targets:
            tags, number = tags_of(each.get("tags")), int(each["version"])
            source = self.context.provenance.source_id(tags)
            if source is None:
                continue
            if source.rpartition("/")[2] == str(number):
                # The model may have another name there since.
                found[number] = each
            else:
                await self._delete(number)
        return found

    def _id(self, number: int) -> str:
        return f"{self.name}/{number}"

    async def _make(self, version: Mapping[str, Any], number: int) -> None:
        while 0 < self.next_number < number:
            made = await self._create(self._placeholder(), names.PLACEHOLDER, self.next_number)
            await self._close(made)
        fields = self._fields(version)
        while True:
            made = await self._create_somehow(await self._body(version, fields, number), number)
            if made >= number:
                break
            await self._close(made)
        self.next_number = made + 1
        if made > number:
            await self._delete(made)
            raise ConflictError(
                f"making version {number} of {self.target_name!r}",
                got=f"the number {made}: {number} was given to a version that is deleted or somebody else's",
                expected="a number that is free",
                state="nothing was overwritten; this version and later ones of the model were not moved",
                remedy="delete the registered model on the target and run again, or rename it there",
                code="7163",
            )
        if fields[_STAGE] != _NO_STAGE:
            await self._put_stage(number, fields[_STAGE])
        self._tell_lost(version)
        self.context.tally.created(SORT)

    async def _close(self, made: int) -> None:
        """Delete a version that only stands for a gap."""
        await self._delete(made)
        self.context.tally.created(GAPS)
        self.next_number = made + 1

    async def _create_somehow(self, body: Mapping[str, Any], number: int) -> int:
        """Make a version; with its source as a tag alone where the target's server refuses such places.

        Which ones it takes is a setting of the server, and older ones took any.
        """
        try:
            return await self._create(body, self._id(number), number)
        except PermanentError as error:
            if type(error) is not PermanentError:
                raise
            if urlsplit(body["source"]).scheme in _ALWAYS_TAKEN:
                raise _refused(self._id(number), error) from error
        made = await self._create({**body, "source": names.REFUSED_SOURCE}, self._id(number), number)
        reason = "the target's server refuses such a place; it stands in a tag"
        self.context.tally.lose("model version", "its source", reason, self._id(number))
        return made

    async def _create(self, body: Mapping[str, Any], source_id: str, planned: int) -> int:
        return await self.context.target.create(
            f"{_API}/create",
            body,
            pick=lambda answer: int(answer["model_version"]["version"]),
            find=lambda: self._find(source_id),
            planned=lambda _: planned,
        )

    async def _find(self, source_id: str) -> int | None:
        found = [
            int(each["version"])
            async for each in versions_of(self.context.target, self.target_name, prompts=self.is_prompt)
            if self.context.provenance.source_id(tags_of(each.get("tags"))) == source_id
        ]
        return max(found, default=None)

    def _placeholder(self) -> dict[str, Any]:
        tags = self.context.provenance.tags(names.PLACEHOLDER)
        if self.is_prompt:
            tags[IS_PROMPT] = "true"
        source = "dummy-source" if self.is_prompt else f"s3://{names.PLACEHOLDER}/none"
        return {"name": self.target_name, "source": source, "tags": pairs_of(tags)}

    def _fields(self, version: Mapping[str, Any]) -> dict[str, str]:
        found = {to_target(key): value for key, value in tags_of(version.get("tags")).items()}
        if _RUNS_OF_PROMPT in found:
            found[_RUNS_OF_PROMPT] = listed(found[_RUNS_OF_PROMPT], self.context.maps.runs)
        found[_DESCRIPTION] = str(version.get("description", ""))
        found[_STAGE] = str(version.get("current_stage") or _NO_STAGE)
        return found

    def _own(self, version: Mapping[str, Any], number: int) -> dict[str, str]:
        facts = {
            key: version.get(key)
            for key in ("creation_timestamp", "last_updated_timestamp", "user_id", "run_id", "source")
        }
        return self.context.provenance.tags(self._id(number), facts)

    async def _body(
        self, version: Mapping[str, Any], fields: Mapping[str, str], number: int
    ) -> dict[str, Any]:
        maps = self.context.maps
        source, model = await self._source(version)
        tags = {key: value for key, value in fields.items() if not key.startswith("\0")}
        tags |= self._own(version, number) | note(fields, pairs({_STAGE: _NO_STAGE}))
        body: dict[str, Any] = {"name": self.target_name, "source": source, "tags": pairs_of(tags)}
        run = str(version.get("run_id") or "")
        if run and run not in maps.runs and self.context.source.selected is not None:
            raise _of_another_choice(self._id(number), run)
        if run:
            body["run_id"] = maps.runs.get(run, run)
        if model:
            body["model_id"] = model
        for key in ("run_link", "description"):
            if version.get(key):
                body[key] = version[key]
        return body

    async def _source(self, version: Mapping[str, Any]) -> tuple[str, str]:
        """Return where a version's files lie on the target, and the id of its logged model."""
        maps, source = self.context.maps, str(version.get("source", ""))
        model = maps.models.get(str(version.get("model_id") or ""), "")
        if self.is_prompt:
            return (source if source in _PLACEHOLDERS else "dummy-source"), ""
        if source.startswith("models:/m-"):
            name, _, rest = source.removeprefix("models:/").partition("/")
            if name in maps.models:
                made = maps.models[name]
                return f"models:/{made}" + (f"/{rest}" if rest else ""), made
            self.context.tally.lose(
                "model version",
                "its logged model",
                "it is deleted, or the target has no logged models",
                self.name,
            )
            source = await self._download_uri(version) or source
            model = ""
        if source.startswith("runs:/"):
            # The server takes no logged model beside a run's URI.
            model = ""
        else:
            # Servers do not tell a version's logged model, and refuse files of one that is not named.
            owner = within(source, maps.model_places)
            model = maps.model_places[owner] if owner else model
        return target_place(source, maps, self.context), model

    async def _download_uri(self, version: Mapping[str, Any]) -> str:
        query = {"name": self.name, "version": str(version["version"])}
        try:
            answer = await self.context.source.get(f"{_API}/get-download-uri", query)
        except TransientError:
            raise
        except HeavyliftError:
            return ""
        return str(answer.get("artifact_uri", ""))

    def _tell_lost(self, version: Mapping[str, Any]) -> None:
        status = str(version.get("status") or "READY")
        if status != "READY":
            self.context.tally.lose(
                "model version",
                f"its status {status}",
                "the interface makes it READY",
                f"{self.name}/{version['version']}",
            )

    async def _update(self, version: Mapping[str, Any], known: Mapping[str, Any], number: int) -> None:
        tags = tags_of(known.get("tags"))
        actual = {key: value for key, value in tags.items() if not names.is_ours(key)}
        actual[_DESCRIPTION] = str(known.get("description", ""))
        actual[_STAGE] = str(known.get("current_stage") or _NO_STAGE)
        fields, earlier = self._fields(version), noted(tags)
        if earlier is not None and _RUNS_OF_PROMPT in actual:
            origins = self.context.origins(self.context.maps.runs)
            earlier = replace(earlier, also={_RUNS_OF_PROMPT: listed(actual[_RUNS_OF_PROMPT], origins)})
        merge = self.context.policy.merge(fields, actual, earlier)
        facts = {key: value for key, value in self._own(version, number).items() if tags.get(key) != value}
        if merge:
            facts |= note(fields, earlier)
        facts |= {key: value for key, value in merge.put.items() if not key.startswith("\0")}
        for key, value in facts.items():
            await self._write("POST", "set-tag", number, {"key": key, "value": value})
        for key in merge.delete:
            await self.context.target.gone("DELETE", f"{_API}/delete-tag", self._at(number) | {"key": key})
        if _DESCRIPTION in merge.put:
            await self._write("PATCH", "update", number, {"description": merge.put[_DESCRIPTION]})
        if _STAGE in merge.put:
            await self._put_stage(number, merge.put[_STAGE])
        self.context.tally.merged(SORT, self._id(number), merge)

    async def _put_stage(self, number: int, stage: str) -> None:
        await self._write(
            "POST", "transition-stage", number, {"stage": stage, "archive_existing_versions": False}
        )

    def _at(self, number: int) -> dict[str, str]:
        return {"name": self.target_name, "version": str(number)}

    async def _write(self, method: str, act: str, number: int, body: Mapping[str, Any]) -> None:
        await self.context.target.write(method, f"{_API}/{act}", {**self._at(number), **body})

    async def _delete(self, number: int) -> None:
        await self.context.target.gone("DELETE", f"{_API}/delete", self._at(number))

    async def _gone(self, there: Mapping[int, Mapping[str, Any]]) -> None:
        for number in there:
            if not self.context.policy.propagate:
                self.context.tally.kept(SORT)
                continue
            await self._delete(number)
            self.context.tally.deleted(SORT)


def _refused(version: str, error: PermanentError) -> PermanentError:
    return PermanentError(
        f"making version {version} on the target ({error.what})",
        got=error.got,
        expected="a source that the target's server takes",
        state="nothing was overwritten; this version and later ones of the model were not moved",
        remedy="look where the source's version has its files: its run or logged model must be there and hold"
        " them; mend or delete it there, and run the same command again",
        code="9564",
    )


def _of_another_choice(version: str, run: str) -> ConflictError:
    return ConflictError(
        f"moving version {version}",
        got=f"files that belong to run {run}, whose experiment is not chosen, or which is deleted for good",
        expected="the run of each version of a chosen model among what moves",
        state="nothing was overwritten; this version and later ones of the model were not moved",
        remedy="choose the run's experiment as well, or leave the model out: experiments and models of the"
        " registry in the spec, --experiment and --model in a shell",
        code="9600",
    )


def listed(text: str, ids: Mapping[str, str]) -> str:
    """Return a list of ids, separated by commas, with each id as it is on the target."""
    return ",".join(ids.get(each, each) for each in text.split(","))


def target_place(uri: str, maps: Maps, context: Context) -> str:
    """Return where on the target lies what a URI of the source names."""
    if uri.startswith("runs:/"):
        run, _, rest = uri.removeprefix("runs:/").partition("/")
        return f"runs:/{maps.runs.get(run, run)}/{rest}"
    if uri.startswith("models:/"):
        name, _, rest = uri.removeprefix("models:/").partition("/")
        return f"models:/{maps.names.get(name, name)}/{rest}"
    head = within(uri, maps.places)
    return maps.places[head] + uri.rstrip("/")[len(head) :] if head else context.uris.of(uri)


def within(uri: str, places: Mapping[str, str]) -> str:
    """Return the one of ``places`` in which a URI lies, or which it is; empty where there is none."""
    head = uri.rstrip("/")
    while head and head not in places:
        head = head.rpartition("/")[0]
    return head


async def versions_of(server: TrackingServer, name: str, *, prompts: bool) -> AsyncIterator[dict[str, Any]]:
    """Yield the versions of one registered model; deleted ones the interface does not show.

    :param prompts: the model is a prompt, which a search leaves out unless it is asked for prompts.
    """
    quoted = name.replace("'", "\\'") if "'" in name and '"' in name else name
    sign = '"' if "'" in name and '"' not in name else "'"
    chosen = f"name={sign}{quoted}{sign}" + (f" AND {ONLY_PROMPTS}" if prompts else "")
    query = {"max_results": 1000, "filter": chosen, "order_by": ["version_number ASC"]}
    async for page in server.pages(f"{_API}/search", "model_versions", query):
        for each in page:
            yield each
