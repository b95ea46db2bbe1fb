"""The connections that the guide shows for a shell are read, and open the stores that they are shown for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from heavylift.connections import connection_from_env
from heavylift.evidence.location import evidence_location
from heavylift.locations import parse_location
from heavylift.platforms.wiring import open_store

_EXPORT = re.compile(r"^export (AIRFLOW_CONN_[A-Z_]+)='(\{.*\})'$", re.MULTILINE)


@pytest.fixture
def shown(repository: Path) -> dict[str, str]:
    """Return the variables that the guide shows."""
    return dict(_EXPORT.findall((repository / "docs/guides/platform-pairs.md").read_text()))


@pytest.mark.parametrize(
    ("conn_id", "url"), [("aws_prod", "s3://b/"), ("azure_prod", "az://c/"), ("our_store", "s3://b/")]
)
async def test_a_shown_connection_opens_its_store(shown: dict[str, str], conn_id: str, url: str) -> None:
    connection = connection_from_env(conn_id, shown)
    async with open_store(parse_location(url), connection):
        pass


def test_the_evidence_lies_where_its_connection_says(shown: dict[str, str]) -> None:
    found = evidence_location(None, connection_from_env("evidence", shown))
    assert str(found) == "s3://acme-migration-evidence/heavylift/"
    assert connection_from_env("gcp_prod", shown).text("key_path")
