"""Reads the artifacts of runs and logged models through a tracking server, as digests of their bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from heavylift.errors import HeavyliftError
from heavylift.registry.rest.client import TrackingServer

UNREADABLE = "unreadable"
PROXY = "api/2.0/mlflow-artifacts/artifacts"
"""Where a server hands out and takes in what lies below its own artifact root; no database is asked."""
_OWN_ROOT = "mlflow-artifacts:"


@dataclass(frozen=True)
class Owner:
    """What artifacts belong to.

    :param kind: ``run`` or ``logged model``.
    """

    kind: str
    id: str

    @property
    def listing(self) -> tuple[str, str, dict[str, str]]:
        """The path and parameters of a listing, and the parameter that names a folder."""
        if self.kind == "run":
            return "api/2.0/mlflow/artifacts/list", "path", {"run_id": self.id}
        return f"api/2.0/mlflow/logged-models/{self.id}/artifacts/directories", "artifact_directory_path", {}

    def file(self, path: str) -> tuple[str, dict[str, str]]:
        """Return the path and parameters that send a file."""
        if self.kind == "run":
            return "get-artifact", {"run_uuid": self.id, "path": path}
        inside = f"ajax-api/2.0/mlflow/logged-models/{self.id}/artifacts/files"
        return inside, {"artifact_file_path": path}


async def artifact_digests(server: TrackingServer, owner: Owner, *, contents: bool = True) -> dict[str, str]:
    """Return the digests of an owner's files by path; a file or listing that fails is told as such.

    :param contents: False returns sizes in their place, as the server lists them, and reads no file.
    """
    found: dict[str, str] = {}
    try:
        async for path, size in artifact_files(server, owner):
            found[path] = await _digest(server, owner, path) if contents else f"{size} bytes"
    except HeavyliftError as error:
        found[""] = f"{UNREADABLE} on {server.name}: HL-{error.code}"
    return found


async def _digest(server: TrackingServer, owner: Owner, path: str) -> str:
    place, query = owner.file(path)
    try:
        return await server.digest(place, query)
    except HeavyliftError as error:
        return f"{UNREADABLE} on {server.name}: HL-{error.code}"


async def artifact_files(
    server: TrackingServer, owner: Owner, folder: str = ""
) -> AsyncIterator[tuple[str, int]]:
    """Yield path and size of each of an owner's files, or of those below a folder."""
    place, parameter, query = owner.listing
    asked: dict[str, Any] = {**query, parameter: folder} if folder else dict(query)
    folders: list[str] = []
    async for page in server.pages(place, "files", asked):
        for each in page:
            if each.get("is_dir"):
                folders.append(str(each["path"]))
            else:
                yield str(each["path"]), int(each.get("file_size") or 0)
    for inner in folders:
        async for found in artifact_files(server, owner, inner):
            yield found


def folder_behind(uri: str) -> str | None:
    """Return which folder below its server's own artifact root a URI names; None where it names none."""
    path = uri.removeprefix(_OWN_ROOT)
    named = path != uri and path.startswith("/") and not path.startswith("//")
    return (path.strip("/") or None) if named else None


async def handed_out(server: TrackingServer, folder: str, within: str = "") -> AsyncIterator[tuple[str, int]]:
    """Yield path, from the folder on, and size of each file below a folder of the server's own root."""
    folders: list[str] = []
    answer = await server.get(PROXY, {"path": f"{folder}/{within}".rstrip("/")})
    for each in answer.get("files") or ():
        path = f"{within}/{each['path']}".lstrip("/")
        if each.get("is_dir"):
            folders.append(path)
        else:
            yield path, int(each.get("file_size") or 0)
    for inner in folders:
        async for found in handed_out(server, folder, inner):
            yield found
