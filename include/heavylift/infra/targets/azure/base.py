"""What every wave on Azure stands on: group, network, vault, key, identity, storage account, logs."""

from __future__ import annotations

from heavylift.infra.targets.azure.common import CLOSED_ACCOUNT
from heavylift.infra.template import Name, Nest, Own, Piece, Service, Setting, Var

_IN = {"resource_group_name": Own("group", "name"), "location": Var("location"), "tags": Var("labels")}
_CRYPTO = ("wrapKey", "unwrapKey", "decrypt", "encrypt", "sign", "verify")


def _subnet(role: str) -> Piece:
    body = {
        "name": Name("free"),
        "resource_group_name": Own("group", "name"),
        "virtual_network_name": Own("network", "name"),
        "address_prefixes": [Setting(f"cidr_{role}")],
    }
    return Piece("azurerm_subnet", {**body, "name": f"subnet-{role}"}, role)


BASE = Service(
    (
        Piece("azurerm_resource_group", {"name": Name("free"), "location": Var("location"), "tags": Var("labels")}, "group"),
        Piece(
            "azurerm_virtual_network",
            {**_IN, "name": Name("free"), "address_space": [Setting("cidr")]},
            "network",
        ),
        _subnet("a"),
        _subnet("b"),
        Piece("azurerm_user_assigned_identity", {**_IN, "name": Name("free")}, "identity"),
        Piece(
            "azurerm_key_vault",
            {
                **_IN,
                "name": Name("vault"),
                "tenant_id": Own("identity", "tenant_id"),
                "sku_name": "premium",
                "rbac_authorization_enabled": True,
                "purge_protection_enabled": True,
                "soft_delete_retention_days": 7,
                "public_network_access_enabled": False,
                "network_acls": Nest({"default_action": "Deny", "bypass": "AzureServices", "ip_rules": Var("allowed_ips")}),
            },
            "vault",
        ),
        Piece(
            "azurerm_key_vault_key",
            {
                "name": Name("free"),
                "key_vault_id": Own("vault"),
                "key_type": "RSA-HSM",
                "key_size": 3072,
                "key_opts": list(_CRYPTO),
                "expiration_date": Var("key_expires"),
                "tags": Var("labels"),
                "rotation_policy": Nest({"expire_after": "P1Y", "notify_before_expiry": "P30D", "automatic": Nest({"time_before_expiry": "P60D"})}),
            },
            "key",
        ),
        Piece(
            "azurerm_role_assignment",
            {
                "scope": Own("vault"),
                "role_definition_name": "Key Vault Crypto Service Encryption User",
                "principal_id": Own("identity", "principal_id"),
            },
            "grant",
        ),
        Piece(
            "azurerm_storage_account",
            {
                **_IN,
                "name": Name("plain"),
                **CLOSED_ACCOUNT,
                "identity": Nest({"type": "UserAssigned", "identity_ids": [Own("identity")]}),
                "network_rules": Nest({"default_action": "Deny", "bypass": ["AzureServices"], "ip_rules": Var("allowed_ips")}),
                "blob_properties": Nest(
                    {
                        "versioning_enabled": True,
                        "delete_retention_policy": Nest({"days": 7}),
                        "container_delete_retention_policy": Nest({"days": 7}),
                    }
                ),
            },
            "storage",
        ),
        Piece(
            "azurerm_storage_account_customer_managed_key",
            {
                "storage_account_id": Own("storage"),
                "key_vault_key_id": Own("key"),
                "user_assigned_identity_id": Own("identity"),
            },
            "storage-key",
        ),
        Piece(
            "azurerm_log_analytics_workspace",
            {**_IN, "name": Name("free"), "sku": "PerGB2018", "retention_in_days": 30},
            "logs",
        ),
        Piece(
            "azurerm_application_insights",
            {**_IN, "name": Name("free"), "application_type": "other", "workspace_id": Own("logs")},
            "insights",
        ),
    )
)  # fmt: skip
OUTPUTS = {
    "resource_group_name": ("group", "name"),
    "resource_group_id": ("group", "id"),
    "network_id": ("network", "id"),
    "network_name": ("network", "name"),
    "subnet_a_id": ("a", "id"),
    "subnet_b_id": ("b", "id"),
    "identity_id": ("identity", "id"),
    "identity_client_id": ("identity", "client_id"),
    "tenant_id": ("identity", "tenant_id"),
    "key_vault_id": ("vault", "id"),
    "key_id": ("key", "id"),
    "key_versionless_id": ("key", "versionless_id"),
    "storage_account_id": ("storage", "id"),
    "storage_account_name": ("storage", "name"),
    "logs_id": ("logs", "id"),
    "insights_id": ("insights", "id"),
}
