"""Takes a command apart: launcher, numbers of processes, and the program that runs in each."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from heavylift.training.documents import whole
from heavylift.training.model import Batch, Launcher
from heavylift.training.notes import Findings, is_secret

_SHELL = re.compile(r"&&|\|\||[;|<>`]|\$\(|\n")
_TORCH_MODULES = {"torch.distributed.run", "torch.distributed.launch"}
_PLACED = {
    "nnodes", "nproc-per-node", "node-rank", "master-addr", "master-port", "rdzv-backend", "rdzv-endpoint",
    "rdzv-id", "rdzv-conf", "local-addr", "standalone", "use-env",
}  # fmt: skip
"""Arguments of torchrun that say how many and where: the target's own take their place."""
_FLAGS = {"standalone", "use-env", "no-python", "m", "module"}
_MPI_VALUES = {
    "-np": 1, "-n": 1, "--np": 1, "-H": 1, "--host": 1, "-hostfile": 1, "--hostfile": 1, "-x": 1, "-mca": 2,
    "--mca": 2, "-bind-to": 1, "--bind-to": 1, "-map-by": 1, "--map-by": 1, "-N": 1, "-npernode": 1,
    "--npernode": 1, "-ppn": 1,
}  # fmt: skip
PER_DEVICE = (
    "per_device_train_batch_size", "per_device_batch_size", "micro_batch_size", "per_gpu_train_batch_size",
    "train_micro_batch_size_per_gpu", "batch_size",
)  # fmt: skip
ACCUMULATION = ("gradient_accumulation_steps", "accumulate_grad_batches", "grad_accum", "grad_accumulation")
_FIXED_GLOBAL = ("global_batch_size", "global_train_batch_size", "train_batch_size")


@dataclass
class Command:
    """A command, taken apart.

    :param processes: in each machine, where the command says so; ``total`` likewise of all machines.
    :param exported: variables that an MPI launcher hands on, with their values where given.
    """

    launcher: Launcher
    program: tuple[str, ...]
    processes: int | None = None
    total: int | None = None
    options: tuple[str, ...] = ()
    exported: dict[str, str] = field(default_factory=dict)


def split(text: str, findings: Findings) -> list[str]:
    """Return the words of a command line; a line of several commands blocks."""
    if _SHELL.search(text):
        findings.block(
            "command",
            "it is a shell's line with several commands, pipes or substitutions",
            "put it into a script of its own, and let the command be the launcher and that script",
        )
    try:
        return shlex.split(text)
    except ValueError:
        findings.block("command", "its quotes do not close", "correct the command")
        return text.split()


def take_apart(words: Sequence[str], findings: Findings) -> Command:
    """Return launcher and program of a command."""
    words = list(words)
    if (
        len(words) == 3
        and words[0] in {"sh", "bash", "/bin/sh", "/bin/bash"}
        and words[1] in {"-c", "-lc", "-ec"}
    ):
        words = split(words[2], findings)
    if not words:
        return Command(Launcher.PLAIN, ())
    name = words[0].rsplit("/", 1)[-1]
    if name == "torchrun":
        return _torchrun(words[1:], findings)
    if name.startswith("python") and len(words) > 2 and words[1] == "-m" and words[2] in _TORCH_MODULES:
        return _torchrun(words[3:], findings)
    if name in {"mpirun", "mpiexec"}:
        return _mpirun(words[1:])
    if name in {"deepspeed", "accelerate", "horovodrun", "smddprun", "smdistributed-modelparallel"}:
        findings.block(
            "launcher",
            f"{name} starts the processes in its own way",
            "start the program with torchrun or mpirun; both DeepSpeed and Accelerate run under torchrun",
        )
    return Command(Launcher.PLAIN, tuple(words))


def _torchrun(words: list[str], findings: Findings) -> Command:
    processes, options, at = None, [], 0
    while at < len(words) and words[at].startswith("-"):
        name, equals, value = words[at].lstrip("-").replace("_", "-").partition("=")
        value = words[at].partition("=")[2]
        taken = 1
        if not equals and name not in _FLAGS and at + 1 < len(words):
            value, taken = words[at + 1], 2
        if name == "nproc-per-node":
            processes = whole(value)
            if processes is None:
                findings.need(
                    "launcher",
                    f"the number of processes was {value!r}: taken as one for each device",
                    "check it",
                )
        elif name in {"m", "module"}:
            break
        elif name not in _PLACED and name != "no-python":
            options += [f"--{name}", *([value] if equals or taken == 2 else [])]
        if name == "nnodes" and ":" in value:
            findings.lose(
                "launcher",
                f"the job could go on with another number of machines ({value})",
                "machines are fixed on the target; restarts begin at the last checkpoint",
            )
        at += taken
        if name == "no-python":
            return Command(Launcher.TORCHRUN, tuple(words[at:]), processes, options=tuple(options))
    rest = words[at:]
    if rest and rest[0].lstrip("-") in {"m", "module"}:
        return Command(Launcher.TORCHRUN, ("python", "-m", *rest[1:]), processes, options=tuple(options))
    return Command(Launcher.TORCHRUN, ("python", *rest), processes, options=tuple(options))


def _mpirun(words: list[str]) -> Command:
    found, at = Command(Launcher.MPI, ()), 0
    options: list[str] = []
    while at < len(words) and words[at].startswith("-"):
        name, values = words[at], words[at + 1 : at + 1 + _MPI_VALUES.get(words[at], 0)]
        if name in {"-np", "-n", "--np"}:
            found.total = whole(values[0]) if values else None
        elif name in {"-N", "-npernode", "--npernode", "-ppn"}:
            found.processes = whole(values[0]) if values else None
        elif name == "-x" and values:
            variable, _, value = values[0].partition("=")
            found.exported[variable] = value
        elif name not in {"-H", "--host", "-hostfile", "--hostfile"} and "btl_tcp_if" not in " ".join(values):
            options += [name, *values]
        at += 1 + len(values)
    found.program, found.options = tuple(words[at:]), tuple(options)
    return found


def parameters(program: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Return the parameters of a program by name, each with the index of its word and its value."""
    found: dict[str, tuple[int, str]] = {}
    for index, word in enumerate(program):
        if not word.startswith("--"):
            continue
        name, equals, value = word[2:].partition("=")
        if not equals:
            following = program[index + 1] if index + 1 < len(program) else ""
            value = "" if following.startswith("--") else following
        found[name.replace("-", "_")] = (index, value)
    return found


def batch_of(program: Sequence[str], findings: Findings) -> Batch:
    """Return the batch that a program's parameters tell."""
    known = parameters(program)
    for name in _FIXED_GLOBAL:
        if name in known and not any(each in known for each in PER_DEVICE):
            findings.need(
                "batch",
                f"--{name} fixes the batch of all processes: the program divides it itself",
                "look that it divides by the new number of processes",
            )
    per_device = next((name for name in PER_DEVICE if whole(known.get(name, (0, ""))[1])), "")
    accumulation = next((name for name in ACCUMULATION if whole(known.get(name, (0, ""))[1])), "")
    return Batch(
        per_device=whole(known[per_device][1]) if per_device else None,
        accumulation=(whole(known[accumulation][1]) or 1) if accumulation else 1,
        per_device_name=per_device,
        accumulation_name=accumulation,
    )


def without_secrets(program: Sequence[str], findings: Findings) -> tuple[str, ...]:
    """Return the program without the values of arguments whose names say secret; these block."""
    made = tuple(program)
    for name, (_, value) in parameters(program).items():
        if is_secret(name) and value and not value.startswith("$"):
            findings.block(
                "command",
                f"the argument --{name} holds a secret, which was not written",
                "let the program read it from its environment, and give that from the target's secret store",
            )
            made = replaced(made, name, "NOT-WRITTEN")
    return made


def replaced(program: Sequence[str], name: str, value: str) -> tuple[str, ...]:
    """Return the program with another value of a parameter; added where it has none."""
    known, made = parameters(program), list(program)
    if name not in known:
        return (*made, f"--{name}", value)
    index, _ = known[name]
    if "=" in made[index]:
        made[index] = f"{made[index].partition('=')[0]}={value}"
    else:
        made[index + 1] = value
    return tuple(made)
