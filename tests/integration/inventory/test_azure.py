"""An Azure subscription of known content, over HTTP: nothing overlooked, nothing invented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heavylift.errors import PermanentError
from tests.integration.inventory.systems import take, take_graph
from tests.support.rest_server import Api, serving
from tests.support.seeded_subscription import ROOT, SECRET, SUB, api, seed


def connection(made: Api) -> dict[str, Any]:
    extra = {"subscriptionId": SUB.upper(), "endpoint_url": made.url, "anonymous": True}
    return {"conn_type": "azure", "extra": extra}


def test_components_and_edges_are_those_of_the_truth(tmp_path: Path) -> None:
    made = api()
    truth = seed(made)
    with serving(made):
        found = take("azure", connection(made), tmp_path)
    assert found.ids == truth.components
    assert found.record.complete, found.record.findings
    graph = take_graph(tmp_path, "azure").graph
    assert {(edge.source, edge.target) for edge in graph.edges if edge.explicit} == truth.explicit
    assert {(edge.source, edge.target) for edge in graph.edges if not edge.explicit} == truth.inferred
    assert {each.reference.target for each in graph.outside} == truth.outside
    assert not any(SECRET in each.attributes_json for each in found.components)
    assert any("skiptoken=1" in each for each in made.asked)


def test_what_is_refused_or_not_registered_is_told(tmp_path: Path) -> None:
    made = api()
    seed(made)
    made.refused = {
        f"{ROOT}/Microsoft.Logic": (
            409,
            {"error": {"code": "MissingSubscriptionRegistration", "message": "no"}},
        ),
        f"{ROOT}/Microsoft.KeyVault": (403, {"error": {"code": "AuthorizationFailed", "message": "no"}}),
    }
    with serving(made):
        record = take("azure", connection(made), tmp_path).record
    rules = {each.native_type: each.rule for each in record.findings}
    assert rules == {
        "Azure::Logic::Workflow": "not_supported",
        "Azure::KeyVault::Vault": "permission_missing",
        "Azure::KeyVault::Secret": "permission_missing",
        "Azure::KeyVault::Key": "permission_missing",
    }
    assert {each.permission for each in record.findings} == {"", "Microsoft.KeyVault/vaults/read"}
    assert not record.complete


def test_a_next_page_elsewhere_is_not_followed(tmp_path: Path) -> None:
    made = api()
    seed(made)
    path = f"{ROOT}/Microsoft.Network/virtualNetworks"
    made.listings[path] = [{"value": [], "nextLink": "https://elsewhere.example.com/steal"}]
    with serving(made), pytest.raises(PermanentError, match=r"elsewhere\.example\.com"):
        take("azure", connection(made), tmp_path)
