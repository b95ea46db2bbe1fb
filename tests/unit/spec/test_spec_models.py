"""What a right spec means once it is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from heavylift.errors import NotFoundError
from heavylift.locations import Location
from heavylift.spec import (
    DEFAULT_TRANSFER_GATE,
    Check,
    Deletes,
    OnConflict,
    OnUnholdableKey,
    Phase,
    Platform,
    VerifyMethod,
    VerifyMode,
    find_dataset,
    load_spec,
    resolve_datasets,
)
from heavylift.spec.assess_rules import ASSESS_CHECKS
from heavylift.spec.infra_rules import INFRA_CHECKS
from heavylift.spec.provision_parts import PART_CHECKS
from heavylift.spec.vocabulary import TableFormat
from tests.unit.spec.samples import HEAD, MINIMAL, changed, load, with_dataset

MIB, GIB = 2**20, 2**30


def test_the_smallest_spec_has_safe_defaults(tmp_path: Path) -> None:
    spec = load(tmp_path, MINIMAL)
    [dataset] = resolve_datasets(spec)
    assert spec.dag_id(Phase.TRANSFER) == "fraud-scoring.transfer"
    assert spec.evidence.connection == "evidence"
    assert spec.evidence.url is None
    assert spec.schedule.sync is None
    assert dataset.on_conflict is OnConflict.FAIL
    assert dataset.on_unholdable_key is OnUnholdableKey.FAIL
    assert dataset.deletes is Deletes.KEEP
    assert dataset.metadata.content_headers
    assert dataset.metadata.user_metadata
    assert dataset.metadata.tags
    assert dataset.verify.mode is VerifyMode.FULL
    assert dataset.verify.method is VerifyMethod.PROVIDER
    assert dataset.verify.sample is None
    assert dataset.limits.max_bandwidth is None
    assert dataset.limits.max_concurrency == 64
    assert dataset.limits.shard_objects == 10_000
    assert dataset.limits.shard_size == 10 * GIB
    assert dataset.limits.part_size == 16 * MIB
    assert dataset.limits.memory_budget == 128 * MIB


def test_a_dataset_inherits_the_connections_of_its_sides(tmp_path: Path) -> None:
    [dataset] = resolve_datasets(load(tmp_path, MINIMAL))
    assert dataset.migration == "fraud-scoring"
    assert dataset.source.connection == "aws_source"
    assert dataset.source.platform is Platform.AWS
    assert dataset.source.location == Location("s3", "fraud", "training/")
    assert dataset.target.connection == "gcp_target"
    assert dataset.target.platform is Platform.GCP
    assert dataset.target.location == Location("gs", "fraud", "training/")


def test_a_dataset_may_have_a_place_of_its_own(tmp_path: Path) -> None:
    place = {"url": "az://shared/x", "connection": "azure_shared", "platform": "azure"}
    [dataset] = resolve_datasets(load(tmp_path, with_dataset(source=place)))
    assert dataset.source.connection == "azure_shared"
    assert dataset.source.platform is Platform.AZURE
    assert dataset.target.connection == "gcp_target"


def test_limits_come_from_the_dataset_then_from_the_defaults_then_from_us(tmp_path: Path) -> None:
    text = (
        MINIMAL.replace(
            "datasets:", "defaults:\n  limits: {part_size: 8MiB, max_bandwidth: 100MiB/s}\ndatasets:"
        )
        + "    limits: {part_size: 32MiB}\n"
    )
    [dataset] = resolve_datasets(load(tmp_path, text))
    assert dataset.limits.part_size == 32 * MIB
    assert dataset.limits.max_bandwidth == 100 * MIB
    assert dataset.limits.shard_objects == 10_000


def test_a_dataset_is_found_by_name(tmp_path: Path) -> None:
    spec = load(tmp_path, MINIMAL)
    assert find_dataset(spec, "training-data") == resolve_datasets(spec)[0]
    with pytest.raises(NotFoundError) as caught:
        find_dataset(spec, "train")
    assert caught.value.code == "2190"
    assert "training-data" in caught.value.expected


@pytest.mark.parametrize("written", ["sample", {"mode": "sample"}])
def test_a_sample_without_details_has_defaults(tmp_path: Path, written: object) -> None:
    spec = load(tmp_path, with_dataset(verify=written))
    sample = spec.datasets[0].verify.sample
    assert sample is not None
    assert (sample.objects, sample.confidence, sample.seed) == (1000, 0.99, 0)


def test_verification_can_be_spelt_out(tmp_path: Path) -> None:
    text = with_dataset(
        verify={"mode": "sample", "method": "read_back", "sample": {"objects": 50, "confidence": 0.95}}
    )
    verify = load(tmp_path, text).datasets[0].verify
    assert verify.method is VerifyMethod.READ_BACK
    assert verify.sample is not None
    assert verify.sample.objects == 50


def test_a_spec_without_gates_gets_one_for_transfer_that_asks_a_person(tmp_path: Path) -> None:
    spec = load(tmp_path, MINIMAL)
    assert spec.gates_for(Phase.TRANSFER) == (DEFAULT_TRANSFER_GATE,)
    assert DEFAULT_TRANSFER_GATE.approval.required
    assert Check.CHECKSUMS_EQUAL in DEFAULT_TRANSFER_GATE.checks
    assert spec.gates_for(Phase.SYNC) == ()


def test_a_gate_of_ones_own_takes_the_place_of_the_default(tmp_path: Path) -> None:
    gates = [
        {"name": "moved", "phase": "transfer", "checks": ["counts_equal"], "max_age": "6h"},
        {"name": "synced", "phase": "sync", "checks": ["counts_equal"], "approval": {"timeout": "30m"}},
    ]
    spec = load(tmp_path, changed(gates=gates))
    [moved] = spec.gates_for(Phase.TRANSFER)
    [synced] = spec.gates_for(Phase.SYNC)
    assert not moved.approval.required
    assert moved.max_age == 6 * 3600
    assert synced.approval.required, "who writes an approval section wants an approval"
    assert synced.approval.timeout == 1800


def test_a_gate_only_for_sync_leaves_the_default_of_transfer(tmp_path: Path) -> None:
    gates = [{"name": "synced", "phase": "sync", "checks": ["counts_equal"]}]
    spec = load(tmp_path, changed(gates=gates))
    assert spec.gates_for(Phase.TRANSFER) == (DEFAULT_TRANSFER_GATE,)


def test_specs_cannot_be_changed(tmp_path: Path) -> None:
    spec = load(tmp_path, MINIMAL)
    with pytest.raises(ValidationError, match="frozen"):
        spec.owner = "someone else"  # type: ignore[misc]


def test_two_s3_servers_may_have_buckets_of_one_name(tmp_path: Path) -> None:
    text = MINIMAL.replace(
        "{platform: gcp, connection: gcp_target}", "{platform: aws, connection: aws_target}"
    )
    spec = load(tmp_path, text.replace("gs://", "s3://"))
    assert spec.datasets[0].source.url == spec.datasets[0].target.url


def test_anchors_merges_and_own_keys_are_fine(tmp_path: Path) -> None:
    text = (
        HEAD
        + """\
x-common: &common
  on_conflict: skip
  exclude: ["tmp/**"]
datasets:
  - <<: *common
    name: one
    source: s3://fraud/one/
    target: gs://fraud/one/
  - <<: [*common]
    name: two
    on_conflict: overwrite
    source: s3://fraud/two/
    target: gs://fraud/two/
"""
    )
    one, two = load(tmp_path, text).datasets
    assert one.on_conflict is OnConflict.SKIP
    assert two.on_conflict is OnConflict.OVERWRITE
    assert one.exclude == two.exclude == ("tmp/**",)


def test_a_section_of_which_all_is_commented_out_counts_as_absent(tmp_path: Path) -> None:
    spec = load(tmp_path, MINIMAL + "databases:\n#  - name: later\ngates:\n")
    assert spec.databases == ()
    assert spec.gates == ()


@pytest.mark.parametrize("line", ["streams: []", "streams:", "endpoints: []", "access:"])
def test_an_empty_section_of_a_later_version_is_no_problem(tmp_path: Path, line: str) -> None:
    assert load(tmp_path, f"{MINIMAL}{line}\n").streams == ()


def test_words_that_yaml_once_took_for_truth_stay_words(tmp_path: Path) -> None:
    spec = load(tmp_path, MINIMAL.replace("payments-ml", "no").replace("fraud-scoring", "on"))
    assert spec.owner == "no"
    assert spec.migration == "on"


def test_the_example_is_right_and_says_what_the_sandbox_has(repository: Path) -> None:
    spec = load_spec(repository / "include" / "migrations" / "fraud-scoring.yaml")
    assert spec.migration == "fraud-scoring"
    assert (spec.source.connection, spec.target.connection) == ("aws_source", "gcp_target")
    assert spec.evidence.connection == "evidence"
    assert [dataset.name for dataset in spec.datasets] == ["training-data", "models", "documents"]
    assert {table.format for table in spec.datasets[0].expectations} == set(TableFormat)
    [gate] = spec.gates_for(Phase.TRANSFER)
    assert gate.name == "transfer-verified"
    assert gate.approval.required
    assert gate.approval.assigned_users == ()
    of_others = {
        Check.TABLES_EQUAL,
        Check.REPLICATION_CAUGHT_UP,
        Check.REGISTRIES_EQUAL,
        Check.FEATURES_EQUAL,
        Check.MODELS_AGREE,
        Check.MODELS_COMPATIBLE,
        Check.PLAN_APPROVED,
        Check.COMPLIANCE_CLEAN,
        Check.CUTOVER_READY,
        Check.CHANGES_PROPOSED,
        Check.SOURCE_UNUSED,
        Check.GRACE_OVER,
        Check.WORKLOAD_TESTS_PASSED,
        Check.ENVELOPES_VERIFIED,
        *INFRA_CHECKS,
        *PART_CHECKS,
        *ASSESS_CHECKS,
    }
    assert set(gate.checks) == set(Check) - of_others
