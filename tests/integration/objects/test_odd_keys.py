"""Two hundred odd keys: each arrives under its own name, or is named before anything moves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from heavylift.errors import ConflictError
from heavylift.objects.api import plan_transfer
from heavylift.spec.vocabulary import OnUnholdableKey
from tests.integration.objects import vendors
from tests.integration.objects.places import Servers, move, transfer
from tests.support.longer import first_then_long
from tests.support.odd_keys import ODD_KEYS

KEYS = [key for keys in ODD_KEYS.values() for key in keys]
NAMING = ("key-not-holdable", "key-clashes-with-folder")

OWN = {
    "file": ("y/.heavylift-0123456789abcdef0123456789abcdef.tmp",),
    "gcp_target": (".heavylift-parts/0123456789abcdef0123456789abcdef/",),
}
"""What a source of ours keeps its unfinished writes under: no objects of the user's."""

# Moto keeps keys exactly, and so does Cloud Storage's server; what the others bend has to be named.
PAIRS = (
    ("aws_control", "gcp_target", 3),
    ("gcp_target", "aws_control", 2),
    ("aws_control", "aws_control", 0),
    ("aws_control", "aws_target", 20),
    ("aws_control", "file", 20),
    ("file", "gcp_target", 0),
)


def body(key: str) -> bytes:
    """Return a content that tells keys apart; of some keys none."""
    return b"" if len(key) % 7 == 5 else f"<{key}>".encode()


def fill(servers: Servers, server: str, container: str) -> set[str]:
    """Write all keys that the server takes and return what it lists."""
    for key in KEYS:
        try:
            vendors.write(servers, server, container, key, body(key))
        except Exception:
            continue
    return vendors.keys(servers, server, container)


@pytest.mark.parametrize(("source", "target", "named_at_least"), first_then_long(PAIRS))
async def test_every_odd_key_arrives_or_is_named_before_anything_moves(
    servers: Servers,
    new_container: Callable[[], str],
    tmp_path: Path,
    source: str,
    target: str,
    named_at_least: int,
) -> None:
    origin, goal = servers.place(source, new_container()), servers.place(target, new_container())
    there, arrived = [Path(place.location.container).name for place in (origin, goal)]
    found = fill(servers, source, there)
    assert len(found) > 150
    strict = transfer(origin, goal, tmp_path / "evidence", run="strict")
    if named_at_least:
        with pytest.raises(ConflictError):
            await plan_transfer(strict)
        assert vendors.keys(servers, target, arrived) == set()

    skipping = transfer(
        origin, goal, tmp_path / "evidence", run="skip", on_unholdable_key=OnUnholdableKey.SKIP
    )
    plan, _, verification = await move(skipping)
    root = origin.location.url_of("")
    named = {f.subject[len(root) :] for f in plan.findings if f.rule in NAMING}
    assert verification.passed, verification.differences
    assert len(named) >= named_at_least
    got = vendors.keys(servers, target, arrived)
    own = {key for key in found if key.startswith(OWN.get(source, ())) and not key.endswith("x")}
    assert got == found - named - own
    wrong = [key for key in got if vendors.read(servers, target, arrived, key) != body(key)]
    assert wrong == []
    again = transfer(origin, goal, tmp_path / "evidence", run="two", on_unholdable_key=OnUnholdableKey.SKIP)
    assert (await plan_transfer(again)).to_copy.objects == 0
