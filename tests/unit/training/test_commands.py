"""Commands are taken apart into launcher, numbers and program."""

from __future__ import annotations

import pytest

from heavylift.training.commands import batch_of, replaced, take_apart
from heavylift.training.launcher_program import command, resolve
from heavylift.training.model import Form, Launcher
from heavylift.training.notes import Findings
from heavylift.training.rehearse import machines


@pytest.mark.parametrize(
    ("text", "launcher", "program", "processes", "options"),
    [
        ("torchrun --nproc_per_node=8 --nnodes 2 --max-restarts=3 t.py", "torchrun", "python t.py", 8,
         "--max-restarts 3"),
        ("python -m torch.distributed.run --nproc-per-node 4 -m p x", "torchrun", "python -m p x", 4, ""),
        ("torchrun --standalone --no-python ./run", "torchrun", "./run", None, ""),
        ("mpirun -np 16 -N 8 -x A=1 -x B --oversubscribe python t.py", "mpi", "python t.py", 8,
         "--oversubscribe"),
        ("sh -c 'torchrun t.py'", "torchrun", "python t.py", None, ""),
        ("python t.py", "plain", "python t.py", None, ""),
    ],
)  # fmt: skip
def test_launcher_and_program(
    text: str, launcher: str, program: str, processes: int | None, options: str
) -> None:
    import shlex

    findings = Findings()
    found = take_apart(shlex.split(text), findings)
    assert (found.launcher, " ".join(found.program), found.processes, " ".join(found.options)) == (
        Launcher(launcher), program, processes, options,
    )  # fmt: skip
    assert not findings.blocks


@pytest.mark.parametrize(
    "text", ["pip install x && torchrun t.py", "a | b", "echo $(id)", "torchrun t.py; rm x"]
)
def test_a_line_of_several_commands_blocks(text: str) -> None:
    findings = Findings()
    take_apart(["sh", "-c", text], findings)
    assert findings.blocks


@pytest.mark.parametrize("name", ["deepspeed", "accelerate", "horovodrun"])
def test_other_launchers_block(name: str) -> None:
    findings = Findings()
    take_apart([name, "train.py"], findings)
    assert name in findings.blocks[0].what


def test_the_batch_is_read_and_replaced() -> None:
    program = ("python", "t.py", "--micro_batch_size=4", "--gradient-accumulation-steps", "8")
    batch = batch_of(program, Findings())
    assert (batch.per_device, batch.accumulation) == (4, 8)
    assert replaced(program, "gradient_accumulation_steps", "2")[-1] == "2"
    assert replaced(program, "micro_batch_size", "2")[2] == "--micro_batch_size=2"
    assert batch_of(("python", "t.py"), Findings()).per_device is None


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("nodes", [1, 2, 3, 11])
def test_every_machine_of_every_platform_finds_its_place(form: Form, nodes: int) -> None:
    found = [resolve(each) for each in machines(form, nodes, 8)]
    assert [rank for rank, *_ in found] == list(range(nodes))
    assert {each for _, each, *_ in found} == {nodes}
    assert len({(address, port) for *_, address, port in found}) == 1


def test_evaluators_and_servers_of_vertex_are_no_workers() -> None:
    spec = (
        '{"cluster": {"workerpool0": ["a:2222"], "workerpool1": ["b:2222"], "workerpool2": ["c:2222"]},'
        ' "task": {"type": "workerpool1", "index": 0}}'
    )
    assert command({"CLUSTER_SPEC": spec}, "8", ["t.py"])[:6] == [
        "torchrun", "--nnodes=2", "--node-rank=1", "--nproc-per-node=8", "--master-addr=a",
        "--master-port=2222",
    ]  # fmt: skip
