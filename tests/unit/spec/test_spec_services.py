"""Which service may move which dataset, as the spec's own check tells it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heavylift.spec import find_dataset
from heavylift.spec.vocabulary import Via
from tests.unit.spec.samples import changed, load, problems_of, with_dataset

ROLE = "arn:aws:iam::123456789012:role/mover"
AWS = {"platform": "aws", "connection": "a"}
GCP = {"platform": "gcp", "connection": "g"}
AZURE = {"platform": "azure", "connection": "z"}
KUBERNETES = {"platform": "kubernetes", "connection": "k"}
URLS = {"aws": "s3://bucket/data/", "gcp": "gs://bucket/data/", "azure": "az://container/data/"}


def spec(source: dict[str, str], target: dict[str, str], **fields: Any) -> str:
    dataset = {
        "name": "data",
        "source": URLS.get(source["platform"], "file:///data/"),
        "target": URLS[target["platform"]].replace("data", "moved"),
        **fields,
    }
    return changed(source=source, target=target, datasets=[dataset])


def codes(tmp_path: Path, text: str) -> list[str]:
    return [problem.code for problem in problems_of(tmp_path, text)]


def test_without_a_word_heavylifts_own_workers_move_a_dataset(tmp_path: Path) -> None:
    found = find_dataset(load(tmp_path, with_dataset()), "training-data")
    assert (found.via, found.max_cost_usd) == (Via.HEAVYLIFT, None)


@pytest.mark.parametrize(
    ("source", "target", "via", "service"),
    [
        (AWS, GCP, "storage-transfer-service", {}),
        (AZURE, GCP, "storage-transfer-service", {}),
        (GCP, GCP, "storage-transfer-service", {}),
        (AWS, AWS, "datasync", {"source_role": ROLE, "target_role": ROLE}),
        (GCP, AWS, "datasync", {"target_role": ROLE}),
        (AWS, AZURE, "datasync", {"source_role": ROLE}),
        (AWS, AZURE, "azcopy", {}),
    ],
)
def test_pairs_that_a_service_moves(
    tmp_path: Path, source: dict[str, str], target: dict[str, str], via: str, service: dict[str, str]
) -> None:
    text = spec(source, target, via=via, service=service)
    assert codes(tmp_path, text) == []
    assert find_dataset(load(tmp_path, text), "data").via.value == via


@pytest.mark.parametrize(
    ("source", "target", "via"),
    [
        (AWS, AZURE, "storage-transfer-service"),
        (KUBERNETES, GCP, "storage-transfer-service"),
        (GCP, AZURE, "datasync"),
        (KUBERNETES, AWS, "datasync"),
        (GCP, AZURE, "azcopy"),
        (AWS, GCP, "azcopy"),
    ],
)
def test_pairs_that_a_service_does_not_move_are_refused(
    tmp_path: Path, source: dict[str, str], target: dict[str, str], via: str
) -> None:
    assert "2171" in codes(tmp_path, spec(source, target, via=via))


def test_datasync_needs_a_role_for_each_bucket_of_s3(tmp_path: Path) -> None:
    assert codes(tmp_path, spec(AWS, AWS, via="datasync")) == ["2172", "2172"]
    assert codes(tmp_path, spec(AWS, AWS, via="datasync", service={"source_role": ROLE})) == ["2172"]


def test_settings_of_a_service_without_one_are_a_mistake(tmp_path: Path) -> None:
    assert codes(tmp_path, with_dataset(service={"poll": "5s"})) == ["2170"]


def test_a_bandwidth_limit_that_a_service_cannot_be_told_is_refused(tmp_path: Path) -> None:
    limits = {"max_bandwidth": "10MiB/s"}
    assert codes(tmp_path, spec(AWS, GCP, via="storage-transfer-service", limits=limits)) == ["2173"]
    assert codes(tmp_path, spec(AWS, AZURE, via="azcopy", limits=limits)) == []


def test_an_unknown_service_is_refused_with_the_words_that_are_known(tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, spec(AWS, GCP, via="transfer-service"))
    assert "storage-transfer-service" in problem.expected


def test_prices_and_the_limit_of_cost_are_taken(tmp_path: Path) -> None:
    text = changed(
        defaults={"prices": "prices.csv"},
        datasets=[{"name": "d", "source": URLS["aws"], "target": URLS["gcp"], "max_cost_usd": 12.5}],
    )
    loaded = load(tmp_path, text)
    assert loaded.defaults.prices == "prices.csv"
    assert find_dataset(loaded, "d").max_cost_usd == 12.5
    assert codes(tmp_path, with_dataset(max_cost_usd=-1))
