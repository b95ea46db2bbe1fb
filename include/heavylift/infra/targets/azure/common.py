"""What most resources of Azure have: place, group, tags; how they use key and identity."""

from __future__ import annotations

from heavylift.infra.template import Base, Nest, Var

PLACE = {
    "resource_group_name": Base("resource_group_name"),
    "location": Var("location"),
    "tags": Var("labels"),
}
CLOSED_ACCOUNT = {
    "account_tier": "Standard",
    "account_replication_type": "ZRS",
    "min_tls_version": "TLS1_2",
    "https_traffic_only_enabled": True,
    "allow_nested_items_to_be_public": False,
    "shared_access_key_enabled": False,
    "local_user_enabled": False,
    "public_network_access_enabled": False,
    "infrastructure_encryption_enabled": True,
}
"""What every storage account refuses: plain text, keys, the public."""
GROUP = {"resource_group_name": Base("resource_group_name"), "tags": Var("labels")}
IDENTITY = Nest({"type": "UserAssigned", "identity_ids": [Base("identity_id")]})
SYSTEM = Nest({"type": "SystemAssigned"})
