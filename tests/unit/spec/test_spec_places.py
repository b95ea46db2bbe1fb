"""Where datasets may come from and go to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift.locations import Location
from heavylift.spec import place_rules
from tests.unit.spec.samples import minimal, problems_of

BOTH_AWS = {"platform": "aws", "connection": "aws_source"}


def spec_of(*places: tuple[str, str], target: dict[str, str] | None = None, **fields: Any) -> str:
    """Return a spec with a dataset for each pair of source and target."""
    data = minimal()
    data["target"] = target or data["target"]
    data["datasets"] = [
        {"name": f"set-{index}", "source": source, "target": to, **fields}
        for index, (source, to) in enumerate(places)
    ]
    return yaml.safe_dump(data, sort_keys=False)


def codes(directory: Path, text: str) -> list[tuple[str, str]]:
    return [(problem.code, problem.field) for problem in problems_of(directory, text)]


@pytest.mark.parametrize(
    ("platform", "url", "right"),
    [
        ("aws", "s3://bucket/x", True),
        ("aws", "gs://bucket/x", False),
        ("aws", "file:///mnt/x", True),
        ("gcp", "gs://bucket/x", True),
        ("gcp", "s3://bucket/x", False),
        ("azure", "az://container/x", True),
        ("azure", "az://$web/x", True),
        ("azure", "gs://bucket/x", False),
        ("kubernetes", "file:///mnt/x", True),
        ("kubernetes", "s3://minio/x", True),
        ("kubernetes", "az://container/x", False),
    ],
)
def test_a_url_must_fit_its_platform(tmp_path: Path, platform: str, url: str, right: bool) -> None:
    text = spec_of(("s3://elsewhere/y", url), target={"platform": platform, "connection": "target"})
    assert codes(tmp_path, text) == ([] if right else [("2153", "datasets[0].target.url")])


@pytest.mark.parametrize(
    ("source", "target", "found"),
    [
        ("s3://bbb/x/", "s3://bbb/x/", "2151"),
        ("s3://bbb/x", "s3://bbb/x/", "2151"),
        ("s3://bbb", "s3://bbb/", "2151"),
        ("s3://bbb/", "s3://bbb/copy/", "2152"),
        ("s3://bbb/copy/", "s3://bbb/", "2152"),
        ("s3://bbb/x/", "s3://bbb/x-2/", ""),
        ("s3://bbb/x/", "s3://ccc/x/", ""),
        ("file:///data", "file:///data/copy", "2152"),
        ("file:///", "file:///data", "2152"),
        ("file:///data", "file:///data-2", ""),
    ],
)
def test_nothing_is_copied_into_itself(tmp_path: Path, source: str, target: str, found: str) -> None:
    text = spec_of((source, target), target=BOTH_AWS)
    assert [code for code, _ in codes(tmp_path, text)] == ([found] if found else [])


def test_a_local_folder_is_the_same_whatever_connection_names_it(tmp_path: Path) -> None:
    text = spec_of(("file:///data", "file:///data"))
    assert codes(tmp_path, text) == [("2151", "datasets[0].target.url")]


@pytest.mark.parametrize(
    ("first", "second", "fields", "overlap"),
    [
        ("gs://ttt/a/", "gs://ttt/a/", {}, True),
        ("gs://ttt/", "gs://ttt/a/", {}, True),
        ("gs://ttt/a/", "gs://ttt/", {}, True),
        ("gs://ttt/a/", "gs://ttt/ab/", {}, False),
        ("gs://ttt/a/", "gs://uuu/a/", {}, False),
        ("gs://ttt/a/", "gs://ttt/a/", {"include": ["*.csv"]}, False),
        ("gs://ttt/", "gs://ttt/a/", {"exclude": ["a/**"]}, False),
    ],
)
def test_two_datasets_do_not_mix_on_the_target(
    tmp_path: Path, first: str, second: str, fields: dict[str, Any], overlap: bool
) -> None:
    text = spec_of(("s3://sss/1/", first), ("s3://sss/2/", second), **fields)
    assert codes(tmp_path, text) == ([("2158", "datasets[1].target.url")] if overlap else [])


def test_every_overlapping_pair_is_found_behind_neighbours_that_do_not(tmp_path: Path) -> None:
    targets = ["gs://ttt/a/", "gs://ttt/a-b/", "gs://ttt/a/x/", "gs://ttt/a/y/z/", "gs://ttt/b/"]
    text = spec_of(*((f"s3://sss/{n}/", target) for n, target in enumerate(targets)))
    assert codes(tmp_path, text) == [("2158", "datasets[2].target.url"), ("2158", "datasets[3].target.url")]


def test_a_platform_of_ones_own_needs_a_connection_of_ones_own(tmp_path: Path) -> None:
    place = {"url": "az://container/x", "platform": "azure"}
    data = minimal()
    data["datasets"][0]["source"] = place
    assert codes(tmp_path, yaml.safe_dump(data)) == [("2162", "datasets[0].source")]
    data["datasets"][0]["source"] = {**place, "connection": "azure_shared"}
    assert codes(tmp_path, yaml.safe_dump(data)) == []


def test_five_hundred_datasets_are_not_compared_all_with_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []

    def counting(inner: Location, outer: Location) -> bool:
        compared.append(inner)
        return within(inner, outer)

    within = place_rules._within
    monkeypatch.setattr(place_rules, "_within", counting)
    text = spec_of(*((f"s3://sss/{n}/", f"gs://ttt/{n}/") for n in range(500)))
    assert codes(tmp_path, text) == []
    assert 0 < len(compared) < 2500
