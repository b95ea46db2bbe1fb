"""What is beside the bytes: storage classes are mapped, archives stop the plan, settings are told."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from heavylift.errors import SpecError
from heavylift.evidence.records import RunKey, Severity, Tally
from heavylift.locations import Location
from heavylift.objects.beside import ARCHIVED, nothing_found, refuse_archived
from heavylift.objects.classes import class_on_target, must_be_restored
from heavylift.objects.diff import Difference
from heavylift.objects.listing import list_to_file
from heavylift.objects.requests import TransferRequest
from heavylift.platforms.aws import container as s3
from heavylift.platforms.aws.headers import attribute_headers
from heavylift.platforms.aws.xml import parse
from heavylift.platforms.azure import container as azure
from heavylift.platforms.azure.headers import headers_of
from heavylift.platforms.gcp import container as gcs
from heavylift.platforms.gcp.resources import resource_of
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ListedObject, ObjectAttributes
from heavylift.spec import load_spec
from heavylift.spec.classes import StorageClasses
from heavylift.spec.vocabulary import ClassPolicy
from tests.unit.objects.fakes import FakeStore
from tests.unit.spec.samples import with_dataset

KEEP = StorageClasses(policy=ClassPolicy.KEEP)


@pytest.mark.parametrize(
    ("source", "target", "name", "wanted", "goal"),
    [
        ("s3", "gs", "STANDARD_IA", StorageClasses(), None),
        ("s3", "gs", "STANDARD_IA", KEEP, "NEARLINE"),
        ("s3", "gs", "GLACIER_IR", KEEP, "COLDLINE"),
        ("s3", "gs", "DEEP_ARCHIVE", KEEP, "ARCHIVE"),
        ("s3", "az", "STANDARD_IA", KEEP, "Cool"),
        ("s3", "az", "DEEP_ARCHIVE", KEEP, "Cold"),
        ("gs", "s3", "NEARLINE", KEEP, "STANDARD_IA"),
        ("gs", "s3", "ARCHIVE", KEEP, "GLACIER_IR"),
        ("az", "s3", "Cool", KEEP, "STANDARD_IA"),
        ("az", "gs", "Hot", KEEP, "STANDARD"),
        ("s3", "s3", "ONEZONE_IA", KEEP, "ONEZONE_IA"),
        ("s3", "s3", "GLACIER", KEEP, "GLACIER_IR"),
        ("s3", "gs", "", KEEP, None),
        ("s3", "gs", "NEW_CLASS", KEEP, None),
        ("s3", "file", "STANDARD_IA", KEEP, None),
        ("s3", "gs", "STANDARD_IA", StorageClasses(classes={"STANDARD_IA": "COLDLINE"}), "COLDLINE"),
        ("az", "gs", "Cool", StorageClasses(classes={"COOL": "COLDLINE"}), "COLDLINE"),
    ],
)
def test_the_class_on_the_target(
    source: str, target: str, name: str, wanted: StorageClasses, goal: str | None
) -> None:
    assert class_on_target(source, target, name, wanted) == goal


def test_the_class_is_sent_with_the_object() -> None:
    attributes = ObjectAttributes(storage_class="X")
    assert attribute_headers(attributes) == {"x-amz-storage-class": "X"}
    assert headers_of(attributes) == {"x-ms-access-tier": "X"}
    assert resource_of(attributes) == {"storageClass": "X"}


@pytest.mark.parametrize(
    ("scheme", "name", "offline"),
    [("s3", "GLACIER", True), ("s3", "GLACIER_IR", False), ("az", "Archive", True), ("gs", "ARCHIVE", False)],
)
def test_which_classes_must_be_restored(scheme: str, name: str, offline: bool) -> None:
    assert must_be_restored(scheme, name) is offline


class Classed(FakeStore):
    """Tells a class for each object: the part of its key before the slash."""

    def _listed(self, key: str) -> ListedObject:
        found = super()._listed(key)
        return ListedObject(
            found.key, found.size_bytes, found.version, 0, found.checksums, key.partition("/")[0]
        )


async def test_objects_that_must_be_restored_are_named_before_anything_moves(tmp_path: Path) -> None:
    source, target = Classed(), FakeStore()
    for key in ("STANDARD/a", "GLACIER/b", "DEEP_ARCHIVE/c", "GLACIER/there"):
        source.fill(key, key.encode())
    target.fill("GLACIER/there", b"GLACIER/there")
    one = await list_to_file(source, "", lambda key: True, tmp_path / "s.parquet")
    other = await list_to_file(target, "", lambda key: True, tmp_path / "t.parquet")
    assert pq.read_table(one.path).column("storage_class").to_pylist()[0] == "DEEP_ARCHIVE"
    request = TransferRequest(
        RunKey(migration="m", phase="transfer", run="r"), "d",
        Place(Location("s3", "a")), Place(Location("gs", "b")), None, None,
    )  # fmt: skip
    difference = Difference(tmp_path, 2**26)
    difference.compare(one, other)
    await refuse_archived(request, difference, one, source)
    refused, _ = difference.refusals(10)
    difference.close()
    assert [(item.rel, item.rule) for item in refused] == [
        ("DEEP_ARCHIVE/c", ARCHIVED), ("GLACIER/b", ARCHIVED)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("phase", "found", "filtered", "told"),
    [
        ("transfer", 0, 0, "no object is there to move"),
        ("transfer", 0, 2, "no object is there to move; the filters leave out 2 objects"),
        ("transfer", 1, 0, None),
        ("sync", 0, 0, None),
        ("registry", 0, 0, None),
    ],
)
async def test_a_source_without_objects_is_a_warning(
    phase: str, found: int, filtered: int, told: str | None
) -> None:
    place = Place(Location("s3", "a"))
    request = TransferRequest(RunKey(migration="m", phase=phase, run="r"), "d", place, place, None, None)
    findings = await nothing_found(request, Tally(objects=found), Tally(objects=filtered), FakeStore())
    assert [each.detail for each in findings] == ([told] if told else [])
    assert all(each.severity is Severity.WARNING for each in findings)


async def test_a_url_of_a_single_object_is_called_so() -> None:
    source = FakeStore()
    source.fill("p/one.bin", b"x")
    place = Place(Location("s3", "a", "p/one.bin/"))
    request = TransferRequest(RunKey(migration="m", phase="transfer", run="r"), "d", place, place, None, None)
    (finding,) = await nothing_found(request, Tally(), Tally(), source)
    assert finding.detail == "no object is there to move: p/one.bin is an object, no folder"
    assert "include: ['one.bin']" in finding.remedy


@pytest.mark.parametrize(
    ("text", "policy", "classes"),
    [
        ("keep", ClassPolicy.KEEP, {}),
        ({"STANDARD_IA": "NEARLINE"}, ClassPolicy.DEFAULT, {"STANDARD_IA": "NEARLINE"}),
        ({"policy": "keep", "classes": {"X": "Y"}}, ClassPolicy.KEEP, {"X": "Y"}),
    ],
)
def test_three_ways_of_writing_it(
    tmp_path: Path, text: object, policy: ClassPolicy, classes: dict[str, str]
) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(with_dataset(storage_class=text))
    found = load_spec(path).datasets[0].storage_class
    assert (found.policy, found.classes) == (policy, classes)


def test_a_class_that_could_not_be_verified_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(with_dataset(storage_class={"STANDARD": "DEEP_ARCHIVE"}))
    with pytest.raises(SpecError, match="must be restored"):
        load_spec(path)


def test_what_a_bucket_tells_of_itself() -> None:
    on = parse(b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
    assert [trait.rule for trait in s3._versioning(on)] == ["versioning"]
    assert s3._versioning(parse(b"<VersioningConfiguration/>")) == []
    assert [trait.rule for trait in gcs.read({
        "versioning": {"enabled": True}, "retentionPolicy": {"retentionPeriod": "1"},
        "encryption": {"defaultKmsKeyName": "k"},
        "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": False}},
    })] == ["versioning", "retention", "encryption", "acl"]  # fmt: skip
    assert gcs.read({}) == []
    assert [trait.rule for trait in azure.read({"x-ms-has-legal-hold": "true"})] == [
        "versioning-unknown", "retention"
    ]  # fmt: skip
