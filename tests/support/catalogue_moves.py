"""Moves between registries of two kinds; run as a program, one that is to be killed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

from heavylift.aio import run
from heavylift.connections import Connection
from heavylift.evidence.records import RunKey
from heavylift.evidence.registry_records import (
    RegistryMoveRecord,
    RegistryPreflightRecord,
    RegistryVerificationRecord,
)
from heavylift.registry.catalogues.moving import look_ahead, move_catalogue
from heavylift.registry.catalogues.verifying import compare_catalogues
from heavylift.registry.catalogues.wiring import kind_of
from heavylift.registry.requests import RegistryOptions, RegistryPlace, RegistryRequest
from heavylift.registry.settling import Judgement
from heavylift.registry.uris import uri_map
from heavylift.registry.verifying import verification
from heavylift.registry.work import Work
from tests.support.isolated import REPOSITORY


@dataclass(frozen=True)
class CatalogueMoves:
    """Two registries, and what can be done with them.

    :param pairs: prefixes of artifacts, source to target.
    :param stores: connections of both object stores.
    """

    source: Connection
    target: Connection
    pairs: tuple[tuple[str, str], ...] = ()
    stores: tuple[Connection | None, Connection | None] = (None, None)
    name: str = "models"
    options: dict[str, Any] = field(default_factory=dict)

    def request(self, **options: Any) -> RegistryRequest:
        """Return a request that accepts losses unless told otherwise."""
        given = {"accept_losses": True, **self.options, **options}
        return RegistryRequest(
            RunKey(migration="m", phase="registry", run="r1"),
            self.name,
            RegistryPlace(self.source, kind=kind_of(self.source), artifacts=self.stores[0]),
            RegistryPlace(self.target, kind=kind_of(self.target), artifacts=self.stores[1]),
            None,
            None,
            RegistryOptions(uris=uri_map(self.pairs), **given),
        )

    def look(self, **options: Any) -> RegistryPreflightRecord:
        """Look ahead."""
        return run(look_ahead(self.request(**options), Work()))

    def copy(self, **options: Any) -> RegistryMoveRecord:
        """Copy."""
        return run(move_catalogue(self.request(**options), Work(), "copy"))

    def sync(self, **options: Any) -> RegistryMoveRecord:
        """Sync."""
        return run(move_catalogue(self.request(**options), Work(), "sync"))

    def verify(self, **options: Any) -> RegistryVerificationRecord:
        """Compare."""
        request = self.request(**options)
        found = run(compare_catalogues(request, Work(), Judgement()))
        return verification(request, found, (), 0.0)

    def start(self) -> subprocess.Popen[bytes]:
        """Start a copy in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.catalogue_moves"],
            cwd=REPOSITORY,
            env={"PYTHONPATH": f"{REPOSITORY}/include:{REPOSITORY}", "PATH": "/usr/bin:/bin"},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )


def started(moves: CatalogueMoves) -> subprocess.Popen[bytes]:
    """Start a copy in a process of its own, and hand it the connections."""
    process = moves.start()
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(moves)).encode())
    process.stdin.close()
    return process


def _main() -> None:
    given = json.load(sys.stdin)
    sides = [Connection(**given[side]) for side in ("source", "target")]
    stores = tuple(Connection(**each) if each else None for each in given["stores"])
    pairs = tuple(map(tuple, given["pairs"]))
    moves = CatalogueMoves(*sides, pairs, stores, given["name"], given["options"])  # type: ignore[arg-type]
    moves.copy()


if __name__ == "__main__":
    _main()
