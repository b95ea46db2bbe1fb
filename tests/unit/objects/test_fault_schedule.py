"""The faults of the integration tests: the same for the same seed, each where it belongs."""

from __future__ import annotations

import pytest

from tests.support.fault_answers import DIALECTS, refusal
from tests.support.fault_proxy import flipped_payload, kind_of
from tests.support.fault_schedule import FAULTS, REFUSED, Kind, Schedule, Storm, applies, draw_schedule


def dealt(schedule: Schedule) -> list[str]:
    return [schedule.fault(number, kind) for number in range(1, 100) for kind in Kind]


def test_a_schedule_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    drawn = [dealt(draw_schedule(seed, target=True)) for seed in range(20)]
    assert drawn == [dealt(draw_schedule(seed, target=True)) for seed in range(20)]
    assert len({tuple(one) for one in drawn}) > 12


def test_all_schedules_together_deal_out_every_fault_and_some_deal_out_none() -> None:
    drawn = [set(dealt(draw_schedule(seed, target=True))) for seed in range(120)]
    assert set().union(*drawn) == {*FAULTS, ""}
    assert {""} in drawn


def test_a_storm_holds_from_its_first_request_to_its_last() -> None:
    schedule = Schedule(0, storms=(Storm("busy", 3, 5),))
    assert [schedule.fault(number, Kind.READ) for number in range(1, 8)] == ["", "", *["busy"] * 3, "", ""]


def test_only_bytes_of_objects_are_changed_and_only_writes_meet_a_full_store() -> None:
    assert not any(applies(fault, Kind.READ) for fault in ("flip_answer", "flip_request", "short", "full"))
    assert applies("flip_request", Kind.UPLOAD)
    assert applies("full", Kind.WRITE)


@pytest.mark.parametrize(
    ("dialect", "method", "path", "kind"),
    [
        ("s3", "GET", "/b/k", Kind.DOWNLOAD),
        ("s3", "GET", "/b/?list-type=2", Kind.READ),
        ("s3", "HEAD", "/b/k", Kind.READ),
        ("s3", "PUT", "/b/k?partNumber=1&uploadId=u", Kind.UPLOAD),
        ("s3", "POST", "/b/k?uploads=", Kind.WRITE),
        ("azure", "PUT", "/account/c/k", Kind.UPLOAD),
        ("azure", "PUT", "/account/c/k?comp=block&blockid=x", Kind.UPLOAD),
        ("azure", "PUT", "/account/c/k?comp=blocklist", Kind.WRITE),
        ("gcs", "GET", "/storage/v1/b/b/o/k?alt=media", Kind.DOWNLOAD),
        ("gcs", "GET", "/storage/v1/b/b/o/k", Kind.READ),
        ("gcs", "POST", "/upload/storage/v1/b/b/o?uploadType=multipart", Kind.UPLOAD),
        ("gcs", "DELETE", "/storage/v1/b/b/o/k", Kind.WRITE),
    ],
)
def test_requests_are_told_apart(dialect: str, method: str, path: str, kind: Kind) -> None:
    assert kind_of(method, path, dialect) is kind


def test_of_an_upload_to_cloud_storage_only_the_objects_bytes_are_changed() -> None:
    head = b'--x\r\ncontent-type: application/json\r\n\r\n{"name": "k"}\r\n--x\r\n\r\n'
    changed = flipped_payload(head + b"payload" + b"\r\n--x--\r\n")
    assert changed.startswith(head)
    assert changed.endswith(b"\r\n--x--\r\n")
    assert changed[len(head) : -len(b"\r\n--x--\r\n")] != b"payload"
    empty = head + b"\r\n--x--\r\n"
    assert flipped_payload(empty) == empty


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", REFUSED)
def test_every_refusal_has_words_in_every_dialect_and_no_body_for_a_head(dialect: str, fault: str) -> None:
    assert refusal(dialect, fault, "GET").status >= 400
    assert refusal(dialect, fault, "GET").body
    assert refusal(dialect, fault, "HEAD").body == b""
    assert ("Retry-After" in refusal(dialect, fault, "GET").headers) is (fault == "throttle_after")
