"""Chain of custody: steps in their order, each told who took it, and believed only with the audit trail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heavylift.connections import Connection
from heavylift.errors import AuditError, ConflictError, PermanentError, SpecError
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import open_evidence
from heavylift.facts.devices import device_table, resolve_device
from heavylift.objects.appliances.custody import DeviceCustody, Step, read_custody, record_step
from heavylift.objects.appliances.mounting import mount_point
from heavylift.objects.appliances.records import Custody
from heavylift.objects.appliances.requests import ApplianceRequest, appliance_request
from heavylift.spec import MigrationSpec
from heavylift.spec.appliances import Device
from heavylift.spec.vocabulary import Platform

FACTS: dict[Custody, dict[str, str]] = {
    Custody.ORDERED: {"job": "J-1"},
    Custody.DELIVERED: {"serial": "S-1", "mounted_at": "one"},
    Custody.LOADED: {},
    Custody.SHIPPED: {"tracking": "1Z"},
    Custody.INGESTED: {},
    Custody.RECONCILED: {},
}


@pytest.fixture
def request_(tmp_path: Path) -> ApplianceRequest:
    """Return the request of a dataset between two folders."""
    spec = MigrationSpec.model_validate(
        {
            "apiVersion": "heavylift/v1",
            "migration": "m",
            "owner": "team",
            "source": {"platform": "kubernetes", "connection": "here"},
            "target": {"platform": "kubernetes", "connection": "there"},
            "evidence": {"url": (tmp_path / "evidence").as_uri()},
            "datasets": [
                {
                    "name": "d",
                    "source": (tmp_path / "source").as_uri(),
                    "target": (tmp_path / "target").as_uri(),
                    "appliance": {
                        "device": {"model": "box", "capacity": "1GB"},
                        "mount": (tmp_path / "mnt").as_uri(),
                    },
                }
            ],
        }
    )
    run = RunKey(migration="m", phase="appliance", run="r")
    return appliance_request(spec, "d", run, lambda conn_id: Connection(conn_id, "file"))


async def take(request: ApplianceRequest, state: Custody, actor: str = "eva", **facts: str) -> DeviceCustody:
    url = request.transfer.evidence_url
    async with open_evidence(url) as store:
        return await record_step(store, request, "d-01", Step(state, actor, facts or FACTS.get(state, {})))


async def read(request: ApplianceRequest) -> DeviceCustody:
    async with open_evidence(request.transfer.evidence_url) as store:
        return await read_custody(store, request, "d-01")


async def test_a_device_goes_from_hand_to_hand(request_: ApplianceRequest) -> None:
    assert (await read(request_)).state is Custody.PLANNED
    for state in FACTS:
        await take(request_, state, actor=f"who-{state}")
    custody = await read(request_)
    assert [kept.record.state for kept in custody.entries] == list(FACTS)
    assert [kept.record.actor for kept in custody.entries] == [f"who-{state}" for state in FACTS]
    assert (custody.fact("job"), custody.fact("serial"), custody.fact("tracking")) == ("J-1", "S-1", "1Z")
    assert custody.has_reached(Custody.SHIPPED)


async def test_no_step_is_left_out_and_none_is_taken_twice(request_: ApplianceRequest) -> None:
    with pytest.raises(ConflictError, match=r"is delivered failed: got a device that is planned.*HL-5712"):
        await take(request_, Custody.DELIVERED)
    await take(request_, Custody.ORDERED)
    assert len((await take(request_, Custody.ORDERED)).entries) == 1
    with pytest.raises(ConflictError):
        await take(request_, Custody.ORDERED, job="another")


async def test_back_only_with_a_reason_and_never_after_the_end(request_: ApplianceRequest) -> None:
    for state in (Custody.ORDERED, Custody.DELIVERED, Custody.LOADED):
        await take(request_, state)
    with pytest.raises(ConflictError):
        await take(request_, Custody.DELIVERED)
    back = {**FACTS[Custody.DELIVERED], "reason": "mounted on another worker", "mounted_at": "two"}
    custody = await take(request_, Custody.DELIVERED, **back)
    assert (custody.state, custody.fact("mounted_at")) == (Custody.DELIVERED, "two")
    assert (await take(request_, Custody.LOST, reason="dropped")).state is Custody.LOST
    for state in FACTS:
        with pytest.raises(ConflictError):
            await take(request_, state, **(FACTS[state] | {"reason": "found again"}))


@pytest.mark.parametrize("state", [Custody.ORDERED, Custody.LOST])
async def test_a_step_must_tell_what_belongs_to_it(request_: ApplianceRequest, state: Custody) -> None:
    with pytest.raises(PermanentError, match="HL-5711"):
        await take(request_, state, carrier="somebody")
    assert (await read(request_)).state is Custody.PLANNED


async def test_a_step_that_the_audit_trail_does_not_have_is_not_believed(
    request_: ApplianceRequest, tmp_path: Path
) -> None:
    await take(request_, Custody.ORDERED)
    folder = tmp_path / "evidence" / "m" / "appliance" / "r" / "d" / "devices" / "d-01"
    forged = json.loads((folder / "custody-1.json").read_text())
    forged |= {"number": 2, "state": "delivered", "before": "ordered", "serial": "S", "mounted_at": "one"}
    (folder / "custody-2.json").write_text(json.dumps(forged))
    with pytest.raises(AuditError, match="HL-5713"):
        await read(request_)


async def test_a_changed_step_is_not_believed(request_: ApplianceRequest, tmp_path: Path) -> None:
    await take(request_, Custody.ORDERED)
    path = tmp_path / "evidence/m/appliance/r/d/devices/d-01/custody-1.json"
    path.write_text(path.read_text().replace("J-1", "J-2"))
    with pytest.raises(AuditError, match="HL-5713"):
        await read(request_)


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc", "a\0b", "x" * 300])
def test_a_device_is_mounted_directly_below_the_place_that_the_spec_names(
    request_: ApplianceRequest, name: str
) -> None:
    with pytest.raises(PermanentError, match="HL-5720"):
        mount_point(request_, name)


def test_the_table_tells_where_each_figure_is_from() -> None:
    assert all(model.source and model.date and model.verified for model in device_table().values())
    assert device_table()["gcp-ta300"].capacity_bytes == 300 * 10**12


@pytest.mark.parametrize(
    ("device", "target", "code"),
    [
        ({"model": "gcp-ta3000"}, Platform.GCP, "5700"),
        ({"model": "aws-data-transfer-terminal", "owned": True}, Platform.AWS, "5701"),
        ({"model": "aws-snowball-edge-210tb"}, Platform.AWS, "5702"),
        ({"model": "azure-data-box-heavy"}, Platform.AZURE, "5702"),
        ({"model": "gcp-ta40"}, Platform.AZURE, "5703"),
    ],
)
def test_a_device_that_cannot_be_used_is_refused(
    device: dict[str, object], target: Platform, code: str
) -> None:
    with pytest.raises(SpecError, match=f"HL-{code}"):
        resolve_device(Device.model_validate(device), target)


def test_what_the_spec_says_of_a_device_comes_before_the_table() -> None:
    device = Device.model_validate(
        {"model": "aws-snowball-edge-210tb", "owned": True, "capacity": "200TB", "max_files": 5}
    )
    model = resolve_device(device, Platform.AWS)
    assert (model.capacity_bytes, model.max_files, model.provider) == (200 * 10**12, 5, "aws")
