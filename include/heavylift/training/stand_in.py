"""Stands in for torchrun in a rehearsal: takes its numbers and places as torchrun does, starts the processes.

A program of its own: the standard library only. What it knows of torchrun: arguments win over the
variables ``PET_<ARGUMENT>``; each process gets RANK, LOCAL_RANK, GROUP_RANK, WORLD_SIZE, LOCAL_WORLD_SIZE,
MASTER_ADDR and MASTER_PORT (pytorch.org/docs/stable/elastic/run.html).
"""

from __future__ import annotations

import os
import subprocess
import sys


def told(words: list[str], name: str, default: str) -> str:
    """Return one of torchrun's settings."""
    flag = f"--{name}="
    given = [word[len(flag) :] for word in words if word.startswith(flag)]
    return given[-1] if given else os.environ.get(f"PET_{name.upper().replace('-', '_')}", default)


def main(words: list[str]) -> int:
    """Start this machine's processes and return the worst of their statuses."""
    nodes, rank = int(told(words, "nnodes", "1")), int(told(words, "node-rank", "0"))
    processes = int(told(words, "nproc-per-node", "1"))
    running = []
    for local in range(processes):
        environment = {
            **os.environ,
            "RANK": str(rank * processes + local),
            "LOCAL_RANK": str(local),
            "GROUP_RANK": str(rank),
            "WORLD_SIZE": str(nodes * processes),
            "LOCAL_WORLD_SIZE": str(processes),
            "MASTER_ADDR": told(words, "master-addr", "127.0.0.1"),
            "MASTER_PORT": told(words, "master-port", "29500"),
        }
        toy = [sys.executable, os.environ["HEAVYLIFT_TOY"]]
        running.append(subprocess.Popen(toy, env=environment))  # noqa: S603 - our own program
    return max(each.wait() for each in running)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
