"""A process that copies or syncs a registry, to be killed; its request comes on standard input."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from typing import Any

from heavylift.connections import Connection
from heavylift.registry.ways import Act, way_of
from heavylift.registry.work import Work
from tests.support.isolated import REPOSITORY
from tests.support.stores import TwoStores


def start(stores: TwoStores, act: str, **options: Any) -> subprocess.Popen[str]:
    """Start the worker; its output is to be read with ``communicate``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.registry_worker", act],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=REPOSITORY,
        env={"PYTHONPATH": f"{REPOSITORY}/include:{REPOSITORY}", "PATH": "/usr/bin:/bin"},
    )
    assert process.stdin is not None
    asked = {"source": asdict(stores.source), "target": asdict(stores.target), "options": options}
    process.stdin.write(json.dumps(asked))
    process.stdin.close()
    process.stdin = None
    return process


def main() -> None:
    """Do what standard input describes."""
    asked = json.load(sys.stdin)
    stores = TwoStores(Connection(**asked["source"]), Connection(**asked["target"]))
    act: Act = "copy" if sys.argv[1] == "copy" else "sync"
    request = stores.request(**asked["options"])
    print(way_of(request).move(request, Work(), act).model_dump_json())


if __name__ == "__main__":
    main()
