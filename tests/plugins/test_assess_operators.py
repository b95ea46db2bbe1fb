"""The assess phase as Airflow runs it, on a small account: judged, approved, killed and resumed."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput

from heavylift.baselines import quality
from heavylift.baselines.truth import Known
from heavylift.errors import ConflictError, IncompleteError, NotFoundError, ServerUnavailableError
from heavylift.facts.accelerators import load_accelerators
from heavylift.inventory import api
from heavylift.inventory.platforms import open_plane
from heavylift.quotas import api as quotas_api
from heavylift.scoring.outputs import Outputs
from heavylift.utilisation import readers
from heavylift_airflow.operators.assess import MakeGraphOperator, MakePlanOperator, TakeInventoryOperator
from heavylift_airflow.operators.assess_closing import (
    BuildPlanReportOperator,
    EvaluatePlanGateOperator,
    PublishPlanOperator,
    SummarisePlanOperator,
)
from heavylift_airflow.operators.baselines import MeasureBaselineOperator, MeasureUtilisationOperator
from heavylift_airflow.operators.gates import EvaluateGateOperator, GateApprovalOperator
from heavylift_airflow.operators.models import read_baseline
from heavylift_airflow.operators.quotas import ReadQuotasOperator
from tests.plugins.world import World, context_of
from tests.support.asked_server import Behaviour, asked_server
from tests.support.assess_task import killed_again_and_again
from tests.support.longer import first_then_long
from tests.support.small_account import PARTNER, SmallPlane

GATE = "plan-approved"
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
STEPS = (TakeInventoryOperator, MakeGraphOperator, MakePlanOperator)


@pytest.fixture
def account(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a migration whose source is the small account."""
    platforms = {
        "source": {"platform": "aws", "connection": "account"},
        "target": {"platform": "gcp", "connection": "there", "region": "europe-west4"},
    }
    world.save(**platforms, datasets=[], gates=[], assess=ASSESS)
    monkeypatch.setenv("AIRFLOW_CONN_ACCOUNT", '{"conn_type": "aws"}')
    use(monkeypatch)
    return world


@pytest.fixture(autouse=True)
def _no_api_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow stores the question through its API server; there is none in this layer."""
    from airflow.providers.standard.operators import hitl

    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **_question: None)


def use(monkeypatch: pytest.MonkeyPatch, plane: SmallPlane | None = None) -> SmallPlane:
    made = plane or SmallPlane()
    monkeypatch.setattr(api, "open_plane", lambda _request, _stop: made)
    return made


def task(world: World, kind: type, phase: str = "assess", **more: Any) -> Any:
    return kind(task_id="task", spec_path=world.spec_path, phase=phase, **more)


def run(world: World, kind: type, **more: Any) -> Any:
    made = task(world, kind, **more)
    return made.execute(context_of(made))


def approve(world: World, option: str = "Approve") -> str:
    """Ask, and answer; returns what was shown."""
    made = task(world, GateApprovalOperator, gate=GATE, response_timeout=timedelta(hours=1))
    with pytest.raises(TaskAwaitingInput) as waiting:
        made.execute(context_of(made))
    event = {
        "chosen_options": [option],
        "params_input": {},
        "responded_at": datetime(2026, 11, 29, 12, tzinfo=UTC),
        "responded_by_user": {"id": "eva", "name": "Eva"},
    }
    again = task(world, GateApprovalOperator, gate=GATE, response_timeout=timedelta(hours=1))
    again.execute_complete(context_of(again), event, **{"asked_about": waiting.value.kwargs["asked_about"]})
    return str(made.body)


def planned(world: World) -> dict[str, Any]:
    for kind in STEPS:
        figures = run(world, kind)
    return dict(figures)


def test_the_phase_ends_with_a_plan_that_a_person_has_agreed_to(account: World) -> None:
    inventory, graph = run(account, TakeInventoryOperator), run(account, MakeGraphOperator)
    assert inventory["components"] == 7
    assert inventory["complete"] is True
    assert graph["unexplained"] == 0
    made = task(account, MakePlanOperator)
    context = context_of(made)
    plan = made.execute(context)
    assert (plan["open_blockers"], plan["unknown_sizes"], plan["components"]) == (0, 0, 7)
    [job] = context["ti"].pushed["baseline"]["jobs"]
    assert (job["instance_type"], job["median_seconds"], job["machine_hours"]) == ("ml.p4d.24xlarge", 7200, 4)
    # Four machine hours by the table's price of a p4d.24xlarge, which is told with its day.
    priced = load_accelerators().find("aws", "p4d.24xlarge")
    assert priced is not None
    assert job["usd"] == pytest.approx(4 * (priced.usd_per_hour or 0), abs=0.005)
    assert priced.date in job["price"]
    assert run(account, BuildPlanReportOperator)["report"].endswith("report-1.html")
    assert run(account, EvaluatePlanGateOperator, gate=GATE)["passed"] is True
    with pytest.raises(IncompleteError, match="waits for approval"):
        run(account, SummarisePlanOperator)
    assert f"`{plan['plan_digest']}`" in approve(account)
    publish = task(account, PublishPlanOperator)
    proof = publish.execute({**context_of(publish), "outlet_events": {}})
    assert proof["plan_digest"] == plan["plan_digest"]
    assert run(account, SummarisePlanOperator) == {"plan_digest": plan["plan_digest"], "passed": True}
    [answer] = [entry for entry in account.trail() if entry.action == "gate.approved"]
    assert (answer.actor, answer.details["plan_digest"]) == ("eva", plan["plan_digest"])


def test_an_unknown_size_shuts_the_gate_until_it_is_stated_or_accepted(
    account: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, SmallPlane(measured=False))
    monkeypatch.setattr("heavylift.inventory.sizes._Meter._listed", lambda *_: None)
    figures = planned(account)
    assert (figures["unknown_sizes"], figures["open_blockers"]) == (1, 1)
    with pytest.raises(IncompleteError, match=r"AS-242 of arn:aws:s3:::training.*HL-8014"):
        run(account, EvaluatePlanGateOperator, gate=GATE)
    accept = [{"rule": "AS-242", "component": "arn:aws:s3:::training", "reason": "it stays"}]
    account.save(assess={**ASSESS, "accept": accept})
    assert run(account, MakePlanOperator)["open_blockers"] == 0
    assert run(account, EvaluatePlanGateOperator, gate=GATE)["passed"] is True
    stated = [{"match": "training", "size": "4GB", "change_per_day": 0}]
    account.save(assess={**ASSESS, "components": stated})
    assert run(account, MakePlanOperator)["unknown_sizes"] == 0


def test_what_is_beside_the_source_is_in_the_graph_the_plan_and_the_proof(
    account: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "share"
    (folder / "features").mkdir(parents=True)
    (folder / "features" / "a").write_bytes(b"x" * 7)
    monkeypatch.setenv("AIRFLOW_CONN_SHARE", json.dumps({"conn_type": "fs", "extra": {"path": str(folder)}}))
    own = api.open_plane
    monkeypatch.setattr(
        api, "open_plane", lambda asked, stop: (own if asked.platform == "aws" else open_plane)(asked, stop)
    )
    also = [{"system": "files", "connection": "share"}]
    account.save(assess={**ASSESS, "also": also})
    run(account, TakeInventoryOperator)
    with pytest.raises(NotFoundError, match=r"'share'.*HL-7622"):
        run(account, MakeGraphOperator)
    assert run(account, TakeInventoryOperator, beside="share")["components"] == 2
    run(account, MakeGraphOperator)
    assert run(account, MakePlanOperator)["components"] == 7 + 2
    assert run(account, EvaluatePlanGateOperator, gate=GATE)["passed"] is True
    # What is listed anew has to be in the graph, and in the plan, again.
    run(account, TakeInventoryOperator, beside="share")
    with pytest.raises(IncompleteError, match="an inventory was taken after the plan was made"):
        run(account, EvaluatePlanGateOperator, gate=GATE)
    with pytest.raises(ConflictError, match=r"without the newest inventory of 'share'.*HL-6924"):
        run(account, MakePlanOperator)


def test_a_live_endpoint_is_measured_told_and_demanded(
    account: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bodies = tmp_path / "golden.jsonl"
    bodies.write_text('{"inputs": [1]}\n{"inputs": [2]}\n')
    wanted = {"connection": "scoring", "requests": bodies.as_uri(), "rates": [40.0], "step": "1s"}
    account.save(assess={**ASSESS, "baselines": [{**wanted, "warm_up": "0s", "usd_per_hour": 0.72}]})
    planned(account)
    with pytest.raises(IncompleteError, match="scoring was not measured"):
        run(account, EvaluatePlanGateOperator, gate=GATE)
    with asked_server(Behaviour(service=0.002)) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SCORING", json.dumps({"conn_type": "http", "host": server.url}))
        made = task(account, MeasureBaselineOperator, endpoint="scoring")
        context = context_of(made)
        figures = made.execute(context)
        again = task(account, MeasureBaselineOperator, endpoint="scoring")
        repeated = again.execute(context_of(again, attempt=2))
    # One step, and the endpoint against itself for two.
    assert (figures["max_sustained"], figures["requests"]) == (40.0, 40)
    assert (repeated["max_sustained"], repeated["requests"]) == (40.0, 40)
    kept = context["ti"].pushed["baseline"]
    assert kept["steps"][0]["quantiles_ms"]["0.5"] >= 2
    assert kept["noise_floor"]["0.5"] > 0
    assert kept["usd_per_thousand"] == "0.005000"
    assert run(account, EvaluatePlanGateOperator, gate=GATE)["passed"] is True
    entry, _again = [each for each in account.trail() if each.action == "baseline.measured"]
    assert entry.subject == "scoring"
    run(account, BuildPlanReportOperator)
    page = next(account.run_folder("assess").glob("report-*.html")).read_text()
    assert "Latency of scoring over requests a second, 1 rates: P50, P95, P99" in page
    assert "1,000 predictions cost 0.005000 USD" in page
    # The endpoint has gone: nothing is kept of an attempt that saw no answer.
    with pytest.raises(ServerUnavailableError):
        run(account, MeasureBaselineOperator, endpoint="scoring")
    assert len([*account.run_folder("assess").rglob("endpoint-baseline-*.json")]) == 2


def sums(_ask: Any, known: Known, _asked: Any, order: Any) -> Outputs:
    """Answer with the sum of a row's columns."""
    return Outputs({"answer": sum(known.golden.values[name][order] for name in ("a", "b")).astype(float)})


def test_accuracy_on_golden_rows_is_demanded_measured_handed_over_and_shown(
    account: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "golden.csv").write_text("a,b,sum\n" + "".join(f"{n},1,{n + 1}.5\n" for n in range(120)))
    (tmp_path / "requests.jsonl").write_text('{"inputs": [[1, 2]]}')
    golden = {"inputs": f"file://{tmp_path}/golden.csv", "label": "sum"}
    wanted = {
        "connection": "scoring", "requests": f"file://{tmp_path}/requests.jsonl", "rates": [5], "step": 1,
        "warm_up": 0, "max_error_rate": 1.0,
    }  # fmt: skip
    account.save(assess={**ASSESS, "baselines": [wanted]})
    planned(account)
    # The server of this layer answers no predictions; real ones do in tests/integration/baselines.
    monkeypatch.setattr(quality, "_answers", sums)
    with asked_server(Behaviour(service=0.002)) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SCORING", json.dumps({"conn_type": "http", "host": server.url}))
        run(account, MeasureBaselineOperator, endpoint="scoring")
        account.save(assess={**ASSESS, "baselines": [{**wanted, "golden": golden}]})
        run(account, MakePlanOperator)
        with pytest.raises(IncompleteError, match="how good its predictions are was not measured"):
            run(account, EvaluatePlanGateOperator, gate=GATE)
        made = task(account, MeasureBaselineOperator, endpoint="scoring")
        context = context_of(made)
        made.execute(context)
    kept = context["ti"].pushed["baseline"]
    assert kept["quality"]["metrics"]["rmse"]["value"] == pytest.approx(0.5)
    assert (kept["quality"]["rows"], kept["quality"]["changed"]) == (120, 0)
    # As it is, the operator of revalidations takes it.
    handed = read_baseline(kept["model"])
    assert handed is not None
    assert handed.metrics == {name: each["value"] for name, each in kept["quality"]["metrics"].items()}
    assert handed.golden_sha256 == hashlib.sha256((tmp_path / "golden.csv").read_bytes()).hexdigest()
    run(account, BuildPlanReportOperator)
    page = next(account.run_folder("assess").glob("report-*.html")).read_text()
    assert "How good its predictions are, with intervals at 95 %" in page
    assert "120 golden rows of" in page


def test_data_that_nothing_moves_shuts_a_gate_that_asks_for_it(account: World) -> None:
    wanted = {"name": GATE, "phase": "assess", "checks": ["everything_carried"]}
    account.save(gates=[{**wanted, "approval": {"required": True}}], datasets=[])
    planned(account)
    told = r"2 components with data that no section.*arn:aws:s3:::training"
    with pytest.raises(IncompleteError, match=told):
        run(account, EvaluatePlanGateOperator, gate=GATE)
    stays = [{"match": "*:rds:*", "reason": "it is remade"}]
    account.save(assess={**ASSESS, "stays": stays})
    account.save(datasets=[{"name": "a", "source": "s3://training", "target": "gs://training"}])
    run(account, MakePlanOperator)
    assert run(account, EvaluatePlanGateOperator, gate=GATE)["passed"] is True
    account.save(
        datasets=[], assess={**ASSESS, "stays": [*stays, {"match": "training", "reason": "made anew"}]}
    )
    run(account, MakePlanOperator)
    assert run(account, EvaluatePlanGateOperator, gate=GATE)["passed"] is True
    run(account, BuildPlanReportOperator)
    page = next(account.run_folder("assess").glob("report-*.html")).read_text()
    assert "2 components with data that no section of the spec moves as a whole" in page


def test_a_reference_that_nobody_explained_and_a_gap_shut_the_gate(account: World) -> None:
    account.save(assess={**ASSESS, "references": [], "skip": ["AWS::EC2::Volume"]})
    planned(account)
    with pytest.raises(IncompleteError, match=r"1 gap of the inventory: AWS::EC2::Volume.*api\.partner"):
        run(account, EvaluatePlanGateOperator, gate=GATE)
    gaps = [{"subject": "AWS::EC2::Volume", "reason": "there are none"}]
    account.save(assess={**ASSESS, "skip": ["AWS::EC2::Volume"], "gaps": gaps})
    run(account, MakeGraphOperator)
    run(account, MakePlanOperator)
    assert run(account, EvaluatePlanGateOperator, gate=GATE)["passed"] is True


def test_a_later_phase_may_demand_the_approved_plan_and_no_other(account: World) -> None:
    later = {"name": "go", "phase": "transfer", "checks": ["plan_approved"]}
    account.save(gates=[later])

    def judge() -> bool:
        return bool(run(account, EvaluateGateOperator, phase="transfer", gate="go")["passed"])

    with pytest.raises(IncompleteError, match="has no plan"):
        judge()
    first = planned(account)
    run(account, EvaluatePlanGateOperator, gate=GATE)
    # Whoever marks the approval successful in the UI has left no answer.
    with pytest.raises(IncompleteError, match=f"plan {first['plan_digest'][:12]}.*waits for approval"):
        judge()
    approve(account)
    assert judge()
    account.save(assess={**ASSESS, "deadline": "90d", "downtime": "1h"})
    other = run(account, MakePlanOperator)
    assert other["plan_digest"] != first["plan_digest"]
    with pytest.raises(IncompleteError, match=f"plan {other['plan_digest'][:12]}.* is not approved"):
        judge()
    run(account, EvaluatePlanGateOperator, gate=GATE)
    approve(account, "Reject")
    with pytest.raises(IncompleteError, match="was rejected by Eva"):
        judge()
    approve(account)
    assert judge()
    # How fast it may go is nobody's business but the operator's; what moves is the approver's.
    moved = {"name": "a", "source": "s3://training/a/", "target": "gs://training/a/"}
    account.save(datasets=[moved])
    with pytest.raises(IncompleteError, match="moves something else than when the plan was made"):
        judge()
    assert run(account, MakePlanOperator)["plan_digest"] != other["plan_digest"]
    with pytest.raises(IncompleteError, match="is not approved"):
        judge()
    run(account, EvaluatePlanGateOperator, gate=GATE)
    approve(account)
    assert judge()
    account.save(datasets=[{**moved, "limits": {"max_concurrency": 3}, "description": "slowly"}])
    assert judge()
    document = next(account.run_folder("assess").glob("~assess/plan-3.json"))
    document.write_bytes(document.read_bytes().replace(b'"waves"', b'"Waves"'))
    with pytest.raises(IncompleteError, match="is not what it was"):
        judge()


def test_a_gate_of_another_run_or_an_older_inventory_does_not_count(account: World) -> None:
    planned(account)
    run(account, TakeInventoryOperator)
    with pytest.raises(IncompleteError, match="an inventory was taken after the plan was made"):
        run(account, EvaluatePlanGateOperator, gate=GATE)
    made = task(account, MakeGraphOperator)
    with pytest.raises(NotFoundError, match="7622"):
        made.execute(context_of(made, run_id="another"))


def test_a_dry_run_plans_and_asks_nobody(account: World) -> None:
    planned(account)
    judge = task(account, EvaluatePlanGateOperator, gate=GATE)
    with pytest.raises(AirflowSkipException):
        judge.execute(context_of(judge, dry_run=True))
    last = task(account, SummarisePlanOperator)
    assert last.execute(context_of(last, dry_run=True))["passed"] is False


@pytest.mark.parametrize(
    ("kind", "step"), first_then_long(reversed(list(zip(STEPS, (25, 1, 1), strict=True))))
)
def test_a_killed_task_that_is_tried_again_ends_as_if_it_had_not_been(
    account: World, monkeypatch: pytest.MonkeyPatch, kind: type, step: int
) -> None:
    for before in STEPS[: STEPS.index(kind)]:
        run(account, before)
    env = {**account.connections, "AIRFLOW_CONN_ACCOUNT": '{"conn_type": "aws"}'}
    assert killed_again_and_again(Path(account.spec_path), env, kind.__name__, step) >= 3
    figures = run(account, kind)
    fresh = World(account.root / "fresh")
    fresh.save(**{key: account.spec[key] for key in ("source", "target", "assess")}, datasets=[], gates=[])
    for name, value in fresh.connections.items():
        monkeypatch.setenv(name, value)
    for each in STEPS[: STEPS.index(kind)]:
        run(fresh, each)
    expected = run(fresh, kind)
    assert {name: figures[name] for name in expected if name != "requests"} == {
        name: value for name, value in expected.items() if name != "requests"
    }
    assert not any(figures.get(name) for name in ("appeared", "gone", "changed"))


def test_the_closing_tasks_of_a_plan_may_be_cleared(account: World) -> None:
    planned(account)
    assert run(account, EvaluatePlanGateOperator, gate=GATE) == run(
        account, EvaluatePlanGateOperator, gate=GATE
    )
    approve(account)
    own = {"report", "sha256", "size_bytes", "audit_head", "evidence"}
    for kind in (PublishPlanOperator, BuildPlanReportOperator, SummarisePlanOperator):
        made = [task(account, kind) for _ in range(2)]
        told = [each.execute({**context_of(each), "outlet_events": {}}) for each in made]
        first, second = ({name: it for name, it in each.items() if name not in own} for each in told)
        assert first == second, kind.__name__


class WatchedPlane(SmallPlane):
    """The small account, whose endpoint uses half of its cores in the first hour; quotas allow eight."""

    def __init__(self, *, allowed: float = 8.0) -> None:
        super().__init__()
        self.allowed = allowed

    def call(self, service: str, operation: str, region: str, arguments: Any) -> Any:
        if operation == "GetMetricData":
            first = arguments["StartTime"]
            asked = arguments["MetricDataQueries"]
            values = [{"Id": each["Id"], "Timestamps": [first], "Values": [200.0]} for each in asked]
            return {"MetricDataResults": values}
        if operation == "ListServiceQuotas":
            quota = {"QuotaCode": "L-DB2E81BA", "QuotaName": "G", "Value": self.allowed, "Adjustable": True}
            return {"Quotas": [quota] if arguments["ServiceCode"] == "ec2" else []}
        return super().call(service, operation, region, arguments)

    def pages(self, service: str, operation: str, region: str, arguments: Any, last_token: str = "") -> Any:
        if operation in ("GetMetricData", "ListServiceQuotas"):
            return iter([self.call(service, operation, region, arguments)])
        return super().pages(service, operation, region, arguments, last_token)


def test_use_of_machines_is_read_told_and_demanded(account: World, monkeypatch: pytest.MonkeyPatch) -> None:
    account.save(assess={**ASSESS, "utilisation": {"period": "2h"}})
    planned(account)
    with pytest.raises(IncompleteError, match="what the machines of account use was not read"):
        run(account, EvaluatePlanGateOperator, gate=GATE)
    monkeypatch.setattr(readers, "open_control_plane", lambda *_: WatchedPlane())
    made = task(account, MeasureUtilisationOperator, source="account")
    context = context_of(made)
    figures = made.execute(context)
    assert (figures["wanted"], figures["with_values"], figures["complete"]) == (3, 2, True)
    again = task(account, MeasureUtilisationOperator, source="account")
    assert again.execute(context_of(again, attempt=2))["with_values"] == 2
    components = context["ti"].pushed["baseline"]["components"]
    [endpoint] = [uses for name, uses in components.items() if name.endswith("endpoint/score")]
    assert endpoint["memory"] == {"unit": "share", "p50": 2.0, "p95": 2.0, "peak": 2.0}
    records = account.run_folder("assess").rglob("utilisation-*.json")
    assert sorted(each.name for each in records) == ["utilisation-1.json", "utilisation-2.json"]
    assert run(account, EvaluatePlanGateOperator, gate=GATE)["passed"] is True
    assert [each.subject for each in account.trail() if each.action == "utilisation.read"] == ["account"] * 2
    with pytest.raises(NotFoundError, match="HL-9404"):
        run(account, MeasureUtilisationOperator, source="elsewhere")


def test_a_plan_is_judged_by_the_quotas_that_were_read(
    account: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [{"platform": "aws", "region": "eu-west-1", "connection": "account"}]
    target = {"targets": [{"platform": "aws", "region": "eu-west-1"}], "quotas": wanted}
    runs_on = [{"match": "*endpoint/score", "instance_type": "g5.48xlarge", "service": "virtual machine"}]
    account.save(assess={**ASSESS, **target, "components": [*ASSESS["components"], *runs_on]})
    before = planned(account)["open_blockers"]
    asked = {"connection": "account", "region": "eu-west-1"}
    monkeypatch.setattr(quotas_api, "open_control_plane", lambda *_: WatchedPlane())
    assert run(account, ReadQuotasOperator, **asked)["quotas"] == 1
    with pytest.raises(IncompleteError, match="quotas were read after the plan was made"):
        run(account, EvaluatePlanGateOperator, gate=GATE)
    assert run(account, MakePlanOperator)["open_blockers"] == before + 1
    with pytest.raises(IncompleteError, match=r"AS-120 of .*endpoint/score"):
        run(account, EvaluatePlanGateOperator, gate=GATE)
    run(account, BuildPlanReportOperator)
    page = next(account.run_folder("assess").glob("report-*.html")).read_text()
    assert "What aws allows in" in page
    assert "request-service-quota-increase --service-code ec2 --quota-code L-DB2E81BA" in page
    # The quota has been raised, and is read again.
    monkeypatch.setattr(quotas_api, "open_control_plane", lambda *_: WatchedPlane(allowed=192.0))
    run(account, ReadQuotasOperator, **asked)
    assert run(account, MakePlanOperator)["open_blockers"] == before
    assert len([each for each in account.trail() if each.action == "quotas.read"]) == 2
    with pytest.raises(NotFoundError, match="HL-9413"):
        run(account, ReadQuotasOperator, connection="account", region="us-east-1")
