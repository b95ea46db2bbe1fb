"""Further targets of a dataset, and datasets that are written to on both sides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift.spec import load_spec, resolve_datasets
from heavylift.spec.replicas import with_replicas
from heavylift.spec.vocabulary import Conflicts, Deletes
from tests.unit.spec.samples import minimal, problems_of

AZURE = {"url": "az://lake/x/", "connection": "azure_target", "platform": "azure"}


def spec_of(**dataset: Any) -> str:
    data = minimal()
    data["datasets"] = [{"name": "data", "source": "s3://bbb/x/", "target": "gs://bbb/x/", **dataset}]
    return yaml.safe_dump(data, sort_keys=False)


def codes(tmp_path: Path, text: str) -> list[tuple[str, str]]:
    return [(problem.code, problem.field) for problem in problems_of(tmp_path, text)]


def test_a_replica_is_a_dataset_of_its_own_that_inherits(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    replicas = [{"name": "lake", "target": AZURE, "deletes": "quarantine", "limits": {"max_tasks": 2}}]
    limits = {"max_tasks": 8, "part_size": "32MiB"}
    file.write_text(spec_of(include=["*.csv"], limits=limits, replicas=replicas))
    spec = load_spec(file)
    one, other = resolve_datasets(spec)
    assert (one.name, other.name) == ("data", "data_lake")
    assert other.source == one.source
    assert (other.target.url, other.target.connection) == ("az://lake/x/", "azure_target")
    assert (one.deletes, other.deletes) == (Deletes.KEEP, Deletes.QUARANTINE)
    assert other.include == ("*.csv",)
    assert (other.limits.max_tasks, other.limits.part_size) == (2, 32 * 2**20)
    assert spec.datasets[1].replicas == ()
    assert with_replicas(spec) == spec


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("az://lake/x/", [("2153", "datasets[0].replicas[0].target.url")]),
        ("gs://bbb/x/", [("2158", "datasets[0].replicas[0].target.url")]),
        ({"url": "s3://bbb/x/", "platform": "aws", "connection": "aws_source"}, [
            ("2151", "datasets[0].replicas[0].target.url")
        ]),
        ({"url": "az://lake/x/", "platform": "azure"}, [("2162", "datasets[0].replicas[0].target")]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_replica_is_told_where_it_is_written(
    tmp_path: Path, target: Any, found: list[tuple[str, str]]
) -> None:
    assert codes(tmp_path, spec_of(replicas=[{"name": "lake", "target": target}])) == found


def test_two_replicas_of_one_name_are_refused(tmp_path: Path) -> None:
    replicas = [
        {"name": "lake", "target": "gs://bbb/one/"},
        {"name": "lake", "target": "gs://bbb/two/"},
    ]
    assert codes(tmp_path, spec_of(replicas=replicas)) == [("2150", "datasets[0].replicas[1].name")]


def test_no_dataset_can_be_called_as_a_replica_is(tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, spec_of().replace("name: data", "name: data_lake"))
    assert problem.field == "datasets[0].name"


def test_two_way_says_what_it_needs(tmp_path: Path) -> None:
    assert codes(tmp_path, spec_of(two_way={}, deletes="quarantine")) == []
    assert codes(tmp_path, spec_of(two_way={})) == [("9710", "datasets[0].deletes")]
    filtered = spec_of(two_way={}, deletes="quarantine", max_size="1MiB")
    assert codes(tmp_path, filtered) == [("9711", "datasets[0].two_way")]
    service = spec_of(two_way={}, deletes="quarantine", via="storage-transfer-service")
    assert codes(tmp_path, service) == [("9712", "datasets[0].two_way")]
    [problem] = problems_of(tmp_path, spec_of(two_way={"conflicts": "newest"}, deletes="quarantine"))
    assert problem.field == "datasets[0].two_way.conflicts"


def test_a_replica_of_a_two_way_dataset_is_one_way(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    replicas = [{"name": "lake", "target": AZURE}]
    file.write_text(spec_of(two_way={"conflicts": "keep-both"}, deletes="quarantine", replicas=replicas))
    one, other = resolve_datasets(load_spec(file))
    assert one.two_way is not None
    assert one.two_way.conflicts is Conflicts.KEEP_BOTH
    assert other.two_way is None


def test_a_source_that_is_kept_in_step_is_not_given_up(tmp_path: Path) -> None:
    data = yaml.safe_load(spec_of(two_way={}, deletes="quarantine"))
    data["cutover"] = {"runbook_owner": "a", "traffic": {"adapter": "envoy", "connection": "t"}}
    data["decommission"] = {"owner": "a"}
    found = codes(tmp_path, yaml.safe_dump(data))
    assert ("9713", "datasets[0].two_way") in found


def test_what_is_stated_of_a_dataset_is_stated_of_its_replicas(tmp_path: Path) -> None:
    data = yaml.safe_load(spec_of(replicas=[{"name": "lake", "target": AZURE}]))
    stated = {"subject": "data", "classes": ["personal"], "reason": "customers"}
    data["compliance"] = {"frameworks": ["gdpr"], "classify": [stated]}
    file = tmp_path / "spec.yaml"
    file.write_text(yaml.safe_dump(data))
    rules = load_spec(file).compliance
    assert rules is not None
    assert [(each.subject, each.reason) for each in rules.classify] == [
        ("data", "customers"),
        ("data_lake", "customers"),
    ]
