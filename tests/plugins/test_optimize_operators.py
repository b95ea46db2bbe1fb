"""The phase optimize as Airflow runs it: judged, proposed, approved, and nothing changed by it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift.errors import ConflictError, IncompleteError
from heavylift_airflow.operators.optimize import (
    MeasureTrialsOperator,
    ProposeChangesOperator,
    PurchaseMixOperator,
    RightsizeOperator,
)
from heavylift_airflow.operators.optimize_closing import (
    ApproveChangesOperator,
    BuildOptimizeReportOperator,
    EvaluateOptimizeGateOperator,
    PublishOptimizeOperator,
    SummariseOptimizeOperator,
)
from tests.plugins.world import World, context_of

PROGRAM = Path(__file__).resolve().parents[1] / "support" / "planted_scoring.py"
GATE = "changes-approved"
MACHINES = """provider,instance_type,vcpu,ram_gib,ondemand_usd_h
kubernetes,small,2,8,0.1
kubernetes,large,8,32,0.4
"""


def series(path: Path, columns: dict[str, list[float]], days: int) -> str:
    start = datetime(2026, 9, 1, tzinfo=UTC)
    lines = [",".join(["at", *columns])]
    for hour in range(24 * days):
        row = [f"{columns[name][hour % len(columns[name])]:g}" for name in columns]
        lines.append(",".join([(start + timedelta(hours=hour)).isoformat(), *row]))
    path.write_text("\n".join(lines))
    return f"file://{path}"


@pytest.fixture
def judged(world: World) -> World:
    """Return a migration whose machine is hardly used, with a demand and a server to try settings on."""
    specs = Path(world.spec_path).parent
    (specs / "machines.csv").write_text(MACHINES)
    (world.root / "requests.jsonl").write_text('{"inputs": [[1, 2]]}')
    use = series(world.root / "use.csv", {"cpu": [0.1, 0.15], "memory": [0.1]}, 9)
    demand = series(world.root / "demand.csv", {"machines": [4.0] * 14 + [10.0] * 10}, 20)
    optimize = {
        "trials": [{
            "name": "scoring", "requests": f"file://{world.root}/requests.jsonl", "latency": 200.0,
            "knobs": {"slots": [1, 2]}, "usd_per_hour": 0.4, "max_trials": 3, "repeats": 1, "step": 1,
            "warm_up": 0, "first_rate": 50.0, "max_rate": 50.0,
            "server": {"command": [sys.executable, str(PROGRAM), "{port}", "{slots}", "2"]},
        }],
        "rightsizing": [{
            "name": "scorer", "series": use, "instance_type": "large", "replaces": "m5.2xlarge",
            "machines": "machines.csv",
        }],
        "purchases": [{
            "name": "fleet", "demand": demand, "on_demand": 1.0, "prices_of": "made, 2026-11-01",
            "commitments": [{"name": "one-year", "usd_per_hour": 0.6, "term_hours": 8760.0}],
        }],
    }  # fmt: skip
    infrastructure = {"state": f"file://{world.root}/state", "instance_types": {"m5.2xlarge": "large"}}
    world.save(datasets=[], gates=[], optimize=optimize, infrastructure=infrastructure)
    return world


def run(world: World, kind: type, dry_run: bool = False, **arguments: Any) -> Any:
    made = kind(task_id="task", spec_path=world.spec_path, phase="optimize", **arguments)
    return made.execute(context_of(made, **({"params": {"dry_run": True}} if dry_run else {})))


def judge_all(world: World) -> dict[str, Any]:
    run(world, MeasureTrialsOperator, item="scoring")
    run(world, RightsizeOperator, item="scorer")
    run(world, PurchaseMixOperator, item="fleet")
    found: dict[str, Any] = run(world, ProposeChangesOperator)
    return found


def trials(world: World) -> list[Path]:
    return sorted(world.evidence.rglob("trial-*.json"))


def test_everything_is_judged_and_proposed_and_again_the_same(
    judged: World,
) -> None:
    spec = Path(judged.spec_path).read_bytes()
    first = judge_all(judged)
    assert first["recommendations"] == 3
    before = [path.read_bytes() for path in trials(judged)]
    assert run(judged, RightsizeOperator, item="scorer")["statement"].startswith("large may become small")
    again = run(judged, MeasureTrialsOperator, item="scoring")
    assert again["evidence"].endswith("result-2.json")
    assert [path.read_bytes() for path in trials(judged)] == before
    mix = run(judged, PurchaseMixOperator, item="fleet")
    assert mix["statement"].startswith("commit to 4 (one-year)")
    # The results are newer than the proposal: the gate says so until it is made anew.
    with pytest.raises(IncompleteError, match="newer than what was proposed"):
        run(judged, EvaluateOptimizeGateOperator, gate=GATE)
    second = run(judged, ProposeChangesOperator)
    assert second["recommendations"] == 3
    third = run(judged, ProposeChangesOperator)
    assert third["digest"] == second["digest"]
    # Nothing is applied; what is proposed is a patch that changes one line.
    assert Path(judged.spec_path).read_bytes() == spec
    patch = (judged.evidence / second["patch"]).read_text()
    changed = [line for line in patch.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert [line.split(":")[-1].strip() for line in changed] == ["large", "small"]


def test_the_patch_is_one_that_git_applies_and_the_spec_then_says_just_that(judged: World) -> None:
    proposed = judge_all(judged)
    folder = Path(judged.spec_path).parent
    before = yaml.safe_load(Path(judged.spec_path).read_text())
    patch = judged.evidence / proposed["patch"]
    subprocess.run(["git", "apply", str(patch)], cwd=folder, check=True, timeout=30)
    before["infrastructure"]["instance_types"]["m5.2xlarge"] = "small"
    assert yaml.safe_load(Path(judged.spec_path).read_text()) == before


def approve(world: World) -> None:
    """Record a person's answer as the operator does when it comes."""
    made = ApproveChangesOperator(task_id="approve", spec_path=world.spec_path, phase="optimize", gate=GATE)
    frame = made.frame(context_of(made))
    kept, _, _ = made.work.run(made._look(frame), "look")
    event = {
        "chosen_options": [made.APPROVE],
        "responded_by_user": {"id": "u", "name": "Una"},
        "responded_at": datetime.now(UTC),
    }
    made.work.run(made._record(frame, event, kept.ref.model_dump()), "answer")


def test_the_gate_and_the_last_tasks_may_be_cleared_and_nothing_passes_unapproved(judged: World) -> None:
    with pytest.raises(IncompleteError, match="there is no result of trials"):
        run(judged, EvaluateOptimizeGateOperator, gate=GATE)
    proposed = judge_all(judged)
    result = run(judged, EvaluateOptimizeGateOperator, gate=GATE)
    assert result["passed"]
    assert result["checks"] == 5
    with pytest.raises(IncompleteError, match="approv"):
        run(judged, PublishOptimizeOperator)
    with pytest.raises(IncompleteError, match="approv"):
        run(judged, SummariseOptimizeOperator)
    approve(judged)
    assert run(judged, ApproveChangesOperator, gate=GATE) == {"gate": GATE, "approved": True}
    for _ in range(2):
        assert run(judged, PublishOptimizeOperator)["migration"] == "small"
        report = run(judged, BuildOptimizeReportOperator)
        text = (judged.evidence / report["report"]).read_text()
        assert "m5.2xlarge" in text
        assert f"Recommendations, digest {proposed['digest'][:16]}" in text
        assert "219.00 (219.00 to 219.00)" in text
        summary = run(judged, SummariseOptimizeOperator)
        assert summary == {"digest": proposed["digest"], "passed": True}
    # What was approved are these changes: others need another answer.
    run(judged, RightsizeOperator, item="scorer")
    run(judged, ProposeChangesOperator)
    run(judged, EvaluateOptimizeGateOperator, gate=GATE)
    with pytest.raises(IncompleteError, match="approv"):
        run(judged, PublishOptimizeOperator)
    assert "optimize.proposed" in judged.actions()


def test_nobody_is_asked_where_nothing_is_recommended(judged: World) -> None:
    optimize = judged.spec["optimize"]
    rightsizing = [{**optimize["rightsizing"][0], "least_days": 30.0}]
    judged.save(optimize={"rightsizing": rightsizing})
    run(judged, RightsizeOperator, item="scorer")
    assert run(judged, ProposeChangesOperator) | {"digest": ""} == {
        "digest": "", "recommendations": 0, "patch": None
    }  # fmt: skip
    assert run(judged, EvaluateOptimizeGateOperator, gate=GATE)["passed"]
    assert run(judged, ApproveChangesOperator, gate=GATE)["approved"]
    assert run(judged, SummariseOptimizeOperator)["passed"]


def test_a_spec_that_was_changed_since_the_first_trials_does_not_take_them_up(judged: World) -> None:
    run(judged, MeasureTrialsOperator, item="scoring")
    study = judged.spec["optimize"]["trials"][0]
    judged.save(optimize={"trials": [{**study, "latency": 100.0}]})
    with pytest.raises(ConflictError, match="HL-9258"):
        run(judged, MeasureTrialsOperator, item="scoring")
