"""Moves through the interfaces of two tracking servers; run as a program, one that is to be killed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any

from heavylift.aio import run
from heavylift.connections import Connection
from heavylift.evidence.records import RunKey
from heavylift.evidence.registry_records import (
    RegistryIdMap,
    RegistryMoveRecord,
    RegistryPreflightRecord,
    RegistryVerificationRecord,
)
from heavylift.registry.interface.moving import look_ahead, move_interface
from heavylift.registry.requests import RegistryOptions, RegistryPlace, RegistryRequest
from heavylift.registry.settling import Judgement
from heavylift.registry.verifying import compare_servers, verification
from heavylift.registry.work import Work
from heavylift.spec.sections_data import OnNameConflict, RegistryPath
from heavylift.spec.vocabulary import Deletes
from tests.support.isolated import REPOSITORY


@dataclass(frozen=True)
class Moves:
    """Two servers, and what can be done with them.

    :param back: what was moved there goes back.
    :param registry: the registry's name.
    """

    source: Connection
    target: Connection
    back: bool = False
    registry: str = "history"

    def request(
        self, deletes: str = "keep", on_name_conflict: str = "fail", **options: Any
    ) -> RegistryRequest:
        """Return a request that moves everything through the interface."""
        request = RegistryRequest(
            RunKey(migration="m", phase="registry", run="r1"),
            self.registry,
            RegistryPlace(self.source),
            RegistryPlace(self.target),
            None,
            None,
            RegistryOptions(
                path=RegistryPath.API,
                deletes=Deletes(deletes),
                on_name_conflict=OnNameConflict(on_name_conflict),
                **options,
            ),
        )
        return request.back() if self.back else request

    def look(self, **options: Any) -> RegistryPreflightRecord:
        """Look ahead."""
        return run(look_ahead(self.request(**options), Work()))

    def copy(self, **options: Any) -> tuple[RegistryMoveRecord, RegistryIdMap]:
        """Copy everything."""
        return run(move_interface(self.request(**options), Work(), "copy"))

    def sync(self, **options: Any) -> RegistryMoveRecord:
        """Bring the copy up to date."""
        return run(move_interface(self.request(**options), Work(), "sync"))[0]

    def verify(self, **options: Any) -> RegistryVerificationRecord:
        """Compare both servers."""
        request = self.request(**options)
        return verification(request, run(compare_servers(request, Work(), Judgement())), (), 0.0)


def start(moves: Moves) -> subprocess.Popen[str]:
    """Start a copy in a process of its own; its output is to be read with ``communicate``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.interface_moves"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=REPOSITORY,
        env={"PYTHONPATH": f"{REPOSITORY}/include:{REPOSITORY}", "PATH": "/usr/bin:/bin"},
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps([asdict(moves.source), asdict(moves.target)]))
    process.stdin.close()
    process.stdin = None
    return process


def main() -> None:
    """Copy what standard input describes."""
    source, target = json.load(sys.stdin)
    print(Moves(Connection(**source), Connection(**target)).copy()[0].model_dump_json())


if __name__ == "__main__":
    main()
