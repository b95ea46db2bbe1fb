"""The section ``assess``: what is right, and what is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from heavylift.spec import Check, Phase
from tests.unit.spec.samples import HEAD, load, problems_of

QUERY = "{component: a, use: gpu, query: up}"
QUOTAS = "{platform: aws, region: eu-west-1, connection: c}"
LINES = "assess: {lines: [{name: today, bandwidth: 125MB/s}]}\n"
ENDPOINT = "connection: e, requests: 's3://golden/rows.jsonl'"
GATE = "gates: [{name: go, phase: PHASE, checks: [CHECK]}]\n"
MOVES = "datasets: [{name: a, source: s3://some/a/, target: gs://some/a/}]\n"


def test_a_line_is_enough_and_the_gate_asks_a_person(tmp_path: Path) -> None:
    spec = load(tmp_path, HEAD + LINES)
    [gate] = spec.gates_for(Phase.ASSESS)
    assert gate.approval.required
    assert set(gate.checks) == {
        Check.INVENTORY_COMPLETE, Check.REFERENCES_EXPLAINED, Check.BLOCKERS_ACCEPTED, Check.DEADLINE_KEPT,
        Check.BASELINES_MEASURED,
    }  # fmt: skip
    assert spec.assess is not None
    assert spec.assess.lines[0].bandwidth == 125 * 10**6


@pytest.mark.parametrize("platform", ["aws", "gcp", "azure", "kubernetes"])
def test_a_source_may_lie_on_any_platform(tmp_path: Path, platform: str) -> None:
    spec = load(tmp_path, HEAD.replace("aws, c", f"{platform}, c", 1) + LINES)
    assert spec.source.platform == platform
    assert spec.gates_for(Phase.ASSESS)


@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        (HEAD + "assess: {}\n", "2121", "assess.lines"),
        (
            HEAD.replace("aws, c", "gcp, c", 1) + LINES.replace("{lines", "{bucket_sizes: listings, lines"),
            "2192", "assess.bucket_sizes",
        ),
        (
            HEAD + LINES.replace("{lines", "{also: [{system: kafka, connection: aws_source}], lines"),
            "2191", "assess.also[0].connection",
        ),
        (
            HEAD + LINES.replace("{lines", f"{{baselines: [{{{ENDPOINT}, rates: [5, 2]}}], lines"),
            "", "assess.baselines[0].rates",
        ),
        (
            HEAD + LINES.replace("{lines", f"{{baselines: [&b {{{ENDPOINT}}}, *b], lines"),
            "2200", "assess.baselines[1].connection",
        ),
        (
            HEAD + LINES.replace("{lines", "{utilisation: {resolution: 90s}, lines"),
            "9406", "assess.utilisation.resolution",
        ),
        (
            HEAD + LINES.replace("{lines", "{utilisation: {resolution: 2h, period: 1h}, lines"),
            "9406", "assess.utilisation.resolution",
        ),
        (
            HEAD + LINES.replace("{lines", f"{{utilisation: {{queries: [{QUERY}]}}, lines"),
            "9407", "assess.utilisation.queries",
        ),
        (
            HEAD + LINES.replace("{lines", f"{{quotas: [{QUOTAS}, {QUOTAS}], lines"), "9415",
            "assess.quotas[1]",
        ),
        (
            HEAD + "assess: {lines: [{name: a, bandwidth: 1MB/s}, {name: a, bandwidth: 2MB/s}]}\n", "2193",
            "assess.lines[1].name",
        ),
        (
            HEAD + LINES + MOVES + GATE.replace("PHASE", "transfer").replace("CHECK", "deadline_kept"),
            "2194", "gates[0].checks[0]",
        ),
        (
            HEAD + MOVES + GATE.replace("PHASE", "transfer").replace("CHECK", "plan_approved"), "2195",
            "gates[0].checks[0]",
        ),
        (
            HEAD + LINES + GATE.replace("PHASE", "assess").replace("CHECK", "counts_equal"), "2196",
            "gates[0].checks[0]",
        ),
        (
            HEAD + LINES + MOVES
            + "gates:\n- {name: go, phase: transfer, checks: [plan_approved]}\n"
            + "- {name: plan, phase: assess, checks: [deadline_kept]}\n",
            "2197", "gates",
        ),
        (
            HEAD + "assess: {lines: [{name: a, bandwidth: 1MB/s}], references: [{target: '*', reason: x}]}\n",
            "", "assess.references[0].target",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_told_where_and_why(text: str, code: str, field: str, tmp_path: Path) -> None:
    found = problems_of(tmp_path, text)
    assert [problem.field for problem in found if not code or problem.code == code] == [field], found


def test_a_later_gate_may_demand_the_approved_plan(tmp_path: Path) -> None:
    gate = GATE.replace("PHASE", "transfer").replace("CHECK", "plan_approved")
    spec = load(tmp_path, HEAD + LINES + MOVES + gate)
    assert spec.gates_for(Phase.TRANSFER)[0].checks == (Check.PLAN_APPROVED,)
