"""Storage Transfer Service moves a dataset; what arrived is proved by the verification alone.

The service is a local one that checks each request by Google's discovery document and copies
between the sandbox's stores.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from airflow.sdk.exceptions import TaskDeferred

from heavylift.errors import CredentialError, IncompleteError, IntegrityError, TransientError
from heavylift_airflow.operators.services.run import RunServiceOperator
from tests.integration.services.conftest import Moving
from tests.integration.services.tasks import again, copy_rest, fire, plan, serve, task, verify
from tests.plugins.world import context_of
from tests.support.transfer_server import TransferServer


def fill(moving: Moving, count: int = 6) -> None:
    for number in range(count):
        moving.put(
            f"day={number % 2}/part, {number} é.bin",
            bytes([number]) * (1000 * number),
            ContentType="application/x-part",
            Metadata={"made-by": "trainer"},
        )


def all_text(folder: Path) -> str:
    return "\n".join(
        path.read_bytes().decode("utf-8", "replace") for path in folder.rglob("*") if path.is_file()
    )


def test_a_dataset_goes_through_the_service_and_is_proved_by_us(
    moving: Moving, transfer_server: TransferServer
) -> None:
    fill(moving)
    transfer_server.polls = 2
    shards = plan(moving.spec_path)
    assert shards == []  # nothing is left for the workers
    counts = serve(moving.spec_path)
    assert (counts["found"], counts["moved"], counts["failed"], counts["left"]) == (6, 6, 0, 0)
    assert verify(moving.spec_path)["objects"] == 6
    assert transfer_server.rejected == []
    methods = [method.rpartition(".")[2] for method, _ in transfer_server.requests]
    assert methods.count("create") == 1
    assert methods.count("run") == 1
    [job] = transfer_server.jobs.values()
    assert job["status"] == "DELETED"  # with the key that it held


def test_a_later_run_knows_what_the_service_wrote_and_moves_only_the_rest(
    moving: Moving, transfer_server: TransferServer
) -> None:
    fill(moving)
    plan(moving.spec_path)
    serve(moving.spec_path)
    verify(moving.spec_path)
    moving.put("day=0/part, 0 é.bin", b"changed since")
    moving.put("new.bin", b"new")
    later = {"run_id": "manual__later"}
    plan(moving.spec_path, **later)
    counts = serve(moving.spec_path, **later)
    assert counts["found"] == 2
    # Proved equal once, so known as ours: it may be replaced without on_conflict.
    spec = list(transfer_server.jobs.values())[-1]["transferSpec"]
    assert spec["transferOptions"]["overwriteWhen"] == "DIFFERENT"
    assert verify(moving.spec_path, **later)["objects"] == 7


def test_keys_that_a_list_cannot_name_are_moved_by_our_workers_beside_it(
    moving: Moving, transfer_server: TransferServer
) -> None:
    fill(moving, 2)
    moving.put("folder/", b"")
    shards = plan(moving.spec_path)
    assert [(shard["shard"], shard["objects"]) for shard in shards] == [(1, 1)]
    assert serve(moving.spec_path)["moved"] == 2
    assert copy_rest(moving.spec_path, shards) == 1
    assert verify(moving.spec_path)["objects"] == 3


def test_tags_that_the_service_loses_fail_the_proof_and_are_named(
    moving: Moving, transfer_server: TransferServer
) -> None:
    moving.put("tagged.bin", b"x", Tagging="team=vision")
    plan(moving.spec_path)
    serve(moving.spec_path)
    with pytest.raises(IntegrityError, match=r"1 attributes that differ.*tagged\.bin"):
        verify(moving.spec_path)
    moving.save(metadata={"tags": False})
    assert verify(moving.spec_path, attempt=2)["passed"] is True


def test_an_object_that_the_service_forgets_is_missed_although_it_says_success(
    moving: Moving, transfer_server: TransferServer
) -> None:
    fill(moving, 3)
    transfer_server.forget = {"day=1/part, 1 é.bin"}
    plan(moving.spec_path)
    with pytest.raises(IncompleteError, match=r"succeeded: 0 objects failed, 1 not accounted for.*HL-5521"):
        serve(moving.spec_path)
    with pytest.raises(IntegrityError, match="1 missing"):
        verify(moving.spec_path)


def test_failed_objects_are_counted_and_named_and_a_cleared_task_runs_the_job_again(
    moving: Moving, transfer_server: TransferServer
) -> None:
    fill(moving, 3)
    transfer_server.refuse = {"day=1/part, 1 é.bin": "PERMISSION_DENIED"}
    plan(moving.spec_path)
    with pytest.raises(IncompleteError, match=r"1 objects failed.*PERMISSION_DENIED.*part, 1 é"):
        serve(moving.spec_path)
    transfer_server.refuse = {}
    counts = serve(moving.spec_path, attempt=2)
    assert (counts["moved"], counts["unchanged"]) == (1, 2)
    assert verify(moving.spec_path)["objects"] == 3
    assert len(transfer_server.jobs) == 1


def test_a_retry_after_a_crash_finds_the_run_that_is_under_way(
    moving: Moving, transfer_server: TransferServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(moving, 2)
    transfer_server.polls = 3
    plan(moving.spec_path)

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("heavylift.objects.services.run.write_next", crash)
        with pytest.raises(KeyboardInterrupt):
            serve(moving.spec_path)
    assert serve(moving.spec_path, attempt=2)["moved"] == 2
    assert len(transfer_server.operations) == 1


def test_a_job_that_could_not_be_removed_is_removed_by_the_retry_and_not_run_again(
    moving: Moving, transfer_server: TransferServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(moving, 2)
    plan(moving.spec_path)
    answer = transfer_server.answer

    def keep(http: str, target: str, body: object) -> tuple[int, dict[str, object]]:
        if http == "PATCH":
            return 503, {"error": {"message": "not now"}}
        return answer(http, target, body)

    with monkeypatch.context() as patched:
        patched.setattr(transfer_server, "answer", keep)
        with pytest.raises(TransientError, match="HL-8511"):
            serve(moving.spec_path)
    assert serve(moving.spec_path, attempt=2)["moved"] == 2
    assert len(transfer_server.operations) == 1
    assert [job["status"] for job in transfer_server.jobs.values()] == ["DELETED"]
    assert verify(moving.spec_path)["objects"] == 2


def deferred_run(moving: Moving) -> TaskDeferred:
    made = task(RunServiceOperator, moving.spec_path)
    with pytest.raises(TaskDeferred) as caught:
        made.execute(context_of(made))
    return caught.value


def test_a_waiting_task_that_is_killed_cancels_the_run(
    moving: Moving, transfer_server: TransferServer
) -> None:
    fill(moving, 2)
    transfer_server.polls = 100
    plan(moving.spec_path)
    deferred = deferred_run(moving)
    asyncio.run(again(deferred.trigger).on_kill())
    [operation] = transfer_server.operations.values()
    assert operation["metadata"]["status"] == "ABORTED"
    with pytest.raises(IncompleteError, match="cancelled"):
        serve(moving.spec_path, attempt=2)


def test_a_task_that_is_killed_while_it_starts_the_run_cancels_it(
    moving: Moving, transfer_server: TransferServer
) -> None:
    fill(moving, 2)
    transfer_server.polls = 100
    plan(moving.spec_path)
    made = task(RunServiceOperator, moving.spec_path)
    with pytest.raises(TaskDeferred):
        made.execute(context_of(made))
    made.on_kill()
    [operation] = transfer_server.operations.values()
    assert operation["metadata"]["status"] == "ABORTED"


def test_a_service_that_is_down_for_a_while_is_waited_for(
    moving: Moving, transfer_server: TransferServer
) -> None:
    fill(moving, 2)
    transfer_server.polls = 1
    plan(moving.spec_path)
    deferred = deferred_run(moving)
    transfer_server.down = 1
    assert fire(deferred.trigger)["handle"] in transfer_server.operations
    assert serve(moving.spec_path)["moved"] == 2


def test_no_secret_leaves_the_request_to_the_service(
    moving: Moving, transfer_server: TransferServer, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(moving, 2)
    transfer_server.polls = 1
    plan(moving.spec_path)
    deferred = deferred_run(moving)
    secret = moving.servers.connection("aws_source").password or ""
    assert len(secret) > 8
    [sent] = [body for method, body in transfer_server.requests if method.endswith(".create")]
    assert sent["transferSpec"]["awsS3DataSource"]["awsAccessKey"]["secretAccessKey"] == secret
    serve(moving.spec_path)
    verify(moving.spec_path)
    assert secret not in json.dumps(deferred.trigger.serialize())
    assert secret not in all_text(moving.evidence)
    shown = capsys.readouterr()
    assert secret not in shown.out + shown.err


def test_a_refusal_of_the_service_is_told_with_what_to_grant(
    moving: Moving, transfer_server: TransferServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(moving, 1)
    plan(moving.spec_path)

    def refuse(*_: object) -> tuple[int, dict[str, object]]:
        return 403, {"error": {"status": "PERMISSION_DENIED", "message": "no role"}}

    monkeypatch.setattr(transfer_server, "answer", refuse)
    with pytest.raises(CredentialError, match="HL-8511"):
        serve(moving.spec_path)
