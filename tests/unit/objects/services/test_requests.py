"""The requests to the services: what they ask for, and what an answer is taken for."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, SpecError, UnsupportedError
from heavylift.evidence.records import RunKey, Tally
from heavylift.evidence.services import ServiceRunRecord
from heavylift.locations import parse_location
from heavylift.objects.requests import TransferOptions, TransferRequest
from heavylift.objects.services import azcopy, datasync, storage_transfer
from heavylift.objects.services.orders import manifest_place, order_name, write_keys
from heavylift.objects.services.ports import ServiceError, ServiceOrder, ServiceState, ServiceStatus
from heavylift.objects.services.run import shard_result
from heavylift.platforms.places import Place
from heavylift.spec.services import ServiceOptions
from heavylift.spec.vocabulary import Via
from tests.support.discovery import BadRequestError, load

ROLE = "arn:aws:iam::123456789012:role/mover"
SECRET = "a-secret-of-the-source"
S3 = Connection("aws_source", "aws", login="AKID", password=SECRET)
GCS = Connection("gcp", "google_cloud_platform", extra={"hmac_key_id": "GOOG", "hmac_secret": SECRET})
AZURE = Connection(
    "azure", "wasb", host="https://acct.blob.core.windows.net", extra={"sas_token": f"?sv=1&sig={SECRET}"}
)
PLACES = {
    "s3": Place(parse_location("s3://bucket/data/"), S3),
    "gs": Place(parse_location("gs://bucket/data/"), GCS),
    "az": Place(parse_location("az://container/data/"), AZURE),
}


def order(source: str = "s3", target: str = "gs", **changes: Any) -> ServiceOrder:
    made = ServiceOrder(
        name="heavylift-0123",
        source=PLACES[source],
        target=PLACES[target],
        manifest=f"{target}://bucket/heavylift-manifests/keys.csv",
        planned=Tally(objects=3, size_bytes=30),
        replaces=False,
        options=ServiceOptions(source_role=None, target_role=None),
    )
    return replace(made, **changes)


@pytest.mark.parametrize("source", ["s3", "az", "gs"])
def test_a_transfer_job_is_of_the_published_form(source: str) -> None:
    body = storage_transfer.job_body(order(source), "project")
    load("storagetransfer.v1").check_value("TransferJob", body, "job")
    assert body["transferSpec"]["transferOptions"]["overwriteWhen"] == "NEVER"
    assert not body["transferSpec"]["transferOptions"]["deleteObjectsUniqueInSink"]
    replaced = storage_transfer.job_body(order(source, replaces=True), "project")
    assert replaced["transferSpec"]["transferOptions"]["overwriteWhen"] == "DIFFERENT"


def test_the_check_of_the_published_form_finds_a_wrong_field() -> None:
    body = storage_transfer.job_body(order(), "project")
    body["transferSpec"]["gcsDataSink"]["bucket"] = "x"
    with pytest.raises(BadRequestError, match="unknown field 'bucket'"):
        load("storagetransfer.v1").check_value("TransferJob", body, "job")


def test_a_role_takes_the_place_of_the_key() -> None:
    options = ServiceOptions(source_role=ROLE)
    body = storage_transfer.job_body(order(options=options), "project")
    assert body["transferSpec"]["awsS3DataSource"]["roleArn"] == ROLE
    assert SECRET not in json.dumps(body)
    keyless = replace(PLACES["s3"], connection=replace(S3, login=None))
    with pytest.raises(ConnectionConfigError, match="HL-5531"):
        storage_transfer.job_body(order(source="s3") and replace(order(), source=keyless), "project")


def test_no_repr_shows_a_secret() -> None:
    shown = repr(order()) + repr(order("az")) + repr(datasync.locations(order("gs", "az")))
    assert SECRET not in shown


@pytest.mark.parametrize(
    ("metadata", "state"),
    [
        ({"status": "IN_PROGRESS"}, ServiceState.RUNNING),
        ({"status": "QUEUED"}, ServiceState.RUNNING),
        ({}, ServiceState.RUNNING),
        ({"status": "SUCCESS"}, ServiceState.SUCCEEDED),
        ({"status": "FAILED"}, ServiceState.FAILED),
        ({"status": "ABORTED"}, ServiceState.CANCELLED),
    ],
)
def test_states_of_an_operation(metadata: dict[str, Any], state: ServiceState) -> None:
    assert storage_transfer.status_of({"metadata": metadata}).state is state


def test_an_operation_that_ended_with_an_error_has_failed_and_says_why() -> None:
    status = storage_transfer.status_of(
        {"done": True, "error": {"code": 7, "message": "denied"}, "metadata": {"status": "IN_PROGRESS"}}
    )
    assert status.state is ServiceState.FAILED
    assert status.errors == (ServiceError("7", 1, "denied"),)


def valid(operation: str, arguments: dict[str, Any]) -> None:
    import botocore.session
    from botocore.validate import ParamValidator

    model = botocore.session.get_session().get_service_model("datasync")
    report = ParamValidator().validate(arguments, model.operation_model(operation).input_shape)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize(("source", "target"), [("s3", "s3"), ("gs", "s3"), ("az", "s3"), ("s3", "az")])
def test_datasync_calls_are_of_botocores_model(source: str, target: str) -> None:
    options = ServiceOptions(source_role=ROLE, target_role=ROLE)
    made = order(source, target, options=options, manifest="s3://bucket/lists/keys.csv")
    for call in datasync.locations(made):
        valid("".join(part.title() for part in call.method.split("_")), call.arguments)
    ends = {"SourceLocationArn": "arn:aws:datasync:us-east-1:123456789012:location/loc-0123456789abcdef0"}
    ends["DestinationLocationArn"] = ends["SourceLocationArn"]
    arguments = datasync.task_arguments(made)
    valid("CreateTask", {**ends, **arguments})
    assert arguments["Options"]["ObjectTags"] == ("PRESERVE" if source == target == "s3" else "NONE")
    assert arguments["Options"]["PreserveDeletedFiles"] == "PRESERVE"
    assert SECRET not in json.dumps(arguments)


def test_datasync_refuses_what_it_cannot_be_given() -> None:
    with pytest.raises(SpecError, match="HL-5534"):
        datasync.locations(order("s3", "az"))
    bare = replace(PLACES["gs"], connection=Connection("gcp", "google_cloud_platform"))
    with pytest.raises(ConnectionConfigError, match="HL-5531"):
        datasync.locations(replace(order("az", "az"), source=bare))
    datasync.check_limits(["k" * 1000], "", "")
    with pytest.raises(UnsupportedError, match="HL-5536"):
        datasync.check_limits(["fine", "k" * 1020], "data/", "")


def test_an_execution_that_tells_no_counters_accounts_for_nothing() -> None:
    status = datasync.status_of({"Status": "SUCCESS"})
    assert (status.state, status.copied.objects) == (ServiceState.SUCCEEDED, 0)
    failed = datasync.status_of(
        {
            "Status": "ERROR",
            "FilesTransferred": 2,
            "FilesFailed": {"Transfer": 1, "Verify": 2},
            "Result": {"ErrorCode": "Denied", "ErrorDetail": "no"},
        }
    )
    assert (failed.failed.objects, failed.errors) == (3, (ServiceError("Denied", 3, "no"),))
    assert datasync.status_of({"Status": "VERIFYING"}).state is ServiceState.RUNNING


def request(via: Via, source: str, target: str, **options: Any) -> TransferRequest:
    return TransferRequest(
        run=RunKey(migration="m", phase="sync", run="r"),
        dataset="d",
        source=PLACES[source],
        target=PLACES[target],
        evidence_url=None,
        evidence_connection=None,
        options=TransferOptions(via=via, service=ServiceOptions(**options)),
    )


def test_the_name_of_a_job_is_the_runs_own() -> None:
    one = request(Via.STORAGE_TRANSFER_SERVICE, "s3", "gs")
    assert order_name(one) == order_name(one)
    others = (replace(one, dataset="e"), replace(one, run=RunKey(migration="m", phase="sync", run="s")))
    assert len({order_name(each) for each in (one, *others)}) == 3
    assert storage_transfer.job_name(order_name(one))[-1].isalnum()


def test_the_list_of_keys_lies_beside_the_target_or_where_the_spec_says() -> None:
    beside, connection = manifest_place(request(Via.STORAGE_TRANSFER_SERVICE, "s3", "gs"))
    assert (str(beside), connection) == ("gs://bucket/heavylift-manifests/", GCS)
    named = request(Via.DATASYNC, "s3", "az", manifest="s3://lists/here/")
    assert str(manifest_place(named)[0]) == "s3://lists/here/"
    with pytest.raises(SpecError, match="HL-5520"):
        manifest_place(request(Via.DATASYNC, "s3", "az"))


def test_a_list_of_keys_survives_commas_quotes_and_letters_of_all_kinds(tmp_path: Path) -> None:
    keys = ["plain", "a,b", 'say "x"', "é/日本", " blank ", "semi;colon"]
    write_keys(tmp_path / "keys.csv", keys)
    with (tmp_path / "keys.csv").open(encoding="utf-8", newline="") as file:
        assert [row[0] for row in csv.reader(file)] == keys


RECORD = ServiceRunRecord(
    run=RunKey(migration="m", phase="transfer", run="r"),
    dataset="d",
    service="s",
    job="j",
    handle="h",
    planned=Tally(objects=5, size_bytes=50),
)


@pytest.mark.parametrize(
    ("copied", "skipped", "failed", "left"),
    [(5, 0, 0, 0), (3, 2, 0, 0), (2, 1, 2, 0), (2, 0, 0, 3), (9, 0, 0, 0), (0, 9, 9, 0), (0, 0, 0, 5)],
)
@pytest.mark.parametrize("state", list(ServiceState))
def test_the_result_of_a_service_adds_up_whatever_it_counts(
    state: ServiceState, copied: int, skipped: int, failed: int, left: int
) -> None:
    status = ServiceStatus(
        state, *(Tally(objects=number, size_bytes=number * 10) for number in (copied, skipped, failed))
    )
    result = shard_result(request(Via.DATASYNC, "s3", "s3"), RECORD, status, 1)
    assert result.found == result.moved + result.unchanged + result.failed + result.left
    assert min(t.objects for t in (result.moved, result.unchanged, result.failed, result.left)) >= 0
    assert result.left.objects == left


def test_the_arguments_of_azcopy_overwrite_nothing_unless_the_plan_replaces() -> None:
    made = order("s3", "az", max_bandwidth=10**6)
    arguments = azcopy.copy_arguments(made, Path("/tmp/keys.txt"))
    assert arguments[:3] == [
        "copy",
        "https://s3.us-east-1.amazonaws.com/bucket/data/",
        "https://acct.blob.core.windows.net/container/data/",
    ]
    assert "--overwrite=false" in arguments
    assert "--cap-mbps=8.000" in arguments
    assert "--overwrite=true" in azcopy.copy_arguments(replace(made, replaces=True), Path("/k"))


@pytest.mark.parametrize(
    ("extra", "kind"),
    [
        ({"managed_identity_client_id": "x"}, "MSI"),
        ({"workload_identity_tenant_id": "x"}, "WORKLOAD"),
    ],
)
def test_azcopy_logs_in_with_the_machines_identity(extra: dict[str, str], kind: str) -> None:
    env = azcopy.environment(
        order("s3", "az"), Connection("c", "wasb", extra=extra), {"HOME": "/h", "X": "1"}
    )
    assert (env["AZCOPY_AUTO_LOGIN_TYPE"], env["HOME"]) == (kind, "/h")
    assert "X" not in env


# Lines of AzCopy 10.32.2's own, shortened.
REAL = [
    '{"TimeStamp":"2026-11-28T04:38:47Z","MessageType":"Info","MessageContent":"INFO: Scanning..."}',
    '{"MessageType":"Init","MessageContent":"{\\"JobID\\":\\"8d06d97e\\",\\"IsCleanupJob\\":false}"}',
    '{"MessageType":"EndOfJob","MessageContent":"{\\"JobStatus\\":\\"CompletedWithSkipped\\",'
    '\\"TransfersCompleted\\":\\"1\\",\\"TransfersFailed\\":\\"0\\",\\"TransfersSkipped\\":\\"1\\",'
    '\\"TotalBytesTransferred\\":\\"6\\",\\"FailedTransfers\\":[]}"}',
    "no json at all",
]


def test_the_output_of_azcopy_is_read() -> None:
    messages = [message for line in REAL if (message := azcopy.read_line(line))]
    assert [message.kind for message in messages] == ["Info", "Init", "EndOfJob"]
    status = azcopy.status_of(messages, 0)
    assert (status.state, status.copied, status.skipped.objects) == (
        ServiceState.SUCCEEDED,
        Tally(objects=1, size_bytes=6),
        1,
    )
    assert azcopy.status_of(messages, 1).state is ServiceState.FAILED
    assert azcopy.status_of([], 0).state is ServiceState.FAILED
