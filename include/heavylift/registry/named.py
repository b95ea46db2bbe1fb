"""Finds one version of a model by its name in a registry of any kind, and passes its files on."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from heavylift.errors import NotFoundError, UnsupportedError
from heavylift.locations import SCHEMES
from heavylift.platforms.registered import (
    FilesConnection,
    Found,
    ModelRegistry,
    Publication,
    Registered,
    ServedFile,
)
from heavylift.registry.catalogues.files import PROXY, ServedFiles
from heavylift.registry.catalogues.marks import fit_mark
from heavylift.registry.catalogues.ports import Catalogue, HeldModel
from heavylift.registry.catalogues.wiring import kind_of, open_catalogue
from heavylift.registry.interface import names
from heavylift.registry.interface.server import WritingServer
from heavylift.registry.publishing import publish
from heavylift.registry.requests import RegistryPlace
from heavylift.spec.sections_data import RegistryKind

PARALLEL = 4
_VERSIONS, _MODELS = "api/2.0/mlflow/model-versions", "api/2.0/mlflow/registered-models"


@asynccontextmanager
async def open_registry(wanted: Registered) -> AsyncIterator[ModelRegistry]:
    """Open the registry that holds a version, for the length of the block."""
    kind = kind_of(wanted.connection)
    if kind is RegistryKind.MLFLOW:
        server = WritingServer(wanted.connection, PARALLEL)
        try:
            yield TrackedModels(server, wanted.files)
        finally:
            await server.close()
        return
    place = RegistryPlace(wanted.connection, kind=kind)
    catalogue = open_catalogue(place, PARALLEL, threading.Event())
    try:
        yield CatalogueModels(catalogue, kind.value)
    finally:
        await catalogue.close()


class TrackedModels:
    """The registered models of a tracking server, each asked for by name."""

    def __init__(self, server: WritingServer, store: FilesConnection) -> None:
        self._server = server
        self._store = store
        self._files = ServedFiles(server)

    async def find(self, wanted: Registered) -> Found:
        """Return what a name stands for.

        :raises NotFoundError: nothing there is called so.
        """
        try:
            name, number = await self._number(wanted)
            uri = await self._place(name, number) if number else ""
        except NotFoundError as error:
            raise _absent(wanted, f"HL-{error.code}: {error.got}") from error
        if not number:
            raise _absent(wanted, f"no alias {wanted.alias!r}")
        return placed(wanted, Found(name, number, uri))

    async def _place(self, name: str, number: str) -> str:
        answer = await self._server.get(f"{_VERSIONS}/get-download-uri", {"name": name, "version": number})
        return str(answer.get("artifact_uri") or "").rstrip("/")

    async def _number(self, wanted: Registered) -> tuple[str, str]:
        if wanted.alias:
            # Asked for an alias that is not there, a server says only that the request is wrong.
            answer = await self._server.get(f"{_MODELS}/get", {"name": wanted.name})
            aliases = answer["registered_model"].get("aliases") or ()
            numbers = [str(each["version"]) for each in aliases if each["alias"] == wanted.alias]
            return wanted.name, numbers[0] if numbers else ""
        return await self._copy(wanted) or (wanted.name, wanted.version)

    async def _copy(self, wanted: Registered) -> tuple[str, str] | None:
        """Return the copy that a move made through the interface; one at store level has the same name."""
        if not wanted.copied_by:
            return None
        for tags in (
            {names.REGISTRY: wanted.copied_by, names.ID: f"{wanted.name}/{wanted.version}"},
            # Marks of a move between registries of two kinds.
            {names.REGISTRY: wanted.copied_by, names.ID: wanted.name, names.VERSION: wanted.version},
        ):
            found = await self._tagged(tags)
            if found:
                return str(found[0]["name"]), str(found[0]["version"])
        return None

    async def _tagged(self, tags: dict[str, str]) -> list[dict[str, Any]]:
        chosen = " AND ".join(f"tags.`{key}` = '{_quoted(value)}'" for key, value in tags.items())
        query = {"max_results": 100, "filter": chosen}
        pages = self._server.pages(f"{_VERSIONS}/search", "model_versions", query)
        return [each async for page in pages for each in page]

    async def tagged(self, name: str, tags: Mapping[str, str]) -> Found | None:
        """Return the version of a model that bears all these tags."""
        for each in await self._tagged(dict(tags)):
            if each["name"] == name:
                return Found(name, str(each["version"]), str(each.get("source") or ""))
        return None

    async def publish(self, name: str, folder: Path, files: Sequence[str], publication: Publication) -> Found:
        """Upload a folder and make it a new version of a model."""
        return await publish(self._server, self._store, name, (folder, files), publication)

    def serves(self, found: Found) -> bool:
        """Tell whether the files come through the server."""
        return found.uri.startswith(f"{PROXY}:")

    async def listed(self, found: Found) -> list[ServedFile]:
        """Return the files of a version."""
        return [ServedFile(each.path, each.size_bytes) async for each in self._files.below(found.uri)]

    def content(self, found: Found, path: str) -> AsyncIterator[bytes]:
        """Yield a file, chunk by chunk."""
        return self._files.chunks(found.uri, path)


class CatalogueModels:
    """The registered models of a cloud's registry, which is read whole."""

    def __init__(self, catalogue: Catalogue, kind: str) -> None:
        self._catalogue = catalogue
        self._kind = kind

    async def find(self, wanted: Registered) -> Found:
        """Return what a name stands for.

        :raises NotFoundError: nothing there is called so.
        :raises UnsupportedError: it has no folder of files of its own.
        """
        for model in await self._catalogue.read():
            number = self._number(model, wanted)
            for held in model.versions:
                if held.version.number == number:
                    return placed(wanted, Found(model.model.name, number, self._folder(held.version, wanted)))
        raise _absent(wanted, "no such model or version")

    def _number(self, model: HeldModel, wanted: Registered) -> str:
        """Return the number of the version that is meant; empty where it is none of this model's."""
        if wanted.copied_by:
            meant = self._marks(wanted)
            held = {
                (each.origin.registry, each.origin.id, each.origin.version): each.version.number
                for each in model.versions
                if each.origin
            }
            return held.get(meant, "")
        if model.model.name != wanted.name:
            return ""
        return model.model.aliases.get(wanted.alias, "") if wanted.alias else wanted.version

    def _marks(self, wanted: Registered) -> tuple[str, str, str]:
        """Return registry, id and version as a copy's marks tell them."""
        pairs = self._catalogue.capabilities.version.pairs
        parts = (wanted.copied_by, wanted.name, wanted.version)
        registry, name, version = parts if pairs is None else (fit_mark(each, pairs) for each in parts)
        return registry, name, version

    def _folder(self, version: Any, wanted: Registered) -> str:
        containers: Sequence[Any] = version.containers
        if len(containers) != 1 or not containers[0].artifact:
            raise self._no_folder(wanted, f"{len(containers)} containers, not one with files")
        if containers[0].packing not in {"", "folder"}:
            raise self._no_folder(wanted, f"{containers[0].artifact}, packed as {containers[0].packing!r}")
        return str(containers[0].artifact)

    def _no_folder(self, wanted: Registered, got: str) -> UnsupportedError:
        return UnsupportedError(
            f"finding the files of {wanted} in the {self._kind} registry {wanted.connection.conn_id!r}",
            got=got,
            expected="one container with a folder of files",
            state="nothing was run or changed",
            remedy="unpack the model into a folder, and name that folder's URL in place of the registry",
            code="7803",
        )

    async def tagged(self, name: str, tags: Mapping[str, str]) -> Found | None:
        """Return nothing: versions are made in MLflow's registries only."""
        del name, tags
        return None

    async def publish(self, name: str, folder: Path, files: Sequence[str], publication: Publication) -> Found:
        """Refuse to make a version.

        :raises UnsupportedError: always.
        """
        del folder, files, publication
        raise UnsupportedError(
            f"registering {name!r} in the {self._kind} registry",
            got="a new version of a model",
            expected="a registry of MLflow",
            state="nothing was changed there",
            remedy="name a folder for converted models instead",
            code="7812",
        )

    def serves(self, found: Found) -> bool:
        """Tell that the files lie in an object store."""
        del found
        return False

    async def listed(self, found: Found) -> list[ServedFile]:
        """Return nothing: no file comes through such a registry."""
        del found
        return []

    async def content(self, found: Found, path: str) -> AsyncIterator[bytes]:
        """Yield nothing."""
        del found, path
        nothing: tuple[bytes, ...] = ()
        for chunk in nothing:
            yield chunk


def placed(wanted: Registered, found: Found) -> Found:
    """Return what was found where its files can be reached.

    :raises UnsupportedError: they lie where neither an object store nor the registry gives them out.
    """
    scheme = found.uri.partition(":")[0]
    if scheme in SCHEMES or scheme == PROXY:
        return found
    raise UnsupportedError(
        f"finding the files of {wanted} in registry {wanted.connection.conn_id!r}",
        got=f"the location {found.uri!r}",
        expected=", ".join(f"{each}://" for each in SCHEMES) + f" or {PROXY}:/",
        state="nothing was run or changed",
        remedy="name the URL of the folder itself, or map the location when the registry is copied",
        code="7804",
    )


def _quoted(value: str) -> str:
    return value.replace("'", "\\'")


def _absent(wanted: Registered, got: str) -> NotFoundError:
    of = f"the copy of {wanted} by {wanted.copied_by!r}" if wanted.copied_by else str(wanted)
    return NotFoundError(
        f"looking for {of} in registry {wanted.connection.conn_id!r}",
        got=got,
        expected="a version of that name",
        state="nothing was run or changed",
        remedy="correct the name, version or alias; a copy is there once the registry phase has run",
        code="7802",
    )
