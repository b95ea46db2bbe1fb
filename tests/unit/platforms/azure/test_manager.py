"""One connection of Airflow's type ``azure`` serves all that asks Azure Resource Manager."""

from __future__ import annotations

import pytest
from azure.identity import ClientSecretCredential

from heavylift.connections import Connection
from heavylift.platforms.azure import manager
from heavylift.platforms.azure.credentials import _credential

TENANT = "11111111-1111-1111-1111-111111111111"


def connection(**extra: object) -> Connection:
    return Connection("a", "azure", login="client", password="secret", extra=extra)


@pytest.mark.parametrize("name", ["tenantId", "tenant_id"])
def test_a_tenant_is_named_as_airflow_or_as_azure_spells_it(name: str) -> None:
    assert isinstance(_credential(connection(**{name: TENANT})), ClientSecretCredential)


@pytest.mark.parametrize("name", ["subscriptionId", "subscription_id"])
def test_so_is_a_subscription(name: str) -> None:
    assert manager.subscription_of(connection(**{name: "s"})) == "s"


def test_a_sovereign_cloud_has_its_own_address_and_a_server_without_tokens_gets_none() -> None:
    assert manager.endpoint_of(connection()) == "https://management.azure.com"
    elsewhere = connection(endpoint_url="https://management.chinacloudapi.cn/", anonymous=True)
    assert manager.endpoint_of(elsewhere) == "https://management.chinacloudapi.cn"
    assert manager.fetch_of(elsewhere) is None
