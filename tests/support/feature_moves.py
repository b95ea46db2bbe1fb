"""Moves between feature stores; run as a program, one that kills itself in the middle."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from heavylift.aio import run
from heavylift.connections import Connection
from heavylift.evidence.feature_records import FeatureVerificationRecord
from heavylift.evidence.records import RunKey
from heavylift.evidence.registry_records import RegistryMoveRecord, RegistryPreflightRecord
from heavylift.registry.features.feast_process import FeastProcesses
from heavylift.registry.features.moving import look_ahead, move_features
from heavylift.registry.features.requests import FeatureOptions, FeatureRequest, place_of
from heavylift.registry.features.verifying import verify_feature_store
from heavylift.registry.uris import uri_map
from heavylift.registry.work import Work


def feast(folder: Path, python: Path) -> Connection:
    """Return the connection to a repository."""
    return Connection(folder.name, "feast", extra={"repository": str(folder), "python": str(python)})


@dataclass
class FeatureMoves:
    """Two feature stores, and what can be done with them.

    :param pairs: prefixes of histories, source to target.
    """

    source: Connection
    target: Connection
    pairs: tuple[tuple[str, str], ...]
    options: dict[str, Any] = field(default_factory=dict)
    processes: FeastProcesses | None = None
    source_history: Connection | None = None
    target_history: Connection | None = None

    def request(self, **options: Any) -> FeatureRequest:
        """Return a request that accepts losses unless told otherwise."""
        given = {"accept_losses": True, "sample": 60, **self.options, **options}
        return FeatureRequest(
            RunKey(migration="m", phase="registry", run="r1"),
            "features",
            replace(place_of(self.source, None, lambda _: self.source), **_given(self.source_history)),
            replace(place_of(self.target, None, lambda _: self.target), **_given(self.target_history)),
            None,
            None,
            FeatureOptions(uris=uri_map(self.pairs), **given),
        )

    def look(self, **options: Any) -> RegistryPreflightRecord:
        """Look ahead."""
        return run(look_ahead(self.request(**options), Work(), self.processes))

    def copy(self, **options: Any) -> RegistryMoveRecord:
        """Copy."""
        return run(move_features(self.request(**options), Work(), self.processes))

    def verify(self, **options: Any) -> FeatureVerificationRecord:
        """Compare."""
        return run(verify_feature_store(self.request(**options), Work(), self.processes))

    def differing(self) -> set[tuple[str, str]]:
        """Return the sorts and kinds of what a comparison finds."""
        proof = self.verify()
        assert proof.passed is (not proof.differences)
        return {(each.what, each.kind) for each in proof.differences}


def _given(history: Connection | None) -> dict[str, Connection]:
    return {"history": history} if history else {}


def _main() -> None:
    """Copy what standard input tells, and end by a signal once the first view is served."""
    given = json.load(sys.stdin)
    module, _, name = given.get("at", "heavylift.registry.features.feast:FeastStore").partition(":")
    kind = getattr(importlib.import_module(module), name)
    serve = kind.serve

    def last(self: Any, *arguments: Any) -> int:
        serve(self, *arguments)
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    kind.serve = last
    sides = [Connection(**given[side]) for side in ("source", "target")]
    history = given.get("target_history")
    moves = FeatureMoves(sides[0], sides[1], tuple(map(tuple, given["pairs"])))  # type: ignore[arg-type]
    moves.target_history = Connection(**history) if history else None
    moves.copy()


if __name__ == "__main__":
    _main()
