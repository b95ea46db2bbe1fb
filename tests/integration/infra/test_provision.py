"""The phase provision as Airflow runs it, with real terraform: approved, applied, drifted, destroyed."""

from __future__ import annotations

import json
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskAwaitingInput

from heavylift.errors import ConflictError, IncompleteError, NotFoundError, SpecError, TransientError
from heavylift.inventory import api
from heavylift_airflow.operators.assess import MakeGraphOperator, MakePlanOperator, TakeInventoryOperator
from heavylift_airflow.operators.assess_closing import EvaluatePlanGateOperator
from heavylift_airflow.operators.gates import GateApprovalOperator
from heavylift_airflow.operators.provision import (
    ApplyInfrastructureOperator,
    DetectDriftOperator,
    GenerateInfrastructureOperator,
    PlanInfrastructureOperator,
    ScanInfrastructureOperator,
)
from heavylift_airflow.operators.provision_closing import (
    ApproveInfrastructureOperator,
    BuildInfrastructureReportOperator,
    EvaluateInfrastructureGateOperator,
    PublishInfrastructureOperator,
    SummariseInfrastructureOperator,
)
from sandbox.terraform.rig import Rig, make_rig
from tests.integration.infra.conftest import CANARY, SECRET, SHARED
from tests.integration.infra.test_terraform import wait_for
from tests.plugins.world import World, context_of
from tests.support.small_account import PARTNER, SmallPlane
from tests.unit.objects.test_objects_cli import heavylift

ASSESS: dict[str, Any] = {
    "connection": "account",
    "lines": [{"name": "today", "bandwidth": "125MB/s"}],
    "start": "2026-12-01",
    "references": [
        {"target": f"host:{PARTNER}", "reason": "the partner stays"},
        {"target": "image:763104351884.*", "reason": "the vendor's image"},
    ],
    "components": [{"match": "training", "change_per_day": "1GB"}],
}
VARIABLES = {**SHARED}
CHECKOV = """#!{python}
import json, sys
out = sys.argv[sys.argv.index("--output-file-path") + 1]
failed = {failed}
json.dump({{"summary": {{"passed": 3, "skipped": 1}}, "results": {{"failed_checks": failed}}}},
          open(out + "/results_json.json", "w"))
"""
Made = tuple[World, Rig]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """Return a migration with an approved plan, and a cloud of files that terraform works on."""
    from airflow.providers.standard.operators import hitl

    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **_question: None)
    plane = SmallPlane()
    monkeypatch.setattr(api, "open_plane", lambda _request, _stop: plane)
    with tempfile.TemporaryDirectory(prefix="hl-tf-") as home:
        world = World(tmp_path / "world")
        for name, value in world.connections.items():
            monkeypatch.setenv(name, value)
        there = {"conn_type": "google_cloud_platform", "extra": {"keyfile_dict": {"private_key": SECRET}}}
        monkeypatch.setenv("AIRFLOW_CONN_THERE", json.dumps(there))
        monkeypatch.setenv("AIRFLOW_CONN_ACCOUNT", '{"conn_type": "aws"}')
        scanner = tmp_path / "checkov"
        scanner.write_text(CHECKOV.format(python=sys.executable, failed=[]))
        scanner.chmod(0o755)
        monkeypatch.setenv("HEAVYLIFT_CHECKOV", str(scanner))
        accept = [{"component": "*sagemaker*", "reason": "made by the models' phase"}]
        world.save(
            source={"platform": "aws", "connection": "account"},
            target={"platform": "gcp", "connection": "there", "region": "europe-west4"},
            datasets=[],
            gates=[],
            assess=ASSESS,
            infrastructure={
                "state": f"file://{home}/state",
                "variables": VARIABLES,
                "accept_untranslated": accept,
            },
        )
        for kind in (TakeInventoryOperator, MakeGraphOperator, MakePlanOperator):
            run(world, kind, phase="assess")
        run(world, EvaluatePlanGateOperator, phase="assess", gate="plan-approved")
        approve(world, "plan-approved", kind=GateApprovalOperator, phase="assess")
        run(world, GenerateInfrastructureOperator)
        [bundle] = world.run_folder("provision").glob("~infra/files-*.json")
        types = re.findall(
            r'^resource "(\w+)"', "\n".join(json.loads(bundle.read_text()).values()), re.MULTILINE
        )
        rig = make_rig(Path(home) / "rig", types)
        monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(rig.config))
        with rig.serving("google") as served:
            monkeypatch.setenv("TF_REATTACH_PROVIDERS", served)
            yield world, rig


def task(world: World, kind: type, phase: str = "provision", **more: Any) -> Any:
    return kind(task_id="task", spec_path=world.spec_path, phase=phase, **more)


def run(world: World, kind: type, *, params: dict[str, Any] | None = None, **more: Any) -> Any:
    made = task(world, kind, **more)
    return made.execute(context_of(made, **(params or {})))


def approve(
    world: World,
    gate: str,
    option: str = "Approve",
    kind: type = ApproveInfrastructureOperator,
    phase: str = "provision",
) -> str:
    """Ask, and answer; returns what was shown."""
    made = task(world, kind, phase=phase, gate=gate, response_timeout=timedelta(hours=1))
    with pytest.raises(TaskAwaitingInput) as waiting:
        made.execute(context_of(made))
    event = {
        "chosen_options": [option],
        "params_input": {},
        "responded_at": datetime(2026, 11, 29, 12, tzinfo=UTC),
        "responded_by_user": {"id": "eva", "name": "Eva"},
    }
    again = task(world, kind, phase=phase, gate=gate, response_timeout=timedelta(hours=1))
    again.execute_complete(context_of(again), event, **{"asked_about": waiting.value.kwargs["asked_about"]})
    return str(made.body)


def planned(world: World, stage: str, **params: Any) -> dict[str, Any]:
    figures = run(world, PlanInfrastructureOperator, stage=stage, params=params)
    run(world, EvaluateInfrastructureGateOperator, gate=gate(stage), params=params)
    return dict(figures)


def gate(stage: str) -> str:
    return f"infrastructure-approved-{stage}"


def carried_out(world: World, stage: str, **params: Any) -> dict[str, Any]:
    planned(world, stage, **params)
    approve(world, gate(stage))
    return dict(run(world, ApplyInfrastructureOperator, stage=stage, params=params))


def test_a_stage_is_applied_only_as_it_was_approved(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    world, rig = made
    with pytest.raises(NotFoundError, match="HL-7941"):
        run(world, DetectDriftOperator)
    with pytest.raises(IncompleteError, match=r"were not scanned.*not planned.*HL-8014"):
        run(world, EvaluateInfrastructureGateOperator, gate=gate("first"))
    run(world, ScanInfrastructureOperator)
    first = planned(world, "first")
    # Whoever marks the gate successful in the UI has left no answer.
    with pytest.raises(IncompleteError, match=r"waits for approval.*HL-7938"):
        run(world, ApplyInfrastructureOperator, stage="first")
    with pytest.raises(IncompleteError, match=r"second stage was not planned"):
        run(world, PublishInfrastructureOperator)
    assert first["digest"] in approve(world, gate("first"), "Reject")
    with pytest.raises(IncompleteError, match=r"was rejected by Eva.*HL-7938"):
        run(world, ApplyInfrastructureOperator, stage="first")
    approve(world, gate("first"))
    # An answer given to one stage opens no other, and one given to making none that destroys.
    with pytest.raises(IncompleteError, match=r"no plan of the files.*HL-7938"):
        run(world, ApplyInfrastructureOperator, stage="second")
    monkeypatch.setenv("HEAVYLIFT_CHECKOV", "/nowhere/checkov")
    with pytest.raises(NotFoundError, match="HL-7924"):
        run(world, ScanInfrastructureOperator)
    assert rig.objects() == []
    done = run(world, ApplyInfrastructureOperator, stage="first")
    assert (done["changed"], done["proved"]) == (first["create"], True)
    assert len(rig.objects()) == first["create"]
    assert run(world, ApplyInfrastructureOperator, stage="first")["changed"] == 0
    with pytest.raises(IncompleteError, match=r"second stage was not planned.*HL-8017"):
        run(world, SummariseInfrastructureOperator)
    # Somebody has changed the platform since the approval: what terraform would do now nobody has seen.
    rig.lose(rig.objects()[0])
    with pytest.raises(ConflictError, match="HL-7911"):
        run(world, ApplyInfrastructureOperator, stage="first")
    acts = [act for act in world.actions() if act.startswith("infra.apply")]
    assert acts == ["infra.apply.approved", "infra.apply.done"] * 2 + [
        "infra.apply.approved",
        "infra.apply.failed",
    ]
    # Files that were generated anew have to be planned, shown and approved anew.
    infra = {**world.spec["infrastructure"], "labels": {"team": "other"}}
    world.save(infrastructure=infra)
    with pytest.raises(IncompleteError, match=r"moves something else.*HL-7939"):
        run(world, GenerateInfrastructureOperator)
    world.save(infrastructure={**infra, "state": None})
    with pytest.raises(SpecError, match="HL-7935"):
        run(world, GenerateInfrastructureOperator, params={"dry_run": True})


def test_what_fails_or_is_left_out_shuts_the_gate(made: Made, tmp_path: Path) -> None:
    world, _ = made
    failure = {
        "check_id": "CKV_1", "check_name": "open", "resource": "a.b", "file_path": "/m.tf",
        "file_line_range": [3, 4], "severity": None,
    }  # fmt: skip
    scanner = tmp_path / "checkov"
    scanner.write_text(CHECKOV.format(python=sys.executable, failed=[failure]))
    world.save(infrastructure={**world.spec["infrastructure"], "accept_untranslated": []})
    assert run(world, GenerateInfrastructureOperator)["open_untranslated"] > 0
    assert run(world, ScanInfrastructureOperator)["failed"] == 1
    run(world, PlanInfrastructureOperator, stage="first")
    with pytest.raises(IncompleteError, match=r"CKV_1 of a\.b.*nobody accepts.*sagemaker"):
        run(world, EvaluateInfrastructureGateOperator, gate=gate("first"))
    run(world, BuildInfrastructureReportOperator)
    [page] = world.run_folder("provision").glob("report-*.html")
    assert "CKV_1" in page.read_text()


@pytest.mark.long
def test_a_stopped_application_has_told_terraform_and_goes_on_once_approved(made: Made) -> None:
    world, rig = made
    run(world, ScanInfrastructureOperator)
    planned(world, "first")
    approve(world, gate("first"))
    held = rig.home / "hold"
    held.touch()
    kind = rig_kind(world)
    rig.set(hold={kind: str(held)})
    applying = task(world, ApplyInfrastructureOperator, stage="first")

    def stop_once_it_works() -> None:
        wait_for(lambda: bool(rig.objects()))
        applying.on_kill()
        held.unlink()

    killer = threading.Thread(target=stop_once_it_works)
    killer.start()
    with pytest.raises(TransientError, match=r"HL-8003|HL-7933"):
        applying.execute(context_of(applying))
    killer.join()
    rig.set(hold={})
    assert "infra.apply.failed" in world.actions()
    some = len(rig.objects())
    assert some > 0
    rest = planned(world, "first")
    if rest["create"]:
        with pytest.raises(IncompleteError, match="HL-7938"):
            run(world, ApplyInfrastructureOperator, stage="first")
        approve(world, gate("first"))
    assert run(world, ApplyInfrastructureOperator, stage="first")["changed"] == rest["create"]
    assert len(rig.objects()) == some + rest["create"]


def standing(world: World, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return what ``heavylift status`` says of the phase."""
    capsys.readouterr()
    _, told, _ = heavylift(capsys, "status", "small", "--evidence", world.evidence.as_uri(), "--json")
    [phase] = [each for each in told["phases"] if each["phase"] == "provision"]
    return dict(phase)


def rig_kind(world: World) -> str:
    """Return a type that the foundation makes last: others stand before it."""
    plan = json.loads(next(world.run_folder("provision").glob("~infra/plan-first-1.json")).read_text())
    kinds = [each["type"] for each in plan["roots"][0]["changes"]]
    return next(kind for kind in kinds if kind.endswith("_subnetwork"))


@pytest.mark.long
def test_the_phase_makes_what_a_person_has_agreed_to_and_a_second_run_changes_nothing(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    world, rig = made
    run(world, ScanInfrastructureOperator)
    first = planned(world, "first")
    assert first["create"] > 0
    assert rig.objects() == []
    assert first["digest"] in approve(world, gate("first"))
    done = run(world, ApplyInfrastructureOperator, stage="first")
    assert (done["changed"], done["proved"]) == (first["create"], True)
    assert len(rig.objects()) == first["create"]
    second = carried_out(world, "second")
    assert second["proved"]
    assert len(rig.objects()) == first["create"] + second["changed"]
    publish = task(world, PublishInfrastructureOperator)
    assert publish.execute({**context_of(publish), "outlet_events": {}})["evidence"]
    before = rig.objects()
    assert run(world, GenerateInfrastructureOperator) == run(world, GenerateInfrastructureOperator)
    assert run(world, ScanInfrastructureOperator) == run(world, ScanInfrastructureOperator)
    assert run(world, ApplyInfrastructureOperator, stage="first")["changed"] == 0
    assert run(world, SummariseInfrastructureOperator)["passed"]
    # Planned anew, nothing is to do: nobody is asked, and nothing is changed.
    for stage in ("first", "second"):
        assert planned(world, stage)["create"] == 0
        asking = task(
            world, ApproveInfrastructureOperator, gate=gate(stage), response_timeout=timedelta(hours=1)
        )
        assert asking.execute(context_of(asking))["approved"]
        assert run(world, ApplyInfrastructureOperator, stage=stage)["changed"] == 0
    assert run(world, SummariseInfrastructureOperator)["passed"]
    assert rig.objects() == before
    run(world, BuildInfrastructureReportOperator)
    [page] = world.run_folder("provision").glob("report-*.html")
    assert "made by the models" in page.read_text()
    assert standing(world, capsys)["standing"] == "passed"
    for _ in range(2):
        assert run(world, DetectDriftOperator)["drifted"] == 0
    rig.lose(before[-1])
    with pytest.raises(IncompleteError, match=r"1 resources that differ.*HL-7940"):
        run(world, DetectDriftOperator)
    with pytest.raises(IncompleteError, match="1 resource found to differ since"):
        run(world, SummariseInfrastructureOperator)
    told = standing(world, capsys)
    assert (told["standing"], told["infrastructure"]["drifted"]) == ("failed", 1)
    mended = carried_out(world, "second")
    assert mended["changed"] == 1
    assert not CANARY.in_files([world.root])
    for stage in ("first", "second"):
        assert carried_out(world, stage, destroy=True)["proved"]
    assert rig.objects() == []
    assert run(world, SummariseInfrastructureOperator, params={"destroy": True})["passed"]
    acts = [act for act in world.actions() if act.startswith("infra.")]
    assert (
        acts.index("infra.apply.approved") < acts.index("infra.apply.done") < acts.index("infra.destroy.done")
    )
