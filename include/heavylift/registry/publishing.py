"""Makes a new version of a model in a tracking server: its files as a logged model's, then the version.

Everything bears the tags of its identity from the request on that makes it, so that a killed call is
completed by the next one, and nothing is made twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from heavylift.errors import AlreadyExistsError, NotFoundError
from heavylift.platforms.registered import FilesConnection, Found, Publication
from heavylift.registry.catalogues.files import Places
from heavylift.registry.interface.logged import ready_at
from heavylift.registry.interface.names import pairs_of, tags_of
from heavylift.registry.interface.server import WritingServer, segment
from heavylift.registry.interface.versions import versions_of

EXPERIMENT = "heavylift-converted-models"
_API = "api/2.0/mlflow"
_PARALLEL = 4


async def publish(
    server: WritingServer,
    store: FilesConnection,
    name: str,
    content: tuple[Path, Sequence[str]],
    publication: Publication,
) -> Found:
    """Upload a folder's files and make them a version of ``name``.

    :param store: looks up the object store of the server's artifacts, where it does not pass them on.
    """
    model, place = await _logged_model(server, await _experiment(server), name, publication)
    await _upload(server, store, place, content)
    await ready_at(server, model)
    await _registered_model(server, name)
    number = await _version(server, name, model, publication)
    return Found(name, number, place)


async def _experiment(server: WritingServer) -> str:
    async def find() -> str | None:
        query = {"experiment_name": EXPERIMENT}
        try:
            answer = await server.get(f"{_API}/experiments/get-by-name", query)
        except NotFoundError:
            return None
        return str(answer["experiment"]["experiment_id"])

    found = await find()
    if found is not None:
        return found
    try:
        return await server.create(
            f"{_API}/experiments/create",
            {"name": EXPERIMENT},
            pick=lambda answer: str(answer["experiment_id"]),
            find=find,
            planned=str,
        )
    except AlreadyExistsError:
        # Another task has made it at the same moment.
        return await find() or ""


async def _logged_model(
    server: WritingServer, experiment: str, name: str, publication: Publication
) -> tuple[str, str]:
    """Return id and place of the logged model, which an earlier call may have made."""
    chosen = " AND ".join(f"tags.`{key}` = '{value}'" for key, value in publication.identity.items())

    async def find() -> tuple[str, str] | None:
        query = {"experiment_ids": [experiment], "filter": chosen, "max_results": 1}
        answer = await server.post(f"{_API}/logged-models/search", query)
        found = answer.get("models") or ()
        return _of(found[0]) if found else None

    tags = {**publication.identity, **publication.tags}
    body = {"experiment_id": experiment, "name": name, "tags": pairs_of(tags)}
    there = await find()
    if there is not None:
        return there
    return await server.create(
        f"{_API}/logged-models",
        body,
        pick=lambda answer: _of(answer["model"]),
        find=find,
        planned=lambda text: (text, ""),
    )


def _of(model: Mapping[str, Any]) -> tuple[str, str]:
    info = model["info"]
    return str(info["model_id"]), str(info["artifact_uri"]).rstrip("/")


async def _upload(
    server: WritingServer, store: FilesConnection, place: str, content: tuple[Path, Sequence[str]]
) -> None:
    folder, names = content
    places = Places(lambda _scheme: store(), server, _PARALLEL)
    try:
        files = await places.at(place)
        for name in names:
            body = await asyncio.to_thread((folder / name).read_bytes)
            await files.put(place, name, body, replaces=True)
    finally:
        await places.close()


async def _registered_model(server: WritingServer, name: str) -> None:
    path = f"{_API}/registered-models"

    async def find() -> str | None:
        try:
            await server.get(f"{path}/get", {"name": name})
        except NotFoundError:
            return None
        return name

    if await find() is None:
        try:
            await server.create(f"{path}/create", {"name": name}, pick=lambda _: name, find=find, planned=str)
        except AlreadyExistsError:
            return


async def _version(server: WritingServer, name: str, model: str, publication: Publication) -> str:
    async def find() -> str | None:
        async for each in versions_of(server, name, prompts=False):
            tags = tags_of(each.get("tags"))
            if all(tags.get(key) == value for key, value in publication.identity.items()):
                return str(each["version"])
        return None

    there = await find()
    if there is not None:
        return there
    tags = {**publication.identity, **publication.tags}
    body = {
        "name": name,
        "source": f"models:/{segment(model)}",
        "model_id": model,
        "description": publication.description,
        "tags": pairs_of(tags),
    }
    return await server.create(
        f"{_API}/model-versions/create",
        body,
        pick=lambda answer: str(answer["model_version"]["version"]),
        find=find,
        planned=str,
    )
