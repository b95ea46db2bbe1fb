"""Evidence without a section of its own is told in a line: in the report, by status and on the board."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from heavylift.aio import run
from heavylift.board.detail import Detail, read_detail
from heavylift.board.listing import read_listing
from heavylift.board.page import Links, Reader, render_detail
from heavylift.cli import app
from heavylift.cli.run import run as run_command
from heavylift.evidence.base import Tally
from heavylift.evidence.endpoint_records import (
    EndpointAct,
    EndpointGap,
    EndpointsRecord,
    ThingRow,
    endpoints_path,
)
from heavylift.evidence.envelope_records import EnvelopeRecord, envelope_path
from heavylift.evidence.infra_evidence import ProvisionEvidence
from heavylift.evidence.paths import two_way_path
from heavylift.evidence.run_evidence import Kept
from heavylift.evidence.store import open_evidence
from heavylift.evidence.two_way_records import TwoWayRecord
from heavylift.report.beside import TELLERS, find, read_beside
from heavylift.report.beside_words import Watched
from heavylift.report.provision import provision_so_far, provision_title
from tests.support.board_place import AT, Place

HOSTILE = "<img src=x onerror=alert(1)>\u202e"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place")


def endpoints(place: Place, act: EndpointAct = "plan", **changes: Any) -> EndpointsRecord:
    rows = tuple(
        ThingRow(endpoint="scoring", kind="model", name=f"m{number}", before="absent", after=after)
        for number, after in enumerate(("absent", "ready"))
    )
    values: dict[str, Any] = {
        "run": place.run("provision"), "act": act, "started_at": AT, "ended_at": AT,
        "targets": {"scoring": "vertex-ai"}, "digest": "d", "rows": rows, "passed": True,
    }  # fmt: skip
    return EndpointsRecord(**values | changes)


def envelope(place: Place, number: int, **changes: Any) -> None:
    values: dict[str, Any] = {
        "migration": "small", "name": "models", "act": "verify", "source": "", "target": "gs://sealed/",
        "key": "k", "started_at": AT, "ended_at": AT + timedelta(hours=number), "found": 2, "done": 2,
        "equal": 0, "failed": 0, "size_bytes": 2, "passed": True, "statement": "2 of 2 opened and equal",
    }  # fmt: skip
    record = EnvelopeRecord(**values | changes)
    place.write(envelope_path("small", "models", "verify", number), record)


def detail_of(place: Place, phases: tuple[str, ...] | None = None) -> Detail:
    spec = place.spec()

    async def read() -> Detail:
        async with open_evidence(place.evidence.as_uri()) as store:
            return await read_detail(store, spec, await read_listing(store, "small"), phases)

    return run(read())


def test_the_newest_of_each_kind_is_told_and_counts_as_numbers_not_as_text(place: Place) -> None:
    for number in (2, 9, 10):
        envelope(place, number, found=number)
    place.write(endpoints_path(place.run("provision"), "plan", 1), endpoints(place))
    rows = {each.section: each for each in detail_of(place).beside}
    assert rows["envelopes"].path.endswith("verify-10.json")
    assert rows["envelopes"].words == "2 of 2 opened and equal, below gs://sealed/"
    assert (rows["endpoints"].subject, rows["endpoints"].passed) == ("planned", True)
    assert rows["endpoints"].words == "scoring: 1 of 2 things to be made or changed"


def test_what_is_open_is_said(place: Place) -> None:
    gap = EndpointGap(subject="scoring", what="a warm pool", remedy="none")
    record = endpoints(place, "apply", gaps=(gap,), problems=("no quota",), passed=False)
    place.write(endpoints_path(place.run("provision"), "apply", 1), record)
    [row] = detail_of(place).beside
    assert row.passed is False
    assert "1 of 2 things not made; 1 left behind that nobody accepts; no quota" in row.words


def test_nothing_that_a_record_holds_acts_on_a_page_or_a_terminal(
    place: Place, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    envelope(place, 1, statement=HOSTILE, passed=False)
    place.write(endpoints_path(place.run("transfer"), "plan", 1), endpoints(place, problems=(HOSTILE,)))
    spec = place.spec()
    board = render_detail(detail_of(place), spec, Reader(("small.transfer",)), Links())
    file = tmp_path / "report.html"
    assert (
        run_command(
            app,
            [
                "report",
                "small",
                "--phase",
                "transfer",
                "--evidence",
                place.evidence.as_uri(),
                "--output",
                str(file),
            ],
        )
        == 0
    )
    capsys.readouterr()
    for page in (board, file.read_text(encoding="utf-8")):
        assert "Also done" in page
        assert "<img" not in page
        assert "&lt;img src=x onerror=alert(1)&gt;\\u202e" in page
    run_command(app, ["status", "small", "--evidence", place.evidence.as_uri()])
    shown = capsys.readouterr().out
    assert "models verified: NOT IN ORDER" in shown
    assert "\u202e" not in shown


def test_status_tells_it_as_data_once(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    envelope(place, 1)
    place.write(endpoints_path(place.run("transfer"), "plan", 1), endpoints(place))
    run_command(app, ["status", "small", "--evidence", place.evidence.as_uri(), "--json"])
    document = json.loads(capsys.readouterr().out)
    [phase] = document["phases"]
    assert [each["section"] for each in phase["beside"]] == ["endpoints"]
    assert [each["section"] for each in document["beside"]] == ["envelopes"]


def test_watches_are_no_phase_and_their_profiles_are_not_told(place: Place) -> None:
    record = Watched(
        watch="features", kind="drift", side="target", measured_at=AT, verdict="alarm",
        reasons=("amount drifts",), statement="1 of 9 columns drifts",
    )  # fmt: skip
    for kind in ("drift", "profile"):
        place.write(f"small/monitoring/features/{kind}-1.json", record)  # type: ignore[arg-type]
    detail = detail_of(place)
    assert "monitoring" not in {phase.phase for phase in detail.line.phases}
    [row] = detail.beside
    assert (row.section, row.subject, row.passed) == ("watches", "features: drift of the target", False)
    assert row.words == "1 of 9 columns drifts; amount drifts"
    assert detail.troubles == ()


def test_who_may_not_read_a_phase_is_told_nothing_of_what_belongs_to_it(place: Place) -> None:
    envelope(place, 1)
    assert [each.section for each in detail_of(place, ("transfer",)).beside] == ["envelopes"]
    assert detail_of(place, ("registry",)).beside == ()


def test_a_dataset_that_flows_both_ways_is_told_in_the_report(place: Place) -> None:
    key = place.run("sync")
    none = Tally()
    record = TwoWayRecord(
        run=key, dataset="data", source_url="file:///a", target_url="file:///b", policy="stop", started_at=AT,
        source=none, target=none, failed=Tally(objects=2),
    )  # fmt: skip
    place.write(two_way_path(key, "data", 1), record)

    async def read() -> list[tuple[str, bool | None, str]]:
        async with open_evidence(place.evidence.as_uri()) as store:
            found = await read_beside(store, key, ["data"])
        return [(each.subject, each.passed, each.words) for each, ref in found if ref.size_bytes]

    [(subject, passed, words)] = run(read())
    assert (subject, passed) == ("data", False)
    assert "2 failed, 0 left" in words


def test_a_run_of_endpoints_alone_is_not_called_translated(place: Place) -> None:
    key = place.run("provision")
    made = endpoints(place, "verify")
    evidence = ProvisionEvidence(
        key, endpoints={"verify": Kept(place.write(endpoints_path(key, "verify", 1), made), made)}
    )
    assert provision_title(evidence) == "The endpoints are on the target"
    assert provision_so_far(evidence) == "endpoints on the target"
    kept = evidence.endpoints["verify"]
    gone = ProvisionEvidence(key, endpoints={"plan-removal": kept, "remove": kept})
    assert provision_title(gone) == "The endpoints are removed from the target"


def test_no_path_belongs_to_two_kinds_and_shards_to_none() -> None:
    paths = [
        "m/p/r/~endpoints/plan-1.json", "m/p/r/~alerts/dashboard-1.json", "m/p/r/~alerts/dashboard-2.json",
        "m/p/r/databases/a/fence-3.json", "m/p/r/data/service-2-end.json",
        "m/p/r/data/shards/00001/001/result.json",
        "m/p/r/data/plan.json", "m/p/r/~switch/capacity-1.json",
    ]  # fmt: skip
    found = find(paths, "m/p/r", of_run=True)
    assert [each.path for each in found] == [
        "m/p/r/~endpoints/plan-1.json", "m/p/r/~alerts/dashboard-1.json", "m/p/r/~alerts/dashboard-2.json",
        "m/p/r/~switch/capacity-1.json", "m/p/r/databases/a/fence-3.json", "m/p/r/data/service-2-end.json",
    ]  # fmt: skip
    assert len({each.section for each in TELLERS}) == len(TELLERS)
