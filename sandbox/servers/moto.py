"""The AWS control plane, and an S3 that keeps every key exactly, played by moto's server."""

from __future__ import annotations

import sys

from sandbox.http import expect
from sandbox.model import Launch, Place, Server
from sandbox.servers import seaweed


def server(name: str) -> Server:
    """Return the AWS control plane."""
    return Server(
        name=name,
        title="AWS control plane (moto)",
        ports=("http",),
        launch=_launch,
        probe=_probe,
        connection=seaweed.connection,
        secrets=seaweed.new_keys,
        prepare=lambda place: place.home.mkdir(parents=True, exist_ok=True),
    )


def _launch(place: Place) -> Launch:
    argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(place.ports["http"])]
    return Launch(place.name, argv, str(place.log), str(place.home))


def _probe(place: Place) -> None:
    expect(f"{place.url}/moto-api/data.json")
