"""Secrets between all stores, in every direction."""

from __future__ import annotations

import itertools

import pytest

from tests.integration.secrets.stores import Side, copied, only, verified
from tests.support.longer import first_then_long

STORES = ("secrets_manager", "parameter_store", "secret_manager", "key_vault", "kubernetes")
RING = {pair for pair in zip(STORES, (*STORES[2:], *STORES[:2]), strict=True)}
"""Each store once as source and once as target, by default."""
DIRECTIONS = [
    pytest.param(*pair, marks=() if pair in RING else pytest.mark.long)
    for pair in itertools.permutations(STORES, 2)
]
VALUE = 'pässword "quoted" \\ and more\n'.encode()


@pytest.mark.parametrize(("source", "target"), DIRECTIONS)
def test_a_secret_arrives_and_is_left_alone_the_second_time(
    sides: dict[str, Side], source: str, target: str
) -> None:
    here, there = sides[source], sides[target]
    here.put(here.name, VALUE)
    wanted = {"stores": here.wanted.get("stores", ["secrets_manager"])}
    wanted |= {"target_store": there.wanted.get("target_store", "secrets_manager")}
    both = here.connection, there.connection
    assert only(verified(*both, **wanted)).outcome == "missing"
    planned = only(copied(*both, dry_run=True, **wanted))
    assert (planned.outcome, only(verified(*both, **wanted)).outcome) == ("to_create", "missing")
    row = only(copied(*both, **wanted))
    assert (row.outcome, row.equal, row.form) == ("created", True, "text")
    assert there.get(row.target) == VALUE
    again = only(copied(*both, **wanted))
    assert (again.outcome, again.target_version) == ("equal", row.target_version)
    assert only(verified(*both, **wanted)).outcome == "equal"


@pytest.mark.parametrize("target", first_then_long(STORES[2:] + STORES[:2]))
def test_what_heavylift_wrote_follows_the_source_and_what_others_wrote_stays(
    sides: dict[str, Side], target: str
) -> None:
    source = "secrets_manager" if target != "secrets_manager" else "secret_manager"
    here, there = sides[source], sides[target]
    here.put(here.name, b"first")
    wanted = {
        "stores": ["secrets_manager"],
        "target_store": there.wanted.get("target_store", "secrets_manager"),
    }
    both = here.connection, there.connection
    name = only(copied(*both, **wanted)).target
    here.put(here.name, b"second")
    assert only(verified(*both, **wanted)).outcome == "different"
    assert only(copied(*both, dry_run=True, **wanted)).outcome == "to_update"
    assert (only(copied(*both, **wanted)).outcome, there.get(name)) == ("updated", b"second")

    there.put(name, b"rotated on the target")
    failed = copied(*both, **wanted)
    assert (only(failed).outcome, failed.passed) == ("different", False)
    assert "Heavylift did not write" in only(failed).reason
    left = copied(*both, conflict="skip", **wanted)
    assert (only(left).outcome, left.passed, only(left).equal) == ("skipped", True, False)
    assert there.get(name) == b"rotated on the target"
    assert only(copied(*both, conflict="new_version", **wanted)).outcome == "updated"
    assert there.get(name) == b"second"
