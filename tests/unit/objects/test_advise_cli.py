"""``heavylift objects advise``, and the estimate that a dry run prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.objects.test_objects_cli import folders, heavylift

__all__ = ["folders"]


def test_advice_by_numbers_asks_no_store(capsys: pytest.CaptureFixture[str]) -> None:
    status, document, _ = heavylift(
        capsys,
        *("objects", "advise", "s3://bucket/", "gs://bucket/"),
        *("--objects", "10000000", "--size", "1000TB", "--link", "125MB/s", "--json"),
    )
    assert status == 0
    assert document["advice"]["recommended"] == "storage-transfer-service"
    status, text, _ = heavylift(
        capsys, "objects", "advise", "s3://b/", "gs://b/", "--objects", "9", "--size", "1MiB", "--tags"
    )
    assert (status, text.startswith("advice: heavylift: 1 worker ")) == (0, True)


def test_advice_lists_both_places_where_it_is_given_no_numbers(
    capsys: pytest.CaptureFixture[str], folders: tuple[str, str, str]
) -> None:
    source, target, evidence = folders
    status, text, _ = heavylift(capsys, "objects", "advise", source, target, "--evidence", evidence)
    assert status == 0
    assert "appliance: ruled out" in text


def test_a_size_that_cannot_be_read_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = heavylift(
        capsys, "objects", "advise", "s3://b/", "gs://b/", "--objects", "9", "--size", "much"
    )
    assert status == 2
    assert "HL-5545" in err


def test_a_dry_run_prints_the_estimate_and_a_limit_refuses_the_start(
    capsys: pytest.CaptureFixture[str], folders: tuple[str, str, str], tmp_path: Path
) -> None:
    source, target, evidence = folders
    status, text, _ = heavylift(
        capsys, "objects", "copy", source, target, "--evidence", evidence, "--dry-run", "--max-cost-usd", "1"
    )
    assert status == 0
    for part in ("estimate: 5 objects, 10 B (10 bytes)", "egress from kubernetes", "advice: heavylift"):
        assert part in text
    prices = tmp_path / "prices.csv"
    prices.write_text("not,prices\n1,2\n")
    status, _, err = heavylift(
        capsys, "objects", "copy", source, target, "--evidence", evidence, "--prices", str(prices)
    )
    assert status == 2
    assert "HL-5510" in err
