"""What the phase provision translates beside infrastructure: kept, judged, refused, killed and run again."""

from __future__ import annotations

import html
import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput

from heavylift.environments import Solver
from heavylift.errors import (
    HeavyliftError,
    IncompleteError,
    NotFoundError,
    ServerUnavailableError,
    SpecError,
    TransientError,
)
from heavylift.evidence import part_evidence
from heavylift.pipelines.checking import Checked
from heavylift.pipelines.part import PipelinesRequest, make_pipelines
from heavylift.spec import load_spec
from heavylift_airflow.operators.access import TranslateAccessOperator, VerifyAccessOperator
from heavylift_airflow.operators.parts import TranslateManifestsOperator, TranslatePipelinesOperator
from heavylift_airflow.operators.provision_closing import (
    ApproveInfrastructureOperator,
    BuildInfrastructureReportOperator,
    EvaluateInfrastructureGateOperator,
    PublishInfrastructureOperator,
    SummariseInfrastructureOperator,
)
from tests.plugins.world import World, context_of
from tests.support.handed_over import ACCESS, MANIFESTS, POLICY, SIDES, lay_out
from tests.support.longer import first_then_long

KUBEFLOW = {
    "name": "kf", "source_kind": "kubeflow", "target_kind": "sagemaker",
    "definition": "pipelines/kubeflow.yaml",
}  # fmt: skip
TOY = {
    "name": "toy", "source_kind": "sagemaker", "target_kind": "sagemaker", "definition": "pipelines/toy.json"
}  # fmt: skip
SECRET = "hunter2"
REVIEW = "access-reviewed"


@pytest.fixture
def beside(world: World) -> World:
    """Return a migration without data, with files of three clouds beside its spec."""
    world.save(**SIDES, datasets=[], gates=[])
    lay_out(Path(world.spec_path).parent)
    return world


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no loader be had that is not part of this environment."""

    def none(_solver: Solver, requirement: str, _python: str) -> Path:
        raise ServerUnavailableError("solving", got=f"no index for {requirement}", code="0000")

    monkeypatch.setattr(Solver, "tool", none)


def run(world: World, kind: type, *, params: dict[str, Any] | None = None, **more: Any) -> Any:
    task = kind(task_id="task", spec_path=world.spec_path, phase="provision", **more)
    return task.execute(context_of(task, **(params or {})))


def judge(world: World, gate: str) -> Any:
    return run(world, EvaluateInfrastructureGateOperator, gate=gate)


def approve(world: World, gate: str) -> None:
    def task() -> Any:
        return ApproveInfrastructureOperator(
            task_id="task", spec_path=world.spec_path, phase="provision", gate=gate,
            response_timeout=timedelta(hours=1),
        )  # fmt: skip

    asks, goes_on = task(), task()
    with pytest.raises(TaskAwaitingInput) as waiting:
        asks.execute(context_of(asks))
    event = {
        "chosen_options": ["Approve"],
        "params_input": {},
        "responded_at": datetime(2026, 11, 29, 12, tzinfo=UTC),
        "responded_by_user": {"id": "eva", "name": "Eva"},
    }
    goes_on.execute_complete(context_of(goes_on), event, asked_about=waiting.value.kwargs["asked_about"])


def records(world: World, part: str) -> list[dict[str, Any]]:
    paths = sorted(world.run_folder("provision").glob(f"~parts/{part}-*.json"))
    return [json.loads(path.read_text()) for path in paths]


def in_evidence(world: World, text: str) -> list[Path]:
    return [
        each for each in world.evidence.rglob("*") if each.is_file() and text.encode() in each.read_bytes()
    ]


def subjects(record: dict[str, Any]) -> list[str]:
    return [gap["subject"] for gap in record["gaps"] if not gap["accepted"]]


def accept(*names: str) -> list[dict[str, str]]:
    return [{"subject": name, "reason": "agreed"} for name in names]


def test_pipelines_are_kept_by_digest_and_a_second_run_says_unchanged(beside: World) -> None:
    beside.save(pipelines=[TOY])
    first, second = run(beside, TranslatePipelinesOperator), run(beside, TranslatePipelinesOperator)
    assert (first["unchanged"], second["unchanged"]) == (False, True)
    assert first["digest"] == second["digest"]
    one, two = records(beside, "pipelines")
    assert one["files"] == two["files"]
    names = {file["name"]: file["ref"] for file in one["files"]}
    assert sorted(names) == ["toy.report.txt", "toy.sagemaker.json"]
    made = json.loads((beside.evidence / names["toy.sagemaker.json"]["path"]).read_text())
    assert made["Version"] == "2020-12-01"
    assert names["toy.sagemaker.json"]["sha256"] in names["toy.sagemaker.json"]["path"]
    assert beside.actions() == ["pipelines.translated"] * 2
    assert judge(beside, "pipelines-translated")["passed"]


def test_a_step_without_an_equivalent_shuts_the_gate_until_it_is_accepted_by_name(beside: World) -> None:
    beside.save(pipelines=[KUBEFLOW])
    figures = run(beside, TranslatePipelinesOperator)
    assert figures["untranslated"] == figures["open_untranslated"] > 0
    with pytest.raises(IncompleteError, match=r"pipelines_translated.*nobody accepts: kf: boom.*HL-8014"):
        judge(beside, "pipelines-translated")
    names = [subject.removeprefix("kf: ") for subject in subjects(records(beside, "pipelines")[0])]
    beside.save(pipelines=[{**KUBEFLOW, "accept_untranslated": accept(*names[1:])}])
    assert run(beside, TranslatePipelinesOperator)["open_untranslated"] == 1
    with pytest.raises(IncompleteError, match="kf: boom"):
        judge(beside, "pipelines-translated")
    beside.save(pipelines=[{**KUBEFLOW, "accept_untranslated": accept(*names, "gone")}])
    run(beside, TranslatePipelinesOperator)
    assert records(beside, "pipelines")[-1]["unused"] == ["kf: gone"]
    assert judge(beside, "pipelines-translated")["passed"]


def test_a_definition_with_a_secret_in_it_is_told_and_not_kept(beside: World) -> None:
    beside.save(pipelines=[{**TOY, "name": "abalone", "definition": "pipelines/abalone.json"}])
    definition = Path(beside.spec_path).parent / "pipelines" / "abalone.json"
    text = definition.read_text()
    value = json.loads(text)["Steps"]
    assert "API_KEY" in text
    run(beside, TranslatePipelinesOperator)
    [record] = records(beside, "pipelines")
    assert record["files"] == []
    assert "abalone: Train, API_KEY" in subjects(record)
    [held] = {
        str(step["Arguments"]["Environment"]["API_KEY"])
        for step in value
        if "API_KEY" in step.get("Arguments", {}).get("Environment", {})
    }
    assert in_evidence(beside, held) == []


def test_a_loader_that_cannot_be_had_takes_nothing(beside: World, offline: None) -> None:
    beside.save(pipelines=[{**TOY, "target_kind": "vertex"}], manifests=MANIFESTS)
    run(beside, TranslatePipelinesOperator)
    [record] = records(beside, "pipelines")
    assert (record["valid"], record["invalid"], record["loader"]) == (0, 0, "")
    with pytest.raises(IncompleteError, match=r"pipelines_valid.*no index for kfp"):
        judge(beside, "pipelines-translated")
    run(beside, TranslateManifestsOperator)
    with pytest.raises(IncompleteError, match=r"manifests_valid.*no index for kubernetes-validate"):
        judge(beside, "manifests-translated")


@pytest.mark.parametrize("source", first_then_long(["eks", "gke", "aks"]))
def test_manifests_are_kept_without_their_secrets(beside: World, source: str, offline: None) -> None:
    target = {"eks": "gke", "gke": "aks", "aks": "eks"}[source]
    own = {"files": [f"manifests/{source}", "manifests/old"], "source": source, "target": target}
    beside.save(manifests={**MANIFESTS, **own, "accept_untranslated": []})
    first, second = run(beside, TranslateManifestsOperator), run(beside, TranslateManifestsOperator)
    assert first["digest"] == second["digest"]
    assert second["unchanged"]
    record = records(beside, "manifests")[-1]
    assert "manifests.report.json" in [file["name"] for file in record["files"]]
    assert len(record["files"]) > 2
    assert in_evidence(beside, SECRET) == []
    if source == "eks":
        assert any("Secret/registry-login" in subject for subject in subjects(record))
        [kept] = [file["ref"]["path"] for file in record["files"] if file["name"] == "training.yaml"]
        text = (beside.evidence / kept).read_text()
        assert "kind: ServiceAccount" in text
        assert "kind: Secret" not in text


def test_a_task_that_is_stopped_keeps_nothing_and_shows_no_further_file_to_a_loader(
    beside: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside.save(pipelines=[TOY, {**TOY, "name": "again"}])
    task = TranslatePipelinesOperator(task_id="task", spec_path=beside.spec_path, phase="provision")
    stop, shown = threading.Event(), list[Path]()

    def stopped(path: Path, *_more: Any) -> Checked:
        shown.append(path)
        task.on_kill()
        stop.set()
        return Checked(str(path), "")

    monkeypatch.setattr("heavylift.pipelines.part.check", stopped)
    with pytest.raises(TransientError, match="HL-8003"):
        task.execute(context_of(task))
    assert records(beside, "pipelines") == []
    stop.clear()
    shown.clear()
    make_pipelines(PipelinesRequest(beside.spec_path, load_spec(beside.spec_path).pipelines), stop)
    assert len(shown) == 1


@pytest.mark.parametrize("kind", [TranslatePipelinesOperator, TranslateAccessOperator])
def test_a_task_that_was_killed_before_its_record_ends_as_if_it_had_not_been(
    beside: World, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside.save(pipelines=[TOY], access=ACCESS)

    async def dies(*_args: Any, **_more: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(part_evidence, "write_next", dies)
        with pytest.raises(KeyboardInterrupt):
            run(beside, kind)
    part = "pipelines" if kind is TranslatePipelinesOperator else "access"
    left = {path: path.read_bytes() for path in beside.evidence.rglob("~parts/*/*/*")}
    assert left
    assert records(beside, part) == []
    run(beside, kind)
    [record] = records(beside, part)
    assert {str(path.relative_to(beside.evidence)) for path in left} == {
        file["ref"]["path"] for file in record["files"]
    }


def test_the_whole_of_permissions_is_reviewed_compared_and_told_as_not_applied(
    beside: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.standard.operators import hitl

    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **_question: None)
    there = Path(beside.spec_path).parent / "access" / "there.json"
    beside.save(access={**ACCESS, "target_documents": ["access/there.json"]}, pipelines=[TOY])
    run(beside, TranslatePipelinesOperator)
    judge(beside, "pipelines-translated")
    assert run(beside, TranslateAccessOperator)["passed"]
    [record] = records(beside, "access")
    files = {file["name"]: beside.evidence / file["ref"]["path"] for file in record["files"]}
    with pytest.raises(NotFoundError, match="HL-9111"):
        run(beside, VerifyAccessOperator)
    with pytest.raises(IncompleteError, match="were not compared with a translation"):
        judge(beside, "access-equal")

    # What is handed over is what the target's owner applies, and exports again.
    there.write_text(
        json.dumps({name: json.loads(files[f"{name}.json"].read_text()) for name in ("roles", "policies")})
    )
    assert run(beside, VerifyAccessOperator)["passed"]
    assert judge(beside, "access-equal")["passed"]
    [matrix] = beside.evidence.rglob("~access/target-matrix-*.parquet")
    [before] = beside.evidence.rglob("~access/matrix-1-*.parquet")
    assert matrix.read_bytes() == before.read_bytes(), "the target answers as the translation did"
    judge(beside, REVIEW)
    with pytest.raises(IncompleteError, match=f"gate {REVIEW} passed and waits for approval"):
        run(beside, SummariseInfrastructureOperator)
    approve(beside, REVIEW)
    said = run(beside, SummariseInfrastructureOperator)
    assert said["written_not_applied"] == ["pipelines", "access"]
    run(beside, PublishInfrastructureOperator)
    report = run(beside, BuildInfrastructureReportOperator)["report"]
    page = html.unescape((beside.evidence / report).read_text())
    assert "Heavylift applies none of them" in page
    assert "and the target's own permissions are the same" in page
    assert "Infrastructure</h2>" not in page

    # A translation that is made anew has to be compared, reviewed and summed up anew.
    run(beside, TranslateAccessOperator)
    assert run(beside, SummariseInfrastructureOperator)["passed"], (
        "the same digest: what was agreed still holds"
    )
    policy = {**POLICY, "Statement": POLICY["Statement"][:1]}
    (there.parent / "policy.json").write_text(json.dumps(policy))
    run(beside, TranslateAccessOperator)
    with pytest.raises(IncompleteError, match=r"gate access-reviewed was asked about an older translation"):
        run(beside, SummariseInfrastructureOperator)
    with pytest.raises(IncompleteError, match="what was compared is not the run's newest translation"):
        judge(beside, "access-equal")


def test_a_denial_on_the_target_is_found_by_asking_it(beside: World) -> None:
    folder = Path(beside.spec_path).parent / "access"
    beside.save(access={**ACCESS, "target_documents": ["access/there*.json"]})
    run(beside, TranslateAccessOperator)
    [path] = beside.evidence.rglob("~access/translation-1.json")
    documents = json.loads(path.read_text())["documents"]
    (folder / "there.json").write_text(json.dumps({name: documents[name] for name in ("roles", "policies")}))
    rule = {"deniedPrincipals": ["principalSet://goog/public:all"],
            "deniedPermissions": ["storage.googleapis.com/objects.get"]}  # fmt: skip
    (folder / "there-denied.json").write_text(json.dumps({"rules": [{"denyRule": rule}]}))
    with pytest.raises(IncompleteError, match=r"matrix object\.read \(refused\) for .*HL-8110"):
        run(beside, VerifyAccessOperator)
    with pytest.raises(IncompleteError, match=r"access_matrix_equal.*matrix object\.read"):
        judge(beside, "access-equal")
    # What is compared must be what was translated.
    (folder / "policy.json").write_text(json.dumps({**POLICY, "Statement": POLICY["Statement"][:1]}))
    with pytest.raises(IncompleteError, match="HL-9118"):
        run(beside, VerifyAccessOperator)


def test_only_the_chosen_identities_move_and_unused_permissions_stay(beside: World) -> None:
    folder = Path(beside.spec_path).parent / "access"
    (folder / "other.json").write_text((folder / "policy.json").read_text())
    access = {**ACCESS, "documents": ["access/policy.json", "access/other.json"]}
    beside.save(access={**access, "exclude": ["oth*"]})
    assert run(beside, TranslateAccessOperator)["identities"] == 1
    beside.save(access={**access, "identities": ["nobody"]})
    with pytest.raises(SpecError, match="HL-9116"):
        run(beside, TranslateAccessOperator)
    beside.save(access={**access, "access_log": (folder / "logs").as_uri()})
    (folder / "logs").mkdir()
    with pytest.raises(NotFoundError, match="HL-9115"):
        run(beside, TranslateAccessOperator)


def test_a_dry_run_translates_and_judges_nothing_and_one_that_destroys_does_neither(beside: World) -> None:
    beside.save(pipelines=[TOY], access=ACCESS)
    dry = {"params": {"dry_run": True}}
    run(beside, TranslatePipelinesOperator, **dry)
    with pytest.raises(IncompleteError, match="access: nothing was translated"):
        run(beside, SummariseInfrastructureOperator, **dry)
    run(beside, TranslateAccessOperator, **dry)
    with pytest.raises(AirflowSkipException):
        run(beside, EvaluateInfrastructureGateOperator, gate=REVIEW, **dry)
    run(beside, SummariseInfrastructureOperator, **dry)
    gone = {"params": {"destroy": True}}
    for kind in (TranslatePipelinesOperator, TranslateAccessOperator):
        with pytest.raises(AirflowSkipException):
            run(beside, kind, **gone)
    with pytest.raises(AirflowSkipException):
        run(beside, EvaluateInfrastructureGateOperator, gate=REVIEW, **gone)


BOMB = "a: &a [x, x, x, x]\nb: &b [*a, *a, *a, *a]\nc: &c [*b, *b, *b, *b]\nd: [*c, *c, *c, *c]\n"


@pytest.mark.parametrize(
    ("kind", "section", "code"),
    [
        (TranslatePipelinesOperator, {"pipelines": [{**TOY, "definition": "out/secret.json"}]}, "9110"),
        (TranslatePipelinesOperator, {"pipelines": [{**TOY, "definition": "no/*.json"}]}, "9111"),
        (TranslatePipelinesOperator, {"pipelines": [{**TOY, "map": "pipelines"}]}, "9113"),
        (TranslatePipelinesOperator, {"pipelines": [{**TOY, "definition": "pipelines"}]}, "9113"),
        (TranslatePipelinesOperator, {"pipelines": [{**TOY, "definition": "bomb.yaml"}]}, "8401"),
        (
            TranslatePipelinesOperator,
            {"pipelines": [{**TOY, "source_kind": "azure_ml"}]},
            "9114",
        ),
        (TranslateAccessOperator, {"access": {**ACCESS, "names": "out/secret.json"}}, "9110"),
        (TranslateAccessOperator, {"access": {**ACCESS, "documents": ["bomb.yaml"]}}, "8102"),
        (TranslateAccessOperator, {"access": {**ACCESS, "documents": ["access"]}}, "9113"),
        (TranslateManifestsOperator, {"manifests": {**MANIFESTS, "files": ["out/secret.json"]}}, "9110"),
        (TranslateManifestsOperator, {"manifests": {**MANIFESTS, "files": ["links"]}}, "9110"),
        (TranslateManifestsOperator, {"manifests": {**MANIFESTS, "files": ["bomb.yaml"]}}, "8505"),
    ],
)
def test_hostile_files_are_refused_and_nothing_is_kept(
    beside: World, kind: type, section: dict[str, Any], code: str, tmp_path: Path
) -> None:
    folder, outside = Path(beside.spec_path).parent, tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.json").write_text("{}")
    (folder / "out").symlink_to(outside)
    (folder / "links").mkdir()
    (folder / "links" / "passwd.yaml").symlink_to("/etc/passwd")
    (folder / "bomb.yaml").write_text(BOMB + "".join(f"k{n}: [{'*c, ' * 20000}x]\n" for n in range(5)))
    beside.save(**section)
    with pytest.raises(HeavyliftError, match=f"HL-{code}"):
        run(beside, kind)
    assert not list(beside.evidence.rglob("~parts/*"))
