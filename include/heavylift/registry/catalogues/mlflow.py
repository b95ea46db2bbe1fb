"""MLflow's registry of models, through its public interface; runs are looked at, never written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import NotFoundError
from heavylift.registry.catalogues.description import Container, Lineage, Made, Model, Version
from heavylift.registry.catalogues.experiments.shapes import component_id
from heavylift.registry.catalogues.leaves import below
from heavylift.registry.catalogues.mlflow_rules import CAPABILITIES, PAIRS
from heavylift.registry.catalogues.planning import UNFINISHED
from heavylift.registry.catalogues.ports import (
    HeldModel,
    HeldVersion,
    Write,
    by_number,
    held_model,
    held_version,
)
from heavylift.registry.interface.names import pairs_of, tags_of
from heavylift.registry.interface.server import WritingServer
from heavylift.registry.interface.versions import versions_of
from heavylift.registry.rest.client import ONLY_PROMPTS, server_url

_MODELS, _VERSIONS = "api/2.0/mlflow/registered-models", "api/2.0/mlflow/model-versions"
_RUN = "api/2.0/mlflow/runs/get"
_EXPERIMENT = "api/2.0/mlflow/experiments/get"
_DIGEST = f"{PAIRS.mark}digest"
_ARTIFACT = "containers/0/artifact"
_NO_SOURCE = "s3://none/none"
"""The source of a version that has no artifact: a server wants one, with a path."""

Raw = Mapping[str, Any]


class MLflowCatalogue:
    """The registered models of one tracking server.

    ``moved_runs`` tells, by the source's ids, the runs that an experiment's move has brought here.
    """

    capabilities = CAPABILITIES

    def __init__(self, connection: Connection, parallel: int) -> None:
        self._server = WritingServer(connection, parallel)
        self._url = server_url(connection)
        self._experiments: dict[str, str] = {}
        self.moved_runs: Mapping[str, str] = {}

    @property
    def server(self) -> WritingServer:
        """The server, which passes on files that lie in no object store."""
        return self._server

    @property
    def address(self) -> str:
        """The server's address."""
        return self._url

    async def close(self) -> None:
        """Close connections."""
        await self.server.close()

    async def read(self) -> list[HeldModel]:
        """Return all registered models; prompts are none."""
        models = [each async for each in self._found(f"{_MODELS}/search", "registered_models", {})]
        versions: dict[str, list[Raw]] = {}
        order = {"order_by": ["name ASC", "version_number ASC"]}
        async for each in self._found(f"{_VERSIONS}/search", "model_versions", order):
            versions.setdefault(str(each["name"]), []).append(each)
        return list(await asyncio.gather(*(self._model(m, versions.get(str(m["name"]), [])) for m in models)))

    async def beside(self) -> Sequence[tuple[str, str, int]]:
        """Return counts of experiments and prompts."""
        query = {"filter": ONLY_PROMPTS}
        prompts = [each async for each in self._found(f"{_MODELS}/search", "registered_models", query)]
        experiments = [
            each
            async for page in self.server.pages(
                "api/2.0/mlflow/experiments/search", "experiments", {"max_results": 1000}, post=True
            )
            for each in page
        ]
        found = [
            (
                "experiment",
                "a version names only its run, experiment and metrics",
                len(experiments),
            ),
            ("prompt", "it is no model", len(prompts)),
        ]
        return [each for each in found if each[2]]

    async def make_model(self, name: str, write: Write) -> None:
        """Make a model with its tags, in one request."""
        body = {
            "name": name,
            "tags": pairs_of(write.pairs),
            "description": write.leaves.get("description", ""),
        }

        async def find() -> str | None:
            return name if await self._is_ours(name, write.pairs) else None

        await self.server.create(
            f"{_MODELS}/create", body, pick=lambda _: name, find=find, planned=lambda _: name
        )

    async def change_model(self, name: str, write: Write) -> None:
        """Change description, tags and aliases."""
        key = {"name": name}
        async with _Marked(self.server, _MODELS, key, write):
            wanted, there = below("aliases", write.leaves), below("aliases", write.leaves_now)
            for alias, version in wanted.items():
                if there.get(alias) != version:
                    await self.server.write(
                        "POST", f"{_MODELS}/alias", {**key, "alias": alias, "version": version}
                    )
            for alias in there.keys() - wanted.keys():
                await self.server.gone("DELETE", f"{_MODELS}/alias", {**key, "alias": alias})

    async def make_version(self, name: str, number: str, write: Write) -> str:
        """Make a version with its tags, in one request; its number is the next one."""
        del number
        body = {
            "name": name,
            "source": write.leaves.get(_ARTIFACT) or _NO_SOURCE,
            "tags": pairs_of(write.pairs),
            "description": write.leaves.get("description", ""),
        }
        run = self._moved_run(write.pairs)
        if run:
            body["run_id"] = run

        async def find() -> str | None:
            async for each in versions_of(self.server, name, prompts=False):
                tags = tags_of(each.get("tags"))
                if all(tags.get(mark) == write.pairs.get(mark) for mark in _identity()):
                    return str(each["version"])
            return None

        return await self.server.create(
            f"{_VERSIONS}/create",
            body,
            pick=lambda answer: str(answer["model_version"]["version"]),
            find=find,
            planned=lambda text: text,
        )

    async def change_version(self, name: str, number: str, write: Write) -> None:
        """Change description and tags."""
        async with _Marked(self.server, _VERSIONS, {"name": name, "version": number}, write):
            return

    def _moved_run(self, pairs: Mapping[str, str]) -> str:
        """Return the run here that is a version's run on the source, where that was moved, too."""
        trial, run = (pairs.get(PAIRS.kept_key(f"lineage/{each}"), "") for each in ("trial", "run"))
        return self.moved_runs.get(component_id(trial, run), "") if trial and run else ""

    async def _is_ours(self, name: str, pairs: Mapping[str, str]) -> bool:
        try:
            answer = await self.server.get(f"{_MODELS}/get", {"name": name})
        except NotFoundError:
            return False
        tags = tags_of(answer["registered_model"].get("tags"))
        return all(tags.get(mark) == pairs.get(mark) for mark in _identity())

    async def _model(self, raw: Raw, versions: list[Raw]) -> HeldModel:
        held = await asyncio.gather(*(self._version(each) for each in versions))
        ordered = sorted(held, key=lambda each: by_number(each.version.number))
        model = Model(
            str(raw["name"]),
            str(raw.get("description") or ""),
            aliases={str(each["alias"]): str(each["version"]) for each in raw.get("aliases") or ()},
            made=Made(_time(raw.get("creation_timestamp"))),
        )
        return held_model(model, tags_of(raw.get("tags")), PAIRS, ordered)

    async def _version(self, raw: Raw) -> HeldVersion:
        tags = tags_of(raw.get("tags"))
        source = str(raw.get("source") or "").rstrip("/")
        version = Version(
            number=str(raw["version"]),
            description=str(raw.get("description") or ""),
            containers=() if source == _NO_SOURCE else (Container(artifact=source),),
        )
        held = held_version(version, tags, PAIRS)
        if held.origin:
            return held
        stage = str(raw.get("current_stage") or "None")
        lineage, metrics = await self._run(str(raw.get("run_id") or ""))
        full = Version(
            number=version.number,
            description=version.description,
            stage="" if stage == "None" else stage,
            kind="mlflow",
            containers=(Container(artifact=await self._place(raw), packing="folder"),),
            lineage=lineage,
            metrics=metrics,
            made=Made(
                _time(raw.get("creation_timestamp")),
                str(raw.get("user_id") or ""),
                _time(raw.get("last_updated_timestamp")),
            ),
        )
        return held_version(full, tags, PAIRS)

    async def _place(self, raw: Raw) -> str:
        """Return where a version's files really lie: its source may only name a run or a logged model."""
        source = str(raw.get("source") or "")
        if source.partition(":")[0] not in {"models", "runs"}:
            return source.rstrip("/")
        query = {"name": str(raw["name"]), "version": str(raw["version"])}
        answer = await self.server.get(f"{_VERSIONS}/get-download-uri", query)
        return str(answer.get("artifact_uri") or "").rstrip("/")

    async def _run(self, run: str) -> tuple[Lineage, dict[str, str]]:
        if not run:
            return Lineage(), {}
        try:
            found = (await self.server.get(_RUN, {"run_id": run}))["run"]
        except NotFoundError:
            return Lineage(run=run), {}
        data: Raw = found.get("data") or {}
        tags = tags_of(data.get("tags"))
        inputs = (found.get("inputs") or {}).get("dataset_inputs") or ()
        lineage = Lineage(
            run=run,
            experiment=await self._experiment(str(found["info"]["experiment_id"])),
            commit=tags.get("mlflow.source.git.commit", ""),
            repository=tags.get("mlflow.source.git.repoURL", ""),
            source=tags.get("mlflow.source.name", ""),
            datasets=tuple(sorted({str(each["dataset"]["name"]) for each in inputs})),
        )
        metrics = {str(each["key"]): repr(float(each["value"])) for each in data.get("metrics") or ()}
        return lineage, metrics

    async def _experiment(self, number: str) -> str:
        if number not in self._experiments:
            answer = await self.server.get(_EXPERIMENT, {"experiment_id": number})
            self._experiments[number] = str(answer["experiment"]["name"])
        return self._experiments[number]

    async def _found(self, path: str, field: str, query: Mapping[str, Any]) -> Any:
        async for page in self.server.pages(path, field, {"max_results": 1000, **query}):
            for each in page:
                yield each


class _Marked:
    """Changes description and tags of a thing; only the last request's mark tells that all is done."""

    def __init__(self, server: WritingServer, path: str, key: Mapping[str, str], write: Write) -> None:
        self._server, self._path, self._key, self._write = server, path, key, write

    async def __aenter__(self) -> None:
        write = self._write
        await self._put(_DIGEST, UNFINISHED + write.pairs[_DIGEST])
        if write.changes("description"):
            body = {**self._key, "description": write.leaves.get("description", "")}
            await self._server.write("PATCH", f"{self._path}/update", body)
        for key, value in write.put_pairs.items():
            if key != _DIGEST:
                await self._put(key, value)
        for key in write.gone_pairs:
            await self._server.gone("DELETE", f"{self._path}/delete-tag", {**self._key, "key": key})

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            await self._put(_DIGEST, self._write.pairs[_DIGEST])

    async def _put(self, key: str, value: str) -> None:
        await self._server.write("POST", f"{self._path}/set-tag", {**self._key, "key": key, "value": value})


def _identity() -> tuple[str, ...]:
    return tuple(f"{PAIRS.mark}{name}" for name in ("registry", "id", "version"))


def _time(value: Any) -> str:
    if not value:
        return ""
    return datetime.fromtimestamp(int(value) / 1000, UTC).isoformat(timespec="milliseconds")
