"""An S3 server of a test's own (SeaweedFS), with identities that may do less than everything."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heavylift.connections import Connection
from sandbox import ports
from sandbox.model import Place
from sandbox.servers import seaweed

ALL = ("Admin", "Read", "Write", "List", "Tagging")
_DEADLINE_SECONDS = 60
_ROOT = "root"


@dataclass(frozen=True)
class Weed:
    """A server that runs."""

    url: str

    def connection(self, identity: str) -> Connection:
        """Return the connection of one of the identities."""
        extra = {"endpoint_url": self.url, "region_name": seaweed.REGION}
        return Connection(identity, "aws", login=identity, password=_secret(identity), extra=extra)

    def client(self) -> Any:
        """Return the vendor's client, which may do everything."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=_ROOT,
            aws_secret_access_key=_secret(_ROOT),
            region_name=seaweed.REGION,
        )


def _secret(identity: str) -> str:
    return f"secret-of-{identity}"


@contextmanager
def weed(folder: Path, identities: Mapping[str, Sequence[str]]) -> Iterator[Weed]:
    """Run a server for the length of the block.

    :param identities: what each may do, in SeaweedFS' words: ``Read``, or ``Read:bucket/prefix*``.
    """
    server = seaweed.server("limited", "S3")
    taken: set[int] = set()
    place = Place(
        "limited",
        folder,
        ports.choose("limited", server.ports, before={}, taken=taken),
        {"access_key": _ROOT, "secret_key": _secret(_ROOT)},
    )
    (place.home / "data").mkdir(parents=True)
    known = [
        {
            "name": name,
            "credentials": [{"accessKey": name, "secretKey": _secret(name)}],
            "actions": list(actions),
        }
        for name, actions in {_ROOT: ALL, **identities}.items()
    ]
    (place.home / "s3.json").write_text(json.dumps({"identities": known}))
    launch = server.launch(place)
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen(launch.argv, cwd=launch.cwd, stdout=log, stderr=log)
        try:
            _wait_for(server, place, process)
            yield Weed(place.url)
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(server: Any, place: Place, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _DEADLINE_SECONDS
    while True:
        try:
            server.probe(place)
            return
        except Exception:
            if process.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.1)
