"""Single decisions of a plan, its document, its words and its pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from heavylift.assess.document import digest_of, from_document, parse_input, require_approved, to_document
from heavylift.assess.explain import explain
from heavylift.assess.picture import MOST_ARROWS, MOST_NODES, graph_of
from heavylift.assess.plan import make_plan
from heavylift.cli import app
from heavylift.cli.run import run
from heavylift.errors import ConflictError, IntegrityError, SpecError
from heavylift.evidence.assess_input import Component, Line, Target
from heavylift.report.mermaid import draw_graph
from heavylift.report.plan_pictures import draw_waves
from heavylift.report.planning import render_plan
from tests.unit.assess.inputs import BASIS, GBIT, TB, constraints, dataset, given, needs, planned
from tests.unit.house.modules import REPOSITORY


def only(plan_of: Component, **limits: object) -> tuple[str, dict[str, str]]:
    plan = planned(plan_of, constraints=constraints(**limits))
    (part,) = plan.components
    return part.strategy, {each.way: each.reason for each in part.rejected}


@pytest.mark.parametrize(
    ("part", "strategy"),
    [
        (Component(id="a", kind="endpoint"), "redeploy"),
        (dataset(size_bytes=10**9), "big-bang"),
        (dataset(size_bytes=50 * TB, partitions=100, service="RDS"), "phased"),
        (dataset(size_bytes=50 * TB), "trickle"),
        (dataset(size_bytes=50 * TB, service="RDS", log_access=True), "cdc"),
        (dataset(size_bytes=50 * TB, service="RDS"), "none"),
    ],
)
def test_the_simplest_way_that_fits_is_taken(part: Component, strategy: str) -> None:
    taken, rejected = only(part)
    assert taken == strategy
    assert len(rejected) == (0 if strategy == "redeploy" else 4 if strategy == "none" else 3)
    assert all(rejected.values())


def test_catching_up_that_never_ends_is_said_with_numbers() -> None:
    part = dataset(size_bytes=50 * TB, change_bytes_per_day=20 * TB, log_access=True)
    strategy, rejected = only(part)
    assert strategy == "none"
    assert "catching up never ends" in rejected["cdc"]
    assert "a second" in rejected["cdc"]
    plan = planned(part)
    assert not plan.met
    assert any("AS-250" in text for text in plan.unmet)


def test_a_log_that_is_kept_too_short_rules_cdc_out() -> None:
    part = dataset(size_bytes=50 * TB, service="RDS", log_access=True, log_retention_seconds=86_400)
    assert "the log is kept for 1 d" in only(part)[1]["cdc"]


def test_an_rpo_below_a_pass_rules_trickle_out() -> None:
    part = dataset(size_bytes=50 * TB, log_access=True)
    strategy, rejected = only(part, rpo_seconds=60)
    assert strategy == "cdc"
    assert "RPO" in rejected["trickle"]


def test_the_time_of_the_reference_figures() -> None:
    plan = planned(
        dataset(size_bytes=100 * TB),
        constraints=constraints(lines=(Line(name="l", bits_per_second=GBIT),)),
    )
    # 100 TB at 1 Gbit/s: 13.2 days at 70 %, 11.6 at 80 % (feature map, strategies).
    assert plan.duration.p10 is not None
    assert plan.duration.p90 is not None
    assert 10.8 < plan.duration.p10 < 12.4
    assert 13.2 < plan.duration.p90 < 21


def test_the_deadline_decides_between_lines() -> None:
    lines = (
        Line(name="slow", bits_per_second=GBIT),
        Line(name="fast", bits_per_second=10 * GBIT, usd_per_month=9000),
    )
    part = dataset(size_bytes=50 * TB)
    names = [
        next(
            each.name
            for each in planned(part, constraints=constraints(lines=lines, deadline_days=d)).scenarios
            if each.taken
        )
        for d in (0.1, 3, 30)
    ]
    assert names == ["fast", "fast", "slow"]
    late = planned(part, constraints=constraints(lines=lines, deadline_days=0.1))
    assert late.duration.late == 1
    assert not late.met


def test_the_target_is_chosen_by_weights_and_what_would_change_that_is_said() -> None:
    targets = (
        Target(platform="gcp", region="europe-west4", monthly_usd=100),
        Target(platform="azure", region="westeurope", monthly_usd=50),
        Target(platform="azure", region="eastus", monthly_usd=1),
    )
    parts = [Component(id=f"c{n}", service="SageMaker Ground Truth", residency=("EU",)) for n in range(3)]
    cheap = planned(*parts, targets=targets, constraints=constraints(weights={"cost": 1}))
    assert cheap.choice.chosen == "azure/westeurope"
    assert any(
        "azure/eastus comes into question if: 3 components may not lie" in t for t in cheap.choice.sensitivity
    )
    assert any("changes to gcp/europe-west4 if its price falls by 50%" in t for t in cheap.choice.sensitivity)


def test_a_named_weight_changes_the_target_when_it_is_passed() -> None:
    targets = (Target(platform="gcp", monthly_usd=50), Target(platform="azure", monthly_usd=100))
    part = Component(id="a", service="SageMaker Ground Truth")

    def chosen(effort: float) -> tuple[str, tuple[str, ...]]:
        plan = planned(part, targets=targets, constraints=constraints(weights={"cost": 1, "effort": effort}))
        return plan.choice.chosen, plan.choice.sensitivity

    before, sensitivity = chosen(0.5)
    (text,) = [each for each in sensitivity if "weight of effort" in each]
    at = float(text.split(" above ")[1].split()[0])
    assert before == "gcp"
    assert chosen(at * 1.01)[0] == "azure"
    assert chosen(at * 0.99)[0] == "gcp"


def test_a_document_comes_back_and_a_changed_one_is_refused() -> None:
    plan = planned(dataset())
    digest = digest_of(plan)
    data = to_document(plan, digest)
    assert from_document(data, "x") == plan
    with pytest.raises(IntegrityError, match="HL-6903"):
        from_document(data.replace(b'"wave":1', b'"wave":2', 1), "x")
    with pytest.raises(SpecError, match="HL-6902"):
        from_document(b"[]", "x")


def test_only_the_approved_plan_may_be_carried_out() -> None:
    plan = planned(dataset())
    require_approved(plan, digest_of(plan))
    other = planned(dataset(size_bytes=TB + 1))
    with pytest.raises(ConflictError, match="HL-6904"):
        require_approved(other, digest_of(plan))


def test_two_components_of_one_id_are_refused() -> None:
    with pytest.raises(SpecError, match="HL-6901"):
        planned(dataset("a"), dataset("a"))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"migration": 1}', b"\xff"])
def test_input_that_cannot_be_read_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(SpecError, match="HL-6905"):
        parse_input(data, "x")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("constraints", "start"), "2026-02-30"),
        (("constraints", "lines"), []),
        (("constraints", "lines"), [{"name": "l", "bits_per_second": 0}]),
        (("constraints", "devices"), {"turnaround_days": [9, 5, 1]}),
        (("components", 0, "size_bytes"), -1),
        (("components", 0, "size_bytes"), 10**400),
        (("components", 0, "quotas"), {"gpus": "NaN"}),
        (("components", 0, "unknown_field"), 1),
        (("components", 0, "id"), ""),
        (("targets",), []),
        (("source",), "moon"),
    ],
)
def test_a_field_out_of_range_is_named(path: tuple[str | int, ...], value: object) -> None:
    document = json.loads(given(dataset()).model_dump_json())
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(SpecError, match=str(path[-1])):
        parse_input(json.dumps(document).encode(), "x")


def test_the_largest_numbers_that_are_allowed_give_a_plan() -> None:
    part = dataset(size_bytes=10**20, objects=10**20, monthly_usd=1e15, sync_key=True)
    limits = constraints(lines=(Line(name="l", bits_per_second=1),), keep_days=1e15, workers=1)
    plan = planned(part, dataset("b", size_bytes=10**20, change_bytes_per_day=10**20), constraints=limits)
    assert not plan.met
    html = render_plan(plan, digest_of(plan))
    assert "<svg" in html
    assert list(explain(plan, digest_of(plan)))


def test_every_decision_is_said_in_words() -> None:
    plan = planned(
        dataset(size_bytes=50 * TB), Component(id="b", kind="endpoint"), dependencies=needs(("b", "data"))
    )
    text = "\n".join(explain(plan, digest_of(plan)))
    for part in plan.components:
        assert f"  {part.id}: {part.treatment}" in text
        assert all(f"not {each.way}: {each.reason}" in text for each in part.rejected)
    for name in (
        *(each.item for each in plan.costs.lines),
        *(each.id for each in plan.risks),
        *plan.assumptions,
    ):
        assert name in text


def test_every_runbook_that_a_risk_names_is_there() -> None:
    page = (REPOSITORY / "docs/runbooks/plan.md").read_text()
    from heavylift.assess import risks

    source = Path(risks.__file__).read_text()
    anchors = {
        "#" + heading.lower().replace(" ", "-").replace(",", "")
        for heading in (line[3:] for line in page.splitlines() if line.startswith("## "))
    }
    plan = planned(
        dataset("a", size_bytes=50 * TB, log_access=True, service="RDS", formats=("pickle",)),
        Component(id="b", kind="endpoint"),
        dependencies=needs(("a", "b"), ("b", "a"), ("a", "ghost")),
    )
    assert {risk.id for risk in plan.risks} >= {
        "R-SLOW",
        "R-DOWN",
        "R-COST",
        "R-LOG",
        "R-CYCLE",
        "R-GAP",
        "R-CODE",
    }
    assert all(risk.runbook.removeprefix("docs/runbooks/plan.md") in anchors for risk in plan.risks)
    assert all(anchor[1:] in source for anchor in anchors)


def test_the_graph_stays_small_and_names_mean_nothing_to_mermaid() -> None:
    plan = planned(dataset('a"]; click'), dataset("b"), dependencies=needs(("b", 'a"]; click')))
    few = draw_graph(graph_of(plan))
    assert 'n0["a#34;#93;#59; click"]' in few
    assert "n0 --> n1" in few
    parts = [dataset(f"c{n}", size_bytes=0) for n in range(500)]
    plan = planned(
        *parts,
        dependencies=needs(*((f"c{n}", f"c{n // 2}") for n in range(1, 500))),
        constraints=constraints(wave_components=2),
    )
    many = draw_graph(graph_of(plan))
    lines = many.splitlines()
    assert sum("[" in line and "subgraph" not in line for line in lines) == MOST_NODES
    assert sum("-->" in line for line in lines) <= MOST_ARROWS
    assert "left out" in many


def test_the_page_loads_nothing_and_escapes_what_it_shows() -> None:
    plan = planned(dataset("<script>alert(1)</script>", size_bytes=50 * TB), migration="<b>m</b>")
    html = render_plan(plan, digest_of(plan))
    assert "<script" not in html
    assert "<b>m" not in html
    assert html.count("<svg") == 2
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert digest_of(plan) in html


def test_the_days_until_the_line_is_there_are_in_the_picture() -> None:
    part = dataset(size_bytes=50 * TB)
    for setup_days, there in ((10, True), (0, False)):
        line = Line(name="l", bits_per_second=GBIT, setup_days=setup_days)
        svg = draw_waves((plan := planned(part, constraints=constraints(lines=(line,)))).start, plan.waves)
        assert ("Line ordered" in svg) == there
        assert "Wave 1" in svg


def write_input(path: Path) -> str:
    path.write_text(given(dataset(size_bytes=50 * TB)).model_dump_json())
    return str(path)


def test_the_command_writes_plan_page_and_graph_and_refuses_another_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_input(tmp_path / "in.json")
    names = {name: str(tmp_path / name) for name in ("plan.json", "plan.html", "graph.mmd")}
    written = ["--out", names["plan.json"], "--page", names["plan.html"], "--mermaid", names["graph.mmd"]]
    assert run(app, ["plan", source, "--json", *written]) == 0
    document = json.loads(capsys.readouterr().out)
    plan = from_document((tmp_path / "plan.json").read_bytes(), "it")
    assert (
        document["digest"]
        == digest_of(plan)
        == digest_of(make_plan(given(dataset(size_bytes=50 * TB)), BASIS))
    )
    assert (tmp_path / "graph.mmd").read_text().startswith("flowchart LR")
    assert run(app, ["plan", source, "--expect", document["digest"], "--explain"]) == 0
    assert "not big-bang" in capsys.readouterr().out
    assert run(app, ["plan", source, "--expect", "0" * 64]) == 1
    assert "HL-6904" in capsys.readouterr().err


def test_the_command_says_what_is_wrong_with_its_input(tmp_path: Path) -> None:
    assert run(app, ["plan", str(tmp_path / "none.json")]) == 2
    (tmp_path / "bad.json").write_text('{"format": 2}')
    assert run(app, ["plan", str(tmp_path / "bad.json")]) == 2


def test_help_names_the_command() -> None:
    assert "Plan what moves how" in CliRunner().invoke(app, ["--help"]).output
