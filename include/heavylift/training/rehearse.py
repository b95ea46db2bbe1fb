"""Runs both forms' launchers here with what each platform tells its machines, and compares who is who.

Machines are processes of this one, torchrun is :mod:`heavylift.training.stand_in`, the program is
:mod:`heavylift.training.toy`. It shows that ranks, number of processes and first machine come out the same;
it shows nothing of GPUs, of NCCL or of the network.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from heavylift.errors import IncompleteError, UnsupportedError
from heavylift.training import launcher_program
from heavylift.training.checking import pods_of
from heavylift.training.model import Form, Job, Launcher
from heavylift.training.writers.vertex import launcher_text

MOST_NODES, MOST_PROCESSES = 3, 2


@dataclass(frozen=True)
class Seen:
    """What one process saw."""

    rank: int
    world: int
    node: int
    local: int
    leads: bool
    total: tuple[float, ...]


@dataclass(frozen=True)
class Rehearsal:
    """Both forms, process by process.

    :param nodes: machines that were played; fewer than the job's where it has many.
    """

    nodes: int
    processes: int
    source: tuple[Seen, ...]
    target: tuple[Seen, ...]

    @property
    def equal(self) -> bool:
        """Whether every process has the same place and the same sum in both forms."""
        return bool(self.source) and self.source == self.target


def machines(form: Form, nodes: int, processes: int) -> list[dict[str, str]]:
    """Return what each machine's environment holds on a platform, for jobs that torchrun starts."""
    if form is Form.SAGEMAKER:
        hosts = [f"algo-{index + 1}" for index in range(nodes)]
        return [
            {"SM_HOSTS": json.dumps(hosts[::-1]), "SM_CURRENT_HOST": host, "SM_NUM_GPUS": str(processes)}
            for host in hosts
        ]
    if form is Form.VERTEX:
        first, others = ["w0-0:2222"], [f"w1-{index}:2222" for index in range(nodes - 1)]
        cluster = {"workerpool0": first, **({"workerpool1": others} if others else {})}
        tasks = [("workerpool0", 0), *(("workerpool1", index) for index in range(nodes - 1))]
        return [
            {"CLUSTER_SPEC": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}
            for kind, index in tasks
        ]
    if form is Form.KUBERNETES:
        return [
            {
                "PET_NNODES": str(nodes),
                "PET_NPROC_PER_NODE": str(processes),
                "PET_NODE_RANK": str(index),
                "PET_MASTER_ADDR": "job-0",
                "PET_MASTER_PORT": "29500",
            }
            for index in range(nodes)
        ]
    return [
        {
            "AZUREML_NODE_COUNT": str(nodes),
            "NODE_RANK": str(index),
            "MASTER_ADDR": "10.0.0.4",
            "MASTER_PORT": str(6105),
        }
        for index in range(nodes)
    ]


def rehearse(source: Job, target: Job, text: str = "", seconds: float = 120.0) -> Rehearsal:
    """Run both forms and return who was who; processes end with the call.

    :param text: the target's definition, whose own command is run where the platform runs one.

    :raises UnsupportedError: a form is not started by torchrun.
    :raises IncompleteError: a form's processes did not find together.
    """
    for job in (source, target):
        if job.launcher is not Launcher.TORCHRUN:
            raise UnsupportedError(
                f"rehearsing {job.name}",
                got=f"a job that {job.launcher} starts",
                expected="one that torchrun starts",
                state="nothing was run",
                remedy="try the launcher on the target with two machines",
                code="9206",
            )
    nodes, processes = min(target.machine.nodes, MOST_NODES), min(target.processes, MOST_PROCESSES)
    played = _play(source.form, _command(source.form, processes), (nodes, processes), seconds)
    command = _written(target.form, text, processes) or _command(target.form, processes)
    return Rehearsal(nodes, processes, played, _play(target.form, command, (nodes, processes), seconds))


def _play(form: Form, command: list[str], shape: tuple[int, int], seconds: float) -> tuple[Seen, ...]:
    nodes, processes = shape
    folder = Path(__file__).parent
    with tempfile.TemporaryDirectory(prefix="heavylift-rehearsal-") as scratch:
        launcher = Path(scratch, "bin", "torchrun")
        launcher.parent.mkdir()
        program = (folder / "stand_in.py").read_text(encoding="utf-8")
        launcher.write_text(f"#!{sys.executable}\n{program}", encoding="utf-8")
        launcher.chmod(0o700)
        common = {
            "PATH": f"{launcher.parent}:{os.defpath}",
            "HEAVYLIFT_TOY": str(folder / "toy.py"),
            "HEAVYLIFT_SCRATCH": scratch,
        }
        told = machines(form, nodes, processes)
        running = [
            subprocess.Popen(  # noqa: S603 - our own programs
                command, env={**common, **own, "HEAVYLIFT_HOST": str(index)},
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                start_new_session=True,
            )
            for index, own in enumerate(told)
        ]  # fmt: skip
        try:
            statuses = [each.communicate(timeout=seconds) and each.returncode for each in running]
        except subprocess.TimeoutExpired:
            statuses = [-1]
        finally:
            for each in running:
                _end(each)
        files = sorted(Path(scratch).glob("seen-*.json"))
        seen = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    if any(statuses) or len(seen) != nodes * processes:
        raise IncompleteError(
            f"rehearsing the launcher of {form}",
            got=f"{len(seen)} of {nodes * processes} processes, statuses {statuses}",
            expected="all of them, with status 0",
            state="the processes have been ended",
            remedy="run it again; if it stays, the form's variables are not what its launcher reads",
            code="9207",
        )
    return tuple(sorted((_seen(each, told) for each in seen), key=lambda each: each.rank))


def _end(process: subprocess.Popen[str]) -> None:
    """End a machine with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stderr is not None:
        process.stderr.close()


def _command(form: Form, processes: int) -> list[str]:
    """Return how a machine of the platform starts: its own launcher for torchrun, or ours on Vertex AI.

    SageMaker's toolkit and Azure ML do the same with variables of their own; the program that we put into
    definitions for Vertex AI knows these, too, and plays them.
    """
    if form is Form.KUBERNETES:
        return ["torchrun", "toy.py"]
    return [sys.executable, "-c", launcher_text(), str(processes), "toy.py"]


def _written(form: Form, text: str, processes: int) -> list[str]:
    """Return the command that a definition holds, for as many processes as are played; empty without one."""
    if not text or form not in {Form.VERTEX, Form.KUBERNETES}:
        return []
    if form is Form.VERTEX:
        container = json.loads(text)["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]
        words = [*container["command"], *container["args"]]
        words[0] = sys.executable
        # The first argument of our program is the number of processes.
        return [*words[:3], str(processes), *words[4:]]
    found = [pod for document in yaml.safe_load_all(text) for pod in pods_of(document)]
    return list(found[0]["containers"][0]["command"])


def _seen(found: dict[str, Any], told: list[dict[str, str]]) -> Seen:
    """Return what a process saw, with names of hosts as what they mean: the first machine or another."""
    rank, _, master, _ = launcher_program.resolve(told[int(found["host"])])
    leads = found["rank"] == 0 and found["master"] == master and rank == 0
    return Seen(found["rank"], found["world"], found["node"], found["local"], leads, tuple(found["sum"]))
