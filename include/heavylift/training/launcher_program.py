"""Starts torchrun with the places that a platform's variables tell. Runs in the job's container.

Its text becomes part of the definition (``python3 -c …``), so it uses the standard library only, and
nothing of Heavylift.
"""

import json
import os
import sys


def resolve(env: dict) -> tuple:  # type: ignore[type-arg]
    """Return (rank of this machine, machines, address and port of the first) of a platform's variables."""
    if env.get("CLUSTER_SPEC"):
        return _vertex(json.loads(env["CLUSTER_SPEC"]), env)
    if env.get("SM_HOSTS"):
        hosts = sorted(json.loads(env["SM_HOSTS"]), key=_numbered)
        return hosts.index(env["SM_CURRENT_HOST"]), len(hosts), hosts[0], env.get("MASTER_PORT", str(7777))
    if env.get("PET_NNODES"):
        nodes = int(env["PET_NNODES"].split(":")[-1])
        return int(env["PET_NODE_RANK"]), nodes, env["PET_MASTER_ADDR"], env.get("PET_MASTER_PORT", "29500")
    if env.get("AZUREML_NODE_COUNT"):
        rank = int(env.get("NODE_RANK") or env.get("GROUP_RANK") or 0)
        return rank, int(env["AZUREML_NODE_COUNT"]), env["MASTER_ADDR"], env["MASTER_PORT"]
    return 0, 1, "127.0.0.1", env.get("MASTER_PORT", "29500")


def _vertex(spec: dict, env: dict) -> tuple:  # type: ignore[type-arg]
    # Pools 2 and 3 are parameter or reduction servers and evaluators: they train nothing.
    pools = ("workerpool0", "workerpool1")
    hosts = [host for pool in pools for host in spec["cluster"].get(pool, ())]
    task = spec["task"]
    first = len(spec["cluster"].get("workerpool0", ())) if task["type"] == "workerpool1" else 0
    name, _, port = hosts[0].rpartition(":")
    return (
        first + int(task["index"]),
        len(hosts),
        name or hosts[0],
        env.get("MASTER_PORT") or port or str(2222),
    )


def _numbered(host: str) -> tuple:  # type: ignore[type-arg]
    # algo-10 comes after algo-9.
    head, _, tail = host.rpartition("-")
    return (head, int(tail)) if tail.isdigit() else (host, 0)


def command(env: dict, processes: str, rest: list) -> list:  # type: ignore[type-arg]
    """Return the command that starts this machine's processes."""
    rank, nodes, address, port = resolve(env)
    return [
        "torchrun",
        f"--nnodes={nodes}",
        f"--node-rank={rank}",
        f"--nproc-per-node={processes}",
        f"--master-addr={address}",
        f"--master-port={port}",
        *rest,
    ]


if __name__ == "__main__":
    words = command(dict(os.environ), sys.argv[1], sys.argv[2:])
    print("heavylift:", *words[:6], flush=True)
    os.execvp(words[0], words)  # noqa: S606 - the container's own launcher, no shell
