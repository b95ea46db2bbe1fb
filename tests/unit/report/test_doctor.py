"""heavylift doctor: what it finds, how urgent that is, and that it says nothing of what is well."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift.aio import run as run_to_end
from heavylift.cli import app
from heavylift.cli.doctor_live import look_live
from heavylift.cli.run import run
from heavylift.errors import ConflictError, ServerUnavailableError
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.paths import database_path, gate_path, summary_path
from heavylift.evidence.records import CheckOutcome, GateResult, PhaseSummary, RunKey, Tally, utc_now
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.evidence.switch_records import (
    DatabaseStand,
    SwitchRecord,
    TurnRecord,
    WorldRecord,
    switch_path,
    turn_path,
)
from heavylift.evidence.table_records import StreamStatus, SyncRecord
from heavylift.fencing import Side
from heavylift.report.doctor.ailments import Examination, Urgency
from heavylift.report.doctor.examine import examine
from heavylift.spec.model import MigrationSpec
from heavylift.spec.reference import field_rows
from heavylift.spec.used_connections import is_connection_field, used_connections
from heavylift.switching import parts
from heavylift.tables import api as tables_api
from tests.support.memory_switch import Fate, MemoryDatabase, Workload
from tests.unit.gates.run_builder import RUN, write_good_run

NAME = RUN.migration
CUTOVER = RunKey(migration=NAME, phase="cutover", run="manual-2")
SPEC = {
    "apiVersion": "heavylift/v1",
    "migration": NAME,
    "owner": "team",
    "source": {"platform": "aws", "connection": "here"},
    "target": {"platform": "gcp", "connection": "there"},
    "datasets": [{"name": "train", "source": "s3://source/train/", "target": "gs://target/train/"}],
    "gates": [
        {
            "name": "complete",
            "phase": "transfer",
            "checks": ["counts_equal"],
            "approval": {"required": True, "assigned_users": ["ada"]},
            "max_age": "1h",
        }
    ],
}
Writer = Callable[[EvidenceStore], Awaitable[None]]


def spec() -> MigrationSpec:
    return MigrationSpec.model_validate(SPEC)


def look(
    folder: Path, *writers: Writer, spec: MigrationSpec | None = None, later: timedelta = timedelta()
) -> Examination:
    """Write evidence and examine it, as if ``later`` had gone by."""

    async def act() -> Examination:
        async with open_evidence(folder.as_uri()) as store:
            for write in writers:
                await write(store)
            return await examine(store, NAME, spec, now=utc_now() + later)

    return run_to_end(act())


async def good_run(store: EvidenceStore) -> None:
    await write_good_run(store)


def act_of(action: str, run_key: RunKey = RUN, task: str = "copy", **details: Any) -> Writer:
    async def write(store: EvidenceStore) -> None:
        actor = f"airflow:{NAME}.transfer.{task}"
        await AuditTrail(store, NAME).append(
            Act(actor, action, run_key.phase, run_key.run, task, details=details)
        )

    return write


def failed(task: str = "copy", **changes: Any) -> Writer:
    error = ConflictError("copying", got="a stranger", remedy="move it away", code="5002", **changes)
    return act_of("task.failed", task=task, error=error.attrs(), attempt=2)


def gate_result(*, passed: bool = True, age: timedelta = timedelta()) -> Writer:
    async def write(store: EvidenceStore) -> None:
        check = CheckOutcome(name="counts_equal", subject="train", passed=passed, detail="1 missing")
        result = GateResult(
            run=RUN, gate="complete", evaluated_at=utc_now() - age, checks=(check,), passed=passed,
            approval_required=passed,
        )  # fmt: skip
        await store.write_json(gate_path(RUN, "complete", 1), result)

    return write


def syncs(*lags: float, retained: int = 0) -> Writer:
    async def write(store: EvidenceStore) -> None:
        for number, lag in enumerate(lags, start=1):
            key = RunKey(migration=NAME, phase="sync", run=f"run-{number}")
            record = SyncRecord(
                run=key, database="features", direction="forward", engine="postgresql",
                started_at=utc_now(), from_position="0/1", upto_position="0/2", applied_position="0/2",
                caught_up=False, lag_seconds=lag, retained_bytes=retained,
            )  # fmt: skip
            path = database_path(key, "features", "sync", 1)
            await store.write_json(path, record)
            file = Path(store.url_of(path).removeprefix("file://"))
            at = utc_now().timestamp() - 60 * (len(lags) - number)
            os.utime(file, (at, at))

    return write


def turn(epoch: int = 1) -> Writer:
    async def write(store: EvidenceStore) -> None:
        taken = TurnRecord(
            migration=NAME, number=1, epoch=epoch, goal="target", run=CUTOVER, actor="eva",
            taken_at=utc_now() - timedelta(minutes=5),
        )  # fmt: skip
        await store.write_json(turn_path(NAME, 1), taken)

    return write


def switch(outcome: Any, *, source: Any = "frozen", target: Any = "open", partly: Any = ()) -> Writer:
    async def write(store: EvidenceStore) -> None:
        stand = DatabaseStand(
            database="features", source=source, target=target, source_epoch=1, partly=partly
        )
        world = WorldRecord(epoch=1, databases=(stand,))
        record = SwitchRecord(
            run=CUTOVER, epoch=1, goal="target", began_at=utc_now(), outcome=outcome,
            write_pause_budget_seconds=5, before=world, after=world, reason="the line is slow",
        )  # fmt: skip
        await store.write_json(switch_path(CUTOVER, "switch", 1), record)

    return write


def about(found: Examination, word: str) -> list[Any]:
    return [each for each in found.ailments if word in f"{each.subject} {each.problem}"]


def test_a_failed_task_is_told_with_its_code_and_remedy(tmp_path: Path) -> None:
    (told,) = about(look(tmp_path, good_run, failed()), "failed at")
    assert (told.code, told.urgency) == ("HL-5002", Urgency.BROKEN)
    assert told.remedy.startswith("move it away; then clear task copy in run manual-1 of DAG fraud.transfer")


def test_the_last_word_of_a_run_is_told_only_where_nothing_failed_before_it(tmp_path: Path) -> None:
    (told,) = about(look(tmp_path, good_run, failed(), failed("summarise_run")), "failed at")
    assert told.subject.endswith(" copy")
    (told,) = about(look(tmp_path / "b", good_run, failed("summarise_run")), "failed at")
    assert told.subject.endswith(" summarise_run")


def test_clearing_is_not_advised_where_a_retry_is_unsafe(tmp_path: Path) -> None:
    (told,) = about(look(tmp_path, good_run, failed(retry_safe=False)), "failed at")
    assert "do not clear it" in told.remedy


def test_a_task_that_has_gone_on_since_is_not_told(tmp_path: Path) -> None:
    assert not about(look(tmp_path, good_run, failed(), act_of("objects.copied")), "failed at")
    assert about(
        look(tmp_path / "b", good_run, failed(), act_of("objects.copied", task="other")), "failed at"
    )


def test_a_waiting_approval_names_who_must_answer_and_how_long_is_left(tmp_path: Path) -> None:
    found = look(tmp_path, good_run, gate_result(), spec=spec(), later=timedelta(minutes=10))
    (told,) = about(found, "waited for approval")
    assert told.urgency is Urgency.WAITING
    assert told.remedy.startswith("ada: in Airflow's UI")
    assert "10 min" in told.problem
    assert "6 d 23 h are left" in told.problem


def test_a_shut_gate_names_its_failed_checks(tmp_path: Path) -> None:
    (told,) = about(look(tmp_path, good_run, gate_result(passed=False)), "is shut")
    assert "counts_equal of train: 1 missing" in told.problem


def test_a_gate_whose_age_runs_out_is_told_before_and_after(tmp_path: Path) -> None:
    open_gate = dict(SPEC, gates=[{**SPEC["gates"][0], "approval": {"required": False}}])  # type: ignore[index]
    rules = MigrationSpec.model_validate(open_gate)

    async def passed(store: EvidenceStore) -> None:
        check = CheckOutcome(name="counts_equal", subject="train", passed=True, detail="")
        result = GateResult(run=RUN, gate="complete", checks=(check,), passed=True)
        await store.write_json(gate_path(RUN, "complete", 1), result)

    young = look(tmp_path, good_run, passed, spec=rules)
    assert not about(young, "its result")
    assert any("for 59 min" in fact or "for 1 h" in fact for fact in young.facts)
    (soon,) = about(look(tmp_path, spec=rules, later=timedelta(minutes=55)), "its result")
    assert "counts for" in soon.problem
    (stale,) = about(look(tmp_path, spec=rules, later=timedelta(hours=3)), "its result")
    assert "too old by" in stale.problem


def test_lag_beyond_the_limit_is_told_with_its_course(tmp_path: Path) -> None:
    (told,) = about(look(tmp_path, syncs(10, 70, 90, 200)), "database features")
    assert "for 3 syncs in a row" in told.problem
    assert "falls back further" in told.problem


def test_lag_that_closes_is_no_trouble(tmp_path: Path) -> None:
    assert not about(look(tmp_path, syncs(200, 90, 5)), "database features")


def test_lag_that_rises_below_the_limit_is_told_early(tmp_path: Path) -> None:
    (told,) = about(look(tmp_path, syncs(10, 20, 40)), "database features")
    assert told.urgency is Urgency.SOON


def test_a_sync_that_no_longer_runs_is_told(tmp_path: Path) -> None:
    assert not about(look(tmp_path, syncs(1, 1, 1, 1)), "no sync runs")
    (told,) = about(look(tmp_path, later=timedelta(hours=5)), "no sync runs")
    assert "unpause fraud.sync" in told.remedy


def test_an_open_turn_comes_first(tmp_path: Path) -> None:
    found = look(tmp_path, good_run, failed(), turn())
    assert found.ailments[0].urgency is Urgency.NOW
    assert "turn 1 to the target has been open" in found.ailments[0].problem


def test_a_turn_that_ended_is_no_trouble(tmp_path: Path) -> None:
    assert not about(look(tmp_path, turn(), switch("switched")), "turn 1")


def test_a_turn_whose_run_has_its_last_word_is_over(tmp_path: Path) -> None:
    async def summary(store: EvidenceStore) -> None:
        none = Tally()
        record = PhaseSummary(
            run=CUTOVER, passed=True, found=none, moved=none, unchanged=none, refused=none, failed=none
        )
        await store.write_json(summary_path(CUTOVER, 1), record)

    assert not about(look(tmp_path, turn(), summary), "turn 1")


@pytest.mark.parametrize(
    ("writer", "word"),
    [
        (switch("between", target="frozen"), "stopped half way"),
        (switch("switched", target="frozen"), "nobody can write"),
        (switch("switched", source="open"), "both sides take writes"),
        (switch("switched", partly=("public.a",)), "public.a"),
    ],
)
def test_what_a_switch_left_is_urgent(tmp_path: Path, writer: Writer, word: str) -> None:
    (told,) = about(look(tmp_path, writer), word)
    assert told.urgency is Urgency.NOW


def test_a_switch_that_went_back_tells_why(tmp_path: Path) -> None:
    (told,) = about(look(tmp_path, switch("returned", source="open", target="frozen")), "went back")
    assert "the line is slow" in told.problem


def test_a_damaged_trail_is_urgent_and_the_rest_is_still_told(tmp_path: Path) -> None:
    look(tmp_path, good_run, act_of("run.started"), act_of("objects.copied"))
    entry = sorted((tmp_path / NAME / "audit").glob("*.json"))[-1]
    entry.write_bytes(entry.read_bytes().replace(b"objects.copied", b"objects.cooked"))
    found = look(tmp_path)
    assert found.ailments[0].subject == "audit trail"
    assert any(fact.startswith("transfer:") for fact in found.facts)


def test_a_damaged_record_keeps_only_its_own_phase_from_being_told(tmp_path: Path) -> None:
    look(tmp_path, good_run, syncs(100.0))
    next(tmp_path.rglob("plan.json")).write_text("{")
    found = look(tmp_path)
    assert found.ailments[0].subject == "evidence"
    assert about(found, "database features")


def test_clocks_that_differ_are_told(tmp_path: Path) -> None:
    found = look(tmp_path, good_run, act_of("run.started"), later=-timedelta(minutes=10))
    (told,) = about(found, "clock of")
    assert "10 min" in told.problem or "9 min" in told.problem


def test_a_run_that_has_just_written_is_not_called_broken(tmp_path: Path) -> None:
    young = look(tmp_path, good_run)
    assert {each.urgency for each in young.ailments} <= {Urgency.SOON}
    old = look(tmp_path, later=timedelta(hours=3))
    assert Urgency.BROKEN in {each.urgency for each in old.ailments}


def test_doctor_reads_only_and_exits_by_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "evidence"
    look(store, good_run, failed())
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    assert run(app, ["doctor", NAME, "--evidence", store.as_uri(), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert not document["well"]
    assert "HL-5002" in {each["code"] for each in document["ailments"]}
    assert run(app, ["doctor", NAME, "--evidence", store.as_uri()]) == 1
    assert "[HL-5002]" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before


def test_an_unknown_migration_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    look(tmp_path, good_run)
    assert run(app, ["doctor", "nope", "--evidence", tmp_path.as_uri()]) == 2
    assert "HL-4202" in capsys.readouterr().err


def test_an_unreachable_store_is_told_and_nothing_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = tmp_path / "absent"
    assert run(app, ["doctor", NAME, "--evidence", absent.as_uri()]) == 1
    assert "evidence store: it can't be read" in capsys.readouterr().out
    assert not absent.exists()


def test_missing_connections_of_the_spec_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_HERE", json.dumps({"conn_type": "aws", "password": "hidden-word"}))
    monkeypatch.delenv("AIRFLOW_CONN_THERE", raising=False)
    store, file = tmp_path / "evidence", tmp_path / "fraud.yaml"
    look(store, good_run)
    file.write_text(yaml.safe_dump(SPEC))
    assert run(app, ["doctor", NAME, "--spec", str(file), "--evidence", store.as_uri()]) == 1
    shown = capsys.readouterr().out
    assert "1 connection of the spec cannot be used here: there" in shown
    assert "hidden-word" not in shown


def test_the_spec_of_another_migration_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "fraud.yaml"
    file.write_text(yaml.safe_dump(SPEC))
    assert run(app, ["doctor", "other", "--spec", str(file), "--evidence", tmp_path.as_uri()]) == 2
    assert "HL-8961" in capsys.readouterr().err


def test_every_field_of_a_spec_that_names_a_connection_is_known_as_one() -> None:
    named = {row.name.rpartition(".")[2] for row in field_rows() if row.kind.startswith("connection id")}
    assert named
    assert all(is_connection_field(name) for name in named)
    assert used_connections(spec()) == {
        "here": "source.connection",
        "there": "target.connection",
        "evidence": "evidence.connection",
    }


def moving(**changes: Any) -> MigrationSpec:
    """Return a spec with a database and a switch."""
    side = {"engine": "postgresql"}
    database = {
        "name": "features",
        "source": {**side, "connection": "a"},
        "target": {**side, "connection": "b"},
        "reverse": True,
    }
    cutover = {"runbook_owner": "eva"}
    rules = {**SPEC, "datasets": [], "gates": [], "databases": [database], "cutover": cutover, **changes}
    return MigrationSpec.model_validate(rules)


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Workload:
    """Return what the live look sees: a database in memory, and connections that lead nowhere."""
    value = {"conn_type": "postgres", "host": "127.0.0.1", "schema": "db", "login": "u"}
    for name in ("A", "B", "EVIDENCE"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(value))
    workload = Workload([MemoryDatabase("features")])

    @asynccontextmanager
    async def opened(*_: Any) -> AsyncIterator[Any]:
        yield workload.seen_by(Fate())

    monkeypatch.setattr(parts, "open_parts", opened)
    streams(monkeypatch)
    return workload


def streams(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    said = {"stream": "s", "direction": "forward", "engine": "postgresql", "state": "streaming", **changes}
    status = StreamStatus.model_validate(said)

    async def both(_request: Any) -> tuple[StreamStatus, ...]:
        return (status,)

    monkeypatch.setattr(tables_api, "both_directions", both)


def test_a_world_that_is_well_is_told_as_facts(servers: Workload) -> None:
    facts, ailments = run_to_end(look_live(moving()))
    assert ailments == []
    assert "database features now: source open, target open" in facts
    assert "database features forward now: streaming, lag unknown" in facts


@pytest.mark.parametrize(
    ("changes", "urgency", "word"),
    [
        ({"slot_state": "lost", "applied_position": "0/5"}, Urgency.NOW, "does not keep the log"),
        ({"state": "stopped", "reason": "a column is gone"}, Urgency.BROKEN, "stopped: a column is gone"),
        ({"retained_bytes": 9 * 2**30}, Urgency.BROKEN, "keeps 9.0 GiB of log"),
        ({"lag_seconds": 600.0}, Urgency.SOON, "600 s behind right now"),
    ],
)
def test_what_a_stream_says_of_itself_is_told(
    servers: Workload, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], urgency: Urgency, word: str
) -> None:
    streams(monkeypatch, **changes)
    [told] = run_to_end(look_live(moving()))[1]
    assert told.urgency is urgency
    assert word in told.problem


def test_a_stream_that_was_ended_is_no_trouble(servers: Workload, monkeypatch: pytest.MonkeyPatch) -> None:
    streams(monkeypatch, state="ended", reason="ended", slot_state="missing", applied_position="0/5")
    assert run_to_end(look_live(moving()))[1] == []
    streams(monkeypatch, slot_state="missing", applied_position="0/0")
    assert run_to_end(look_live(moving()))[1] == []


@pytest.mark.parametrize(("direction", "frozen"), [("forward", Side.SOURCE), ("reverse", Side.TARGET)])
def test_where_nobody_writes_nothing_is_behind(
    servers: Workload, monkeypatch: pytest.MonkeyPatch, direction: str, frozen: Side
) -> None:
    streams(monkeypatch, lag_seconds=600.0, direction=direction)
    for side, fence in servers.databases[0].fences.items():
        fence.frozen = side is frozen
    facts, ailments = run_to_end(look_live(moving()))
    assert ailments == []
    assert f"database features {direction} now: streaming, nobody writes where it comes from" in facts
    for side, fence in servers.databases[0].fences.items():
        fence.frozen = side is not frozen
    assert [each.urgency for each in run_to_end(look_live(moving()))[1]] == [Urgency.SOON]


def test_frozen_on_both_sides_now_is_urgent(servers: Workload) -> None:
    for fence in servers.databases[0].fences.values():
        fence.frozen = True
    [told] = run_to_end(look_live(moving()))[1]
    assert (told.urgency, told.problem) == (Urgency.NOW, "both sides are frozen: nobody can write")


def test_a_server_that_does_not_answer_is_told_and_the_rest_is_looked_at(
    servers: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(_request: Any) -> Any:
        raise ServerUnavailableError("asking", got="no answer", remedy="start it", code="6012")

    monkeypatch.setattr(tables_api, "both_directions", down)
    facts, [told] = run_to_end(look_live(moving()))
    assert (told.code, told.remedy) == ("HL-6012", "start it")
    assert any("source open" in fact for fact in facts)
