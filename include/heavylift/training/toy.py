"""The program of a rehearsal: finds its group by what the launcher told it, and sums a vector over all.

A program of its own: the standard library only. The first process listens, the others connect to it and
say who they are; it sums what they have and answers with the sum. All machines are this one, so the first
process writes its port where the others look; the address that the launcher told is kept for the report.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from pathlib import Path

SECONDS = 60.0
LENGTH = 8


def main(environment: dict[str, str], scratch: Path) -> None:
    """Take part, and write down what this process saw."""
    rank, world = int(environment["RANK"]), int(environment["WORLD_SIZE"])
    mine = [float((rank + 1) * (index + 1)) for index in range(LENGTH)]
    total = _lead(world, mine, scratch) if rank == 0 else _follow(rank, mine, scratch)
    seen = {
        "rank": rank,
        "world": world,
        "local": int(environment["LOCAL_RANK"]),
        "node": int(environment["GROUP_RANK"]),
        "master": environment["MASTER_ADDR"],
        "host": environment["HEAVYLIFT_HOST"],
        "sum": total,
    }
    Path(scratch, f"seen-{rank}-{os.getpid()}.json").write_text(json.dumps(seen))


def _lead(world: int, mine: list[float], scratch: Path) -> list[float]:
    with socket.create_server(("127.0.0.1", 0), backlog=world) as server:
        server.settimeout(SECONDS)
        unfinished = Path(scratch, "port.new")
        unfinished.write_text(str(server.getsockname()[1]))
        unfinished.rename(Path(scratch, "port"))
        others: dict[int, socket.socket] = {}
        total = list(mine)
        while len(others) < world - 1:
            connection, _ = server.accept()
            given = json.loads(connection.makefile("rb").readline())
            if given["rank"] in others or not 0 < given["rank"] < world:
                raise ValueError(given["rank"])
            others[given["rank"]] = connection
            total = [a + b for a, b in zip(total, given["vector"], strict=True)]
        for connection in others.values():
            connection.sendall(json.dumps(total).encode() + b"\n")
            connection.close()
    return total


def _follow(rank: int, mine: list[float], scratch: Path) -> list[float]:
    file, end = Path(scratch, "port"), time.monotonic() + SECONDS
    while not file.exists():
        if time.monotonic() > end:
            raise TimeoutError("the first process told no port")
        time.sleep(0.01)
    with socket.create_connection(("127.0.0.1", int(file.read_text())), SECONDS) as connection:
        connection.sendall(json.dumps({"rank": rank, "vector": mine}).encode() + b"\n")
        answer = json.loads(connection.makefile("rb").readline())
    return [float(each) for each in answer]


if __name__ == "__main__":
    main(dict(os.environ), Path(os.environ["HEAVYLIFT_SCRATCH"]))
    sys.exit(0)
