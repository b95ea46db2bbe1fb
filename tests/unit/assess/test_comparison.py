"""Services and accelerators between all pairs of platforms."""

from __future__ import annotations

from functools import partial
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heavylift.errors import SpecError
from heavylift.facts.accelerators import Need, load_accelerators, need_of
from heavylift.facts.services import PLATFORMS, load_services
from heavylift.facts.tables import KEYS, check_folder, overridden, table

SERVICES = load_services()
ACCELERATORS = load_accelerators()


def test_every_capability_is_judged_between_all_ordered_pairs_of_platforms() -> None:
    pairs = list(SERVICES.pairs())
    assert len(pairs) == len(SERVICES.rows) * len(list(permutations(PLATFORMS, 2)))
    for each in pairs:
        assert 1 <= each.effort <= 5
        assert each.basis
        assert (each.level == "equivalent") == (not each.lost)
        assert each.target_service or each.level == "none"


@pytest.mark.parametrize(
    ("name", "capability"),
    [
        ("S3", "object storage"),
        ("aws_s3_bucket", "object storage"),
        ("Vertex AI Pipelines", "ML pipeline"),
        ("SageMaker Endpoint", "real-time endpoint"),
        ("google_pubsub_topic", "stream"),
        ("object storage", "object storage"),
        ("DynamoDB", "key-value"),
    ],
)
def test_a_service_is_found_by_whatever_people_call_it(name: str, capability: str) -> None:
    assert SERVICES.capability_of(name) == capability


def test_what_nobody_knows_is_not_guessed() -> None:
    assert SERVICES.capability_of("Frobnicator") is None


@pytest.mark.parametrize(
    ("capability", "source", "target", "level"),
    [
        ("object storage", "aws", "gcp", "equivalent"),
        ("data labelling", "aws", "gcp", "none"),
        ("data labelling", "aws", "azure", "partial"),
        ("managed Airflow", "aws", "azure", "none"),
        ("ETL", "aws", "gcp", "partial"),
        ("foundation models custom", "gcp", "aws", "none"),
        ("key-value", "aws", "gcp", "partial"),
    ],
)
def test_levels(capability: str, source: str, target: str, level: str) -> None:
    assert SERVICES.match(capability, source, target).level == level


@pytest.mark.parametrize("target", ["aws", "gcp", "azure"])
def test_no_instance_type_is_mapped_below_what_it_has(target: str) -> None:
    for each in ACCELERATORS.types:
        need = need_of(each)
        match = ACCELERATORS.match(need, target)
        assert match.reason
        if match.instance is None:
            assert match.level == "none"
            assert match.missing
            continue
        got = match.instance
        assert got.provider == target
        assert got.vendor == each.vendor
        assert got.count >= need.count
        assert got.arm == each.arm
        if need.memory_gib_each is not None:
            same = got.base_model == need.model
            assert (got.memory_gib_each or 0) >= need.memory_gib_each * (0.9 if same else 1.0)
        if need.network_gbps:
            assert got.rdma
            assert (got.network_gbps or 0) >= need.network_gbps


@settings(max_examples=100, deadline=None)
@given(
    st.floats(1, 400), st.integers(1, 16), st.sampled_from([0.0, 100.0, 400.0, 3200.0]),
    st.sampled_from(["aws", "gcp", "azure"]),
)  # fmt: skip
def test_a_stated_need_is_never_cut(memory: float, count: int, network: float, target: str) -> None:
    need = Need(count=count, memory_gib_each=memory, stated=True, network_gbps=network, rdma=network > 0)
    match = ACCELERATORS.match(need, target)
    if match.instance is not None:
        assert (match.instance.memory_gib_each or 0) >= memory
        assert match.instance.count >= count
        assert (match.instance.network_gbps or 0) >= network
    else:
        assert "the nearest" in match.reason


def test_neuron_has_no_place_elsewhere_and_the_reason_is_shown() -> None:
    inf2 = ACCELERATORS.find("aws", "ml.inf2.xlarge")
    assert inf2 is not None
    match = ACCELERATORS.match(need_of(inf2), "gcp")
    assert (match.level, match.missing) == ("none", "vendor")


def test_infiniband_counts_as_the_interconnect() -> None:
    p5 = ACCELERATORS.find("aws", "p5.48xlarge")
    assert p5 is not None
    match = ACCELERATORS.match(need_of(p5), "azure")
    assert match.instance is not None
    assert match.instance.name == "Standard_ND96isr_H100_v5"


def test_the_nearest_types_are_named_with_what_they_lack() -> None:
    match = ACCELERATORS.match(Need(memory_gib_each=500, stated=True), "aws")
    assert match.missing == "memory"
    assert all("GiB" in why or "processor" in why for _, why in match.rejected)
    assert len(match.rejected) == 3


def test_rows_of_ones_own_take_the_place_of_built_in_ones(tmp_path: Path) -> None:
    rows = table("gpu_instances.csv")
    mine = dict(rows[0]) | {
        "provider": "kubernetes",
        "instance_type": "rack-1",
        "accel_vendor": "nvidia",
        "accel_model": "H100",
        "accel_count": "8",
        "accel_mem_gib_each": "80",
    }
    path = tmp_path / "gpu_instances.csv"
    values = ",".join(f'"{value}"' for value in mine.values())
    path.write_text(f"{','.join(mine)}\n{values}\n")
    assert len(overridden("gpu_instances.csv", tmp_path)) == len(rows) + 1
    match = load_accelerators(tmp_path).match(Need(memory_gib_each=80, model="H100"), "kubernetes")
    assert match.instance is not None
    assert match.instance.name == "rack-1"


@pytest.mark.parametrize(
    ("name", "text"), [("nothing.csv", "a\n1\n"), ("service_map.csv", "capability\nx\n")]
)
def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    load = check_folder if name == "nothing.csv" else partial(overridden, name)
    with pytest.raises(SpecError, match="HL-5512"):
        load(tmp_path)


def test_every_table_tells_where_it_is_from() -> None:
    for name in KEYS:
        columns = set(table(name)[0])
        assert columns & {"source", "basis", "gap_note"}, name
