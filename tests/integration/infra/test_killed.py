"""kill -9 amid an application, of the worker or of terraform: the state is kept, nothing is doubled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from heavylift.errors import IncompleteError, TransientError
from heavylift.infra.killed import release_own_lock
from heavylift.infra.roots import Root, root_of
from heavylift.infra.terraform import Done, Terraform, find_terraform
from heavylift_airflow.operators.provision import ApplyInfrastructureOperator
from tests.integration.infra.conftest import CANARY, SECRET, Place, Placing, named
from tests.integration.infra.test_provision import Made, approve, gate, made, planned, run
from tests.integration.infra.test_terraform import FEW, wait_for
from tests.support.infra_samples import sampled, wanted
from tests.support.layers import TESTS
from tests.support.terraform_work import at_work

__all__ = ["made"]

SLOW = "google_sql_database_instance"
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing-key-that-is-masked"}
PROGRAM = (
    "import sys; from pathlib import Path; from heavylift.infra.folder import read;"
    "from heavylift.infra.roots import root_of; from heavylift.infra.terraform import find_terraform;"
    "root_of(read(Path(sys.argv[1])), sys.argv[2], find_terraform()).apply(sys.argv[3])"
)
BACKEND = """terraform {
  backend "s3" {
    bucket                      = "states"
    key                         = "wave-1.tfstate"
    region                      = "us-east-1"
    endpoints                   = { s3 = "%s" }
    use_path_style              = true
    use_lockfile                = true
    skip_credentials_validation = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
    skip_requesting_account_id  = true
  }
}
"""


@dataclass
class Held:
    """A wave whose database is not made before somebody lets it."""

    place: Place
    door: Path = field(init=False)

    def __post_init__(self) -> None:
        self.place.applied("foundation")
        self.door = self.place.rig.home / "hold"
        self.door.touch()
        self.place.rig.set(hold={SLOW: str(self.door)})

    def at_work(self, expected: int) -> bool:
        """Whether everything but the database is there."""
        return len(self.place.rig.objects()) >= expected - 1

    def let_go(self) -> None:
        self.door.unlink()
        self.place.rig.set(hold={})


@pytest.fixture
def held(at: Placing) -> Held:
    return Held(at(wanted("aws", "gcp", named(sampled("aws"), *FEW))))


@pytest.fixture
def bucket() -> Iterator[str]:
    """Return the address of a bucket for states, as moto plays S3."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    s3 = boto3.client(
        "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )  # fmt: skip
    s3.create_bucket(Bucket="states")
    try:
        yield address
    finally:
        server.stop()


@pytest.mark.long
def test_a_worker_that_is_killed_leaves_a_terraform_that_ends_well(held: Held) -> None:
    place = held.place
    before = len(place.rig.objects())
    plan = place.planned("wave-1")
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(place.infra.folder), "wave-1", plan.digest],
        env={**os.environ, "PYTHONPATH": "include"},
        cwd=TESTS.parent,
    )
    wait_for(lambda: held.at_work(before + len(plan.changes)))
    # Terraform itself is at work in a session of its own: meanwhile nobody else gets at the state.
    with pytest.raises(TransientError, match="HL-7904") as caught:
        place.planned("wave-1")
    assert "force-unlock" in caught.value.remedy
    working = at_work(child.pid)
    assert working is not None
    child.kill()
    child.wait()
    wait_for(lambda: working.interrupted)
    held.let_go()
    wait_for(lambda: working.ended)
    goes_on_without_doubles(place, place.root("wave-1"), before + len(plan.changes))


def goes_on_without_doubles(place: Place, root: Root, expected: int) -> None:
    """Plan and apply the rest; each thing is there once, and known."""
    rest = root.plan()
    if not rest.empty:
        root.apply(rest.digest)
    assert root.plan().empty
    assert len(place.rig.objects()) == expected
    assert len(root.resources()) + len(place.root("foundation").resources()) == expected


@pytest.mark.long
def test_a_terraform_that_is_killed_leaves_no_lock_and_what_it_made_is_known(held: Held, bucket: str) -> None:
    place = held.place
    before = len(place.rig.objects())
    (place.infra.folder / "wave-1" / "override.tf").write_text(BACKEND % bucket)
    root = root_of(place.infra, "wave-1", find_terraform({**KEYS, "GOOGLE_CREDENTIALS": SECRET}))
    plan = root.plan()
    failures: list[BaseException] = []

    def apply() -> None:
        try:
            root.apply(plan.digest)
        except BaseException as error:
            failures.append(error)

    worker = threading.Thread(target=apply)
    worker.start()
    wait_for(lambda: held.at_work(before + len(plan.changes)) and at_work(os.getpid()))
    working = at_work(os.getpid())
    assert working is not None
    os.kill(working.terraform, signal.SIGKILL)
    worker.join()
    [error] = failures
    assert isinstance(error, IncompleteError)
    assert error.code == "9582"
    # The state in the bucket is some seconds behind: what it had lost was taken into it again.
    assert "taken into it again" in error.state
    assert "its lock is released" in error.state
    assert f"{SLOW}." in error.state.partition("nobody knows")[2]
    assert len(root.resources()) == len(plan.changes) - 1
    # What was being made comes to life nevertheless; the message tells to look for it.
    held.let_go()
    wait_for(lambda: SLOW in place.rig.objects())
    place.rig.lose(SLOW)
    goes_on_without_doubles(place, root, before + len(plan.changes))
    assert not CANARY.in_files([place.infra.folder])


@pytest.mark.long
def test_a_task_that_is_killed_is_gone_on_with_once_its_rest_is_approved(made: Made, tmp_path: Path) -> None:
    world, rig = made
    run(world, kind_of("Scan"))
    first = planned(world, "first")
    approve(world, gate("first"))
    door = rig.home / "hold"
    door.touch()
    plan = json.loads(next(world.run_folder("provision").glob("~infra/plan-first-1.json")).read_text())
    slow = next(e["type"] for e in plan["roots"][0]["changes"] if e["type"].endswith("_subnetwork"))
    rig.set(hold={slow: str(door)})
    program = (
        "import sys; from heavylift_airflow.operators.provision import ApplyInfrastructureOperator as Apply;"
        "from tests.plugins.world import context_of;"
        "task = Apply(task_id='task', spec_path=sys.argv[1], phase='provision', stage='first');"
        "task.execute(context_of(task))"
    )
    log = (tmp_path / "log").open("wb")
    child = subprocess.Popen(
        [sys.executable, "-c", program, world.spec_path], stdout=log, stderr=log, cwd=TESTS.parent,
        env={**os.environ, "PYTHONPATH": "include:plugins:."},
    )  # fmt: skip
    wait_for(lambda: rig.objects() and at_work(child.pid))
    working = at_work(child.pid)
    assert working is not None
    child.kill()
    child.wait()
    log.close()
    wait_for(lambda: working.interrupted)
    door.unlink()
    wait_for(lambda: working.ended)
    rig.set(hold={})
    some = len(rig.objects())
    assert some > 0
    rest = planned(world, "first")
    assert rest["create"] == first["create"] - some
    if rest["create"]:
        with pytest.raises(IncompleteError, match="HL-7938"):
            run(world, ApplyInfrastructureOperator, stage="first")
        approve(world, gate("first"))
    assert run(world, ApplyInfrastructureOperator, stage="first")["proved"]
    wanted_types = Counter(each["type"] for each in plan["roots"][0]["changes"])
    assert Counter(rig.objects()) == wanted_types
    acts = [act for act in world.actions() if act.startswith("infra.apply")]
    assert acts[0] == "infra.apply.approved"
    assert acts[-1] == "infra.apply.done"


def kind_of(name: str) -> type:
    from heavylift_airflow.operators import provision

    found: type = getattr(provision, f"{name}InfrastructureOperator")
    return found


TOLD = """
│ Error: Error acquiring the state lock
│
│ Lock Info:
│   ID:        0f7d1b2c-1111-2222-3333-444455556666
│   Path:      states/wave-1.tfstate
│   Operation: {operation}
│   Who:       {who}
│   Version:   1.11.4
│   Created:   {created:%Y-%m-%d %H:%M:%S}.123456789 +0000 UTC
"""
START = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "released"),
    [
        ({}, True),
        ({"who": "somebody@elsewhere"}, False),
        ({"operation": "OperationTypePlan"}, False),
        ({"created": START - timedelta(hours=1)}, False),
        ({"created": START + timedelta(hours=1)}, False),
    ],
)
def test_nobody_elses_lock_is_released(
    change: dict[str, Any], released: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("heavylift.infra.killed.getpass.getuser", lambda: "worker")
    monkeypatch.setattr("heavylift.infra.killed.socket.gethostname", lambda: "here")
    told = {"operation": "OperationTypeApply", "who": "worker@here", "created": START, **change}
    asked: list[tuple[str, ...]] = []

    def answer(_self: Terraform, _folder: Path, *arguments: str) -> Done:
        asked.append(arguments)
        return Done(1, "", TOLD.format(**told)) if arguments[0] == "plan" else Done(0, "", "")

    monkeypatch.setattr(Terraform, "run", answer)
    terraform = Terraform("terraform")
    assert release_own_lock(terraform, tmp_path, START, START + timedelta(minutes=5)) is released
    unlocked = ("force-unlock", "-force", "0f7d1b2c-1111-2222-3333-444455556666")
    assert asked[1:] == ([unlocked] if released else [])


@pytest.mark.long
def test_a_worker_that_is_killed_at_the_last_resource_leaves_what_others_ask_for_to_the_next(
    at: Placing,
) -> None:
    # Each command starts its own provider, as in real life.
    place = at(wanted("aws", "gcp", named(sampled("aws"), *FEW)), started=False)
    door = place.rig.home / "hold"
    door.touch()
    place.rig.set(hold={"google_compute_subnetwork": str(door)})
    plan = place.planned("foundation")
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(place.infra.folder), "foundation", plan.digest],
        env={**os.environ, "PYTHONPATH": "include"},
        cwd=TESTS.parent,
    )
    wait_for(
        lambda: len(place.rig.objects()) >= len(plan.changes) - plan_of(plan, "google_compute_subnetwork")
    )
    working = at_work(child.pid)
    assert working is not None
    child.kill()
    child.wait()
    wait_for(lambda: working.interrupted)
    door.unlink()
    wait_for(lambda: working.ended)
    place.rig.set(hold={})
    root = place.root("foundation")
    rest = root.plan()
    assert len(rest.changes) + len(root.resources()) == len(plan.changes)
    if rest.empty:
        assert rest.outputs
        root.settle()
    else:
        root.apply(rest.digest)
    assert not root.plan().outputs
    assert place.planned("wave-1").changes, "what the foundation tells is there"
    assert len(place.rig.objects()) == len(plan.changes)


def plan_of(plan: Any, kind: str) -> int:
    return sum(each.type == kind for each in plan.changes)
