"""Models as Airflow proves them. What runs models is a stand-in: real ones belong to integration tests."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from heavylift.errors import IncompleteError, IntegrityError, NotFoundError, SpecError
from heavylift.evidence.model_records import (
    ModelBaseline,
    ModelCheckRecord,
    ModelComparisonRecord,
    ModelConversionRecord,
    ModelSide,
    model_path,
)
from heavylift.evidence.numbered import write_next
from heavylift.evidence.store import open_evidence
from heavylift.models import api, portable
from heavylift.models.portable import Conversion
from heavylift.models.requests import ModelRequest
from heavylift.models.rules import finding
from heavylift_airflow.operators.models import (
    CheckModelOperator,
    ConvertModelOperator,
    RevalidateModelOperator,
)
from heavylift_airflow.operators.models_closing import (
    BuildModelsReportOperator,
    EvaluateModelsGateOperator,
    PublishModelsOperator,
    SummariseModelsOperator,
)
from tests.plugins.world import World, context_of

MODEL = {"model": "fraud", "version": "3"}
BASELINE = ModelBaseline(model="fraud", version="3", machine="m", golden_sha256="ff", metrics={"auc": 0.9})


class StandIn:
    """Writes the record that it is told to, and remembers what was asked."""

    def __init__(self) -> None:
        self.passed = True
        self.requests: list[ModelRequest] = []
        self.baseline: ModelBaseline | None = None

    async def check(self, request: ModelRequest, tell: Any, *_ports: Any) -> Any:
        tell("looking")
        self.requests.append(request)
        wrong = (
            () if self.passed else (finding("malicious-code", "model.pkl", "the pickle imports os.system"),)
        )
        record = ModelCheckRecord(
            run=request.run, model=request.model, version=request.version, source_url="file:///s",
            target_url="file:///t", form="mlflow", digest="aa", target_digest="aa", findings=wrong,
            statement="looked at", passed=self.passed, seconds=0.1,
        )  # fmt: skip
        return record, await self.keep(request, "model-check", record)

    async def compare(
        self, request: ModelRequest, tell: Any, baseline: ModelBaseline | None, *_ports: Any
    ) -> Any:
        tell("asking")
        self.baseline = baseline
        record = ModelComparisonRecord(
            run=request.run, model=request.model, version=request.version,
            source=ModelSide(url="file:///s", digest="aa"), target=ModelSide(url="file:///t", digest="aa"),
            golden="g", golden_sha256="ff", rows=10, distance="same", mismatched=0 if self.passed else 4,
            mismatch_bound=0.1, max_mismatch_rate=0.001, baseline=BASELINE, seed=1, seconds=0.1,
            reasons=() if self.passed else ("4 rows of 10 answered differently",), statement="compared",
            passed=self.passed,
        )  # fmt: skip
        return record, await self.keep(request, "model-comparison", record)

    @staticmethod
    async def keep(request: ModelRequest, kind: str, record: Any) -> Any:
        async with open_evidence(request.evidence_url, request.evidence_connection) as store:
            path = lambda n: model_path(request.run, request.model, request.version, kind, n)  # noqa: E731
            return (await write_next(store, path, record))[1]


@pytest.fixture
def stand_in(world: World, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    made = StandIn()
    monkeypatch.setattr(api, "check_model", made.check)
    monkeypatch.setattr(api, "revalidate_model", made.compare)
    folders = {side: f"file://{world.root}/{side}/v{{version}}/" for side in ("source", "target")}
    model = {"name": "fraud", **folders, "versions": ["3"], "accept": ["custom-code"]}
    world.save(datasets=[], gates=[], models=[model])
    return made


def task(world: World, kind: type, **more: Any) -> Any:
    return kind(task_id="task", spec_path=world.spec_path, phase="revalidate", **more)


def run_phase(world: World) -> dict[str, Any]:
    for kind, more in ((CheckModelOperator, {"model": MODEL}), (RevalidateModelOperator, {"model": MODEL})):
        made = task(world, kind, **more)
        made.execute(context_of(made))
    gate = task(world, EvaluateModelsGateOperator, gate="models-revalidated")
    found: dict[str, Any] = gate.execute(context_of(gate))
    return found


def test_a_model_is_checked_compared_judged_and_told(world: World, stand_in: StandIn) -> None:
    assert run_phase(world) == {"gate": "models-revalidated", "passed": True, "checks": 3, "failed": 0}
    report = task(world, BuildModelsReportOperator)
    assert report.execute(context_of(report))["report"].endswith("report-1.html")
    last = task(world, SummariseModelsOperator)
    assert last.execute(context_of(last)) == {"models": 1, "passed": True}
    publish = task(world, PublishModelsOperator)
    assert publish.execute(context_of(publish))["migration"] == "small"
    assert world.actions() == [
        "model.checked", "model.compared", "gate.evaluated", "report.built", "run.finished",
    ]  # fmt: skip
    [request] = stand_in.requests
    assert str(request.source and request.source.location).endswith("/source/v3")
    assert request.check.accept == {"custom-code"}


def test_a_finding_that_stands_in_the_way_is_raised_with_its_remedy(world: World, stand_in: StandIn) -> None:
    stand_in.passed = False
    check = task(world, CheckModelOperator, model=MODEL)
    with pytest.raises(IncompleteError, match=r"os\.system.*find out who wrote it.*HL-7571"):
        check.execute(context_of(check))
    assert check.evidence_path.endswith("model-check-1.json")
    assert world.actions() == ["model.checked"]


def test_a_target_that_differs_fails_and_so_does_the_run(world: World, stand_in: StandIn) -> None:
    stand_in.passed = False
    compare = task(world, RevalidateModelOperator, model=MODEL)
    with pytest.raises(IntegrityError, match=r"4 rows of 10.*HL-7572"):
        compare.execute(context_of(compare))
    for kind, more in (
        (EvaluateModelsGateOperator, {"gate": "models-revalidated"}),
        (PublishModelsOperator, {}),
        (SummariseModelsOperator, {}),
    ):
        made = task(world, kind, **more)
        with pytest.raises(IncompleteError, match="compared"):
            made.execute(context_of(made))


def test_a_form_that_is_asked_for_and_has_no_proof_keeps_the_run_red(
    world: World, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    [model] = world.spec["models"]
    forms = ["onnx", "safetensors"]
    world.save(models=[{**model, "convert_to": forms, "converted": f"file://{world.root}/open/"}])
    run_phase(world)
    last = task(world, SummariseModelsOperator)
    with pytest.raises(IncompleteError, match="it was not converted"):
        last.execute(context_of(last))

    async def refuse(conversion: Conversion, *_more: Any) -> Any:
        form = conversion.form
        record = ModelConversionRecord(
            run=conversion.request.run, model="fraud", version="3", form=form, identity="aa",
            source_url="file:///s", source_digest="aa", missing=("own.Part",), passed=form == "onnx",
            seconds=0.1, statement="proved" if form == "onnx" else "no converter for own.Part",
        )  # fmt: skip
        return record, await stand_in.keep(conversion.request, f"{form}-conversion", record)

    monkeypatch.setattr(portable, "convert_model", refuse)
    convert = task(world, ConvertModelOperator, model=MODEL)
    with pytest.raises(IncompleteError, match=r"no converter for own\.Part.*HL-7816"):
        convert.execute(context_of(convert))
    with pytest.raises(IncompleteError, match=r"no converter for own\.Part") as raised:
        last.execute(context_of(last))
    assert "converted to onnx" not in str(raised.value)


def test_a_baseline_comes_and_goes_by_xcom(world: World, stand_in: StandIn) -> None:
    compare = task(world, RevalidateModelOperator, model=MODEL, baseline=BASELINE.model_dump(mode="json"))
    context = context_of(compare)
    compare.execute(context)
    assert stand_in.baseline == BASELINE
    assert ModelBaseline.model_validate(context["ti"].pushed["baseline"]) == BASELINE
    wrong = task(world, RevalidateModelOperator, model=MODEL, baseline={"metrics": "none"})
    with pytest.raises(SpecError, match="7570"):
        wrong.execute(context_of(wrong))


def test_a_dry_run_checks_and_runs_nothing(world: World, stand_in: StandIn) -> None:
    check = task(world, CheckModelOperator, model=MODEL)
    check.execute(context_of(check, dry_run=True))
    compare = task(world, RevalidateModelOperator, model=MODEL)
    with pytest.raises(AirflowSkipException):
        compare.execute(context_of(compare, dry_run=True))
    last = task(world, SummariseModelsOperator)
    assert last.execute(context_of(last, dry_run=True))["passed"] is False
    stand_in.passed = False
    with pytest.raises(IncompleteError):
        check.execute(context_of(check, dry_run=True))
    with pytest.raises(IncompleteError, match="looked at"):
        last.execute(context_of(last, dry_run=True))


def test_a_model_that_has_gone_from_the_spec_is_named(world: World, stand_in: StandIn) -> None:
    check = task(world, CheckModelOperator, model={"model": "fraud", "version": "4"})
    with pytest.raises(NotFoundError, match="7501"):
        check.execute(context_of(check))
    assert check.model_title == "fraud 4"


def test_endpoints_have_no_files_to_check(
    world: World, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OLD", "NEW"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", '{"conn_type": "http", "host": "http://localhost"}')
    model = {"name": "live", "source_endpoint": "old", "target_endpoint": "new"}
    world.save(models=[{**model, "golden_inputs": f"file://{world.root}/golden.csv"}])
    check = task(world, CheckModelOperator, model={"model": "live", "version": ""})
    with pytest.raises(AirflowSkipException):
        check.execute(context_of(check))


def test_every_task_of_the_phase_may_be_cleared(
    world: World, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    [model] = world.spec["models"]
    world.save(models=[{**model, "convert_to": ["onnx"], "converted": f"file://{world.root}/onnx/"}])

    async def convert(conversion: Conversion, *_more: Any) -> Any:
        record = ModelConversionRecord(
            run=conversion.request.run, model="fraud", version="3", form="onnx", identity="aa",
            source_url="file:///s", source_digest="aa", passed=True, seconds=0.1, statement="converted",
        )  # fmt: skip
        return record, await stand_in.keep(conversion.request, "onnx-conversion", record)

    monkeypatch.setattr(portable, "convert_model", convert)
    for kind, more in (
        (CheckModelOperator, {"model": MODEL}),
        (RevalidateModelOperator, {"model": MODEL}),
        (ConvertModelOperator, {"model": MODEL}),
        (EvaluateModelsGateOperator, {"gate": "models-revalidated"}),
        (PublishModelsOperator, {}),
        (BuildModelsReportOperator, {}),
        (SummariseModelsOperator, {}),
    ):
        first, second = (once(world, kind, **more) for _ in range(2))
        assert first == second, kind.__name__


def once(world: World, kind: type, **more: Any) -> dict[str, Any]:
    """Run a task; what names a file of its own or the trail's head is left out."""
    made = task(world, kind, **more)
    told = made.execute({**context_of(made), "outlet_events": {}}) or {}
    own = {"report", "sha256", "size_bytes", "audit_head", "evidence"}
    return {name: value for name, value in told.items() if name not in own}
