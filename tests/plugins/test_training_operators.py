"""Training jobs, autoscaling and alerts as the phase provision translates them: kept, judged, killed."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowSkipException

from heavylift.environments import Solver
from heavylift.errors import HeavyliftError, IncompleteError, ServerUnavailableError
from heavylift.evidence import part_evidence
from heavylift_airflow.operators.alerts import TranslateAlertsOperator
from heavylift_airflow.operators.provision_closing import (
    BuildInfrastructureReportOperator,
    EvaluateInfrastructureGateOperator,
    PublishInfrastructureOperator,
    SummariseInfrastructureOperator,
)
from heavylift_airflow.operators.training import TranslateAutoscalingOperator, TranslateTrainingOperator
from tests.plugins.world import World, context_of
from tests.support.alarms import alarm
from tests.support.boards import BODY, DRAWN
from tests.support.handed_over import ALERTS, AUTOSCALING, SIDES, TRAINING, lay_out_jobs

SECTIONS: dict[str, Any] = {"training": TRAINING, "autoscaling": AUTOSCALING, "alerts": ALERTS}
KINDS = {
    "training": TranslateTrainingOperator,
    "autoscaling": TranslateAutoscalingOperator,
    "alerts": TranslateAlertsOperator,
}
GATES = {
    "training": "training-translated", "autoscaling": "autoscaling-safe", "alerts": "alerts-equal"
}  # fmt: skip


@pytest.fixture
def beside(world: World) -> World:
    world.save(**SIDES, datasets=[], gates=[], **SECTIONS)
    lay_out_jobs(Path(world.spec_path).parent)
    return world


def run(world: World, kind: type, *, params: dict[str, Any] | None = None, **more: Any) -> Any:
    task = kind(task_id="task", spec_path=world.spec_path, phase="provision", **more)
    return task.execute(context_of(task, **(params or {})))


def judge(world: World, part: str) -> Any:
    return run(world, EvaluateInfrastructureGateOperator, gate=GATES[part])


def records(world: World, part: str) -> list[dict[str, Any]]:
    paths = sorted(world.run_folder("provision").glob(f"~parts/{part}-*.json"))
    return [json.loads(path.read_text()) for path in paths]


def files(world: World, record: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: (world.evidence / each["ref"]["path"]).read_text() for each in record["files"]}


def twice(world: World, part: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Run a part's task two times, and return what it said and what it kept."""
    first, second = run(world, KINDS[part]), run(world, KINDS[part])
    assert (first["unchanged"], second["unchanged"]) == (False, True)
    assert first["digest"] == second["digest"]
    one, two = records(world, part)
    assert one["files"] == two["files"]
    assert world.actions() == [f"{part}.translated"] * 2
    assert judge(world, part)["passed"]
    return first, files(world, one)


def test_jobs_are_translated_again_to_the_same_digest_and_rehearsed(beside: World) -> None:
    said, kept = twice(beside, "training")
    assert (said["definitions"], said["rehearsed"], said["untranslated"], said["invalid"]) == (1, 1, 0, 0)
    assert sorted(kept) == ["finetune.report.json", "finetune.vertex.json"]
    report = json.loads(kept["finetune.report.json"])
    assert (report["rehearsed"], report["checked"]) == (True, "")
    assert report["source"]["global_batch"] == report["target"]["global_batch"] == 512
    assert "not-a-real-key" in (Path(beside.spec_path).parent / "training" / "sagemaker.json").read_text()
    assert "not-a-real-key" not in "".join(kept.values())


def test_autoscaling_is_simulated_again_to_the_same_digest(beside: World) -> None:
    said, kept = twice(beside, "autoscaling")
    assert (said["policies"], said["equivalent"], said["invalid"]) == (1, 1, 0)
    assert {"churn.vertex.json", "churn.report.json", "churn.vertex.md"} <= set(kept)
    assert json.loads(kept["churn.report.json"])["word"] == "equivalent"


def test_alerts_are_kept_by_digest_and_a_second_run_says_unchanged(beside: World) -> None:
    said, kept = twice(beside, "alerts")
    assert (said["rules"], said["equal"], said["invalid"]) == (1, 1, 0)
    assert said["replays"] > 10
    assert sorted(kept) == ["serving.prometheus.yaml", "serving.report.json"]
    assert yaml.safe_load(kept["serving.prometheus.yaml"])["groups"]


def test_dashboards_are_kept_and_a_widget_without_counterpart_shuts_the_gate(beside: World) -> None:
    folder = Path(beside.spec_path).parent / "boards"
    folder.mkdir()
    for name, document in (("whole", DRAWN), ("other", {"widgets": BODY["widgets"][5:7]})):
        (folder / f"{name}.json").write_text(json.dumps(document))
    boards = {**ALERTS[0], "documents": [], "dashboards": ["boards/*.json"]}
    beside.save(alerts=[boards])
    said, kept = run(beside, TranslateAlertsOperator), files(beside, records(beside, "alerts")[0])
    assert (said["dashboards"], said["lines"], said["open_untranslated"], said["invalid"]) == (2, 7, 1, 0)
    assert {"serving.whole.prometheus.dashboard.json", "serving.other.dashboard.report.json"} <= set(kept)
    with pytest.raises(IncompleteError, match=r"alerts_translated.*nobody accepts: serving: Errors"):
        judge(beside, "alerts")
    accepted = [{"subject": "Errors", "reason": "asked by hand"}]
    beside.save(alerts=[{**boards, "accept_untranslated": accepted}])
    run(beside, TranslateAlertsOperator)
    assert judge(beside, "alerts")["passed"]


def test_what_is_in_the_way_of_a_job_shuts_the_gate_until_the_job_is_given_up(beside: World) -> None:
    beside.save(training=[{**TRAINING[0], "map": None}])
    assert run(beside, TranslateTrainingOperator)["open_untranslated"] > 0
    [record] = records(beside, "training")
    assert list(files(beside, record)) == ["finetune.report.json"], "no definition that must not be run"
    with pytest.raises(IncompleteError, match=r"training_translated.*nobody accepts: finetune: .*HL-8014"):
        judge(beside, "training")
    accepted = [{"subject": "*", "reason": "this job is given up"}]
    good = {**TRAINING[0], "name": "other"}
    beside.save(training=[{**TRAINING[0], "map": None, "accept_untranslated": accepted}, good])
    assert run(beside, TranslateTrainingOperator)["open_untranslated"] == 0
    assert judge(beside, "training")["passed"]


def test_a_target_that_is_less_safe_shuts_the_gate_and_says_what_would_be(beside: World) -> None:
    # 10 per cent above the target, which Kubernetes lets be.
    lay_out_jobs(Path(beside.spec_path).parent, later=650.0)
    beside.save(autoscaling=[{**AUTOSCALING[0], "target_kind": "hpa"}])
    assert run(beside, TranslateAutoscalingOperator)["invalid"] == 1
    [record] = records(beside, "autoscaling")
    kept = files(beside, record)
    assert "churn.hpa.yaml" not in kept
    assert "churn.advised.hpa.yaml" in kept
    with pytest.raises(IncompleteError, match=r"autoscaling_safe.*less safe.*safe would be: "):
        judge(beside, "autoscaling")
    with pytest.raises(IncompleteError, match="autoscaling: 1 less safe than the source"):
        run(beside, SummariseInfrastructureOperator)


def test_an_alert_without_a_counterpart_shuts_the_gate_until_it_is_accepted(beside: World) -> None:
    lay_out_jobs(Path(beside.spec_path).parent, alarm(), alarm(AlarmName="odd", MetricName="Unheard"))
    assert run(beside, TranslateAlertsOperator)["open_untranslated"] == 1
    with pytest.raises(IncompleteError, match=r"alerts_translated.*nobody accepts: serving: odd"):
        judge(beside, "alerts")
    accepted = [{"subject": name, "reason": "nobody looks at it"} for name in ("odd", "gone")]
    beside.save(alerts=[{**ALERTS[0], "accept_untranslated": accepted}])
    assert run(beside, TranslateAlertsOperator)["open_untranslated"] == 0
    assert records(beside, "alerts")[-1]["unused"] == ["serving: gone"]
    assert judge(beside, "alerts")["passed"]


@pytest.mark.parametrize("part", list(KINDS))
def test_a_task_that_was_killed_before_its_record_ends_as_if_it_had_not_been(
    beside: World, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_args: Any, **_more: Any) -> None:
        raise KeyboardInterrupt

    beside.save(training=[{**TRAINING[0], "rehearse": False}])
    with monkeypatch.context() as patched:
        patched.setattr(part_evidence, "write_next", dies)
        with pytest.raises(KeyboardInterrupt):
            run(beside, KINDS[part])
    left = {str(path.relative_to(beside.evidence)) for path in beside.evidence.rglob("~parts/*/*/*")}
    assert left
    assert records(beside, part) == []
    run(beside, KINDS[part])
    assert left == {file["ref"]["path"] for file in records(beside, part)[0]["files"]}


def test_the_whole_phase_is_judged_told_and_published(beside: World) -> None:
    with pytest.raises(IncompleteError, match="training: nothing was translated"):
        run(beside, SummariseInfrastructureOperator)
    for part, kind in KINDS.items():
        run(beside, kind)
        judge(beside, part)
    said = run(beside, SummariseInfrastructureOperator)
    assert said["written_not_applied"] == ["training", "autoscaling", "alerts"]
    run(beside, PublishInfrastructureOperator)
    report = run(beside, BuildInfrastructureReportOperator)["report"]
    page = html.unescape((beside.evidence / report).read_text())
    for text in ("Training jobs", "Autoscaling", "Alerts", "finetune.vertex.json", "churn.report.json"):
        assert text in page
    assert "1 equal, 0 different (a replay of both rules over the same series)" in page
    # A translation of something else is not what the gate has seen.
    lay_out_jobs(Path(beside.spec_path).parent, alarm(Threshold=7.0))
    run(beside, TranslateAlertsOperator)
    with pytest.raises(IncompleteError, match="alerts-equal"):
        run(beside, SummariseInfrastructureOperator)


def test_a_form_that_cannot_be_checked_counts_as_nothing(
    beside: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_solver: Solver, requirement: str, _python: str) -> Path:
        raise ServerUnavailableError("solving", got=f"no index for {requirement}", code="0000")

    monkeypatch.setattr(Solver, "tool", none)
    jobs = [
        {
            **TRAINING[0],
            "name": "pods",
            "definition": "training/pytorchjob.yaml",
            "target_kind": "kubernetes",
            "cluster": "gke",
            "source_cluster": "eks",
            "map": "training/pods.yaml",
            "rehearse": False,
        },
        {**TRAINING[0], "name": "ml", "target_kind": "azure_ml", "rehearse": False},
    ]
    folder = Path(beside.spec_path).parent / "training"
    (folder / "pods.yaml").write_text(f"{(folder / 'own-map.yaml').read_text()}claims: {{clicks: clicks}}\n")
    beside.save(training=jobs)
    run(beside, TranslateTrainingOperator)
    [record] = records(beside, "training")
    assert (record["valid"], record["invalid"], len(record["problems"])) == (0, 0, 2)
    with pytest.raises(IncompleteError, match=r"training_valid.*no index for"):
        judge(beside, "training")


def test_a_run_that_destroys_translates_nothing(beside: World) -> None:
    for kind in KINDS.values():
        with pytest.raises(AirflowSkipException):
            run(beside, kind, params={"destroy": True})
    assert not list(beside.evidence.rglob("~parts/*"))


@pytest.mark.parametrize(
    ("part", "change", "code"),
    [
        ("training", {"definition": "out/secret.json"}, "9110"),
        ("training", {"definition": "no/*.json"}, "9111"),
        ("training", {"map": "training"}, "9113"),
        ("training", {"definition": "alerts/alarms.json"}, "9201"),
        ("autoscaling", {"settings": "out/secret.json"}, "9110"),
        ("autoscaling", {"load": "none.csv"}, "9111"),
        ("autoscaling", {"load": "autoscaling/aws.json"}, "9210"),
        ("alerts", {"documents": ["out/secret.json"]}, "9110"),
        ("alerts", {"names": "none.json"}, "9111"),
        ("alerts", {"documents": ["autoscaling/load.json"]}, "9351"),
    ],
)
def test_hostile_files_are_refused_and_nothing_is_kept(
    beside: World, part: str, change: dict[str, Any], code: str, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.json").write_text("{}")
    (Path(beside.spec_path).parent / "out").symlink_to(outside)
    beside.save(**{part: [{**SECTIONS[part][0], **change}]})
    with pytest.raises(HeavyliftError, match=f"HL-{code}"):
        run(beside, KINDS[part])
    assert not list(beside.evidence.rglob("~parts/*"))


@pytest.mark.parametrize("part", list(KINDS))
def test_a_value_that_looks_like_a_secret_is_not_kept(beside: World, part: str) -> None:
    folder, key = Path(beside.spec_path).parent, "AKIAIOSFODNN7EXAMPLE"
    if part == "alerts":
        lay_out_jobs(folder, alarm(AlarmName=f"errors {key}"))
    elif part == "training":
        path = folder / "training" / "sagemaker.json"
        path.write_text(path.read_text().replace('"--', f'"--note={key}", "--', 1))
        given = json.loads(path.read_text())
        given["Environment"] = {**given.get("Environment", {}), "NOTE": key}
        path.write_text(json.dumps(given))
    else:
        path = folder / "autoscaling" / "aws.json"
        path.write_text(path.read_text().replace("churn", f"churn-{key}"))
    assert run(beside, KINDS[part])["open_untranslated"] >= 1
    for each in beside.evidence.rglob("*"):
        if each.is_file() and "~parts" in each.parts:
            assert key not in each.read_text(), each
    with pytest.raises(IncompleteError):
        judge(beside, part)
