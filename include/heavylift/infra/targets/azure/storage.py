"""Azure: objects, files, disks, images."""

from __future__ import annotations

from heavylift.infra.targets.azure.common import CLOSED_ACCOUNT, IDENTITY, PLACE
from heavylift.infra.template import Base, Each, Item, Name, Nest, Own, Piece, Service, Setting, Text, Var

_DAYS = {
    "delete": "delete_after_days_since_modification_greater_than",
    "cool": "tier_to_cool_after_days_since_modification_greater_than",
    "cold": "tier_to_cold_after_days_since_modification_greater_than",
    "archive": "tier_to_archive_after_days_since_modification_greater_than",
}
_CONTAINER_NAME = Name("dns", "azurerm_storage_container")
_POLICY = Piece(
    "azurerm_storage_management_policy",
    {
        "storage_account_id": Own("account"),
        "rule": Each(
            "azure_lifecycle",
            {
                "name": Item("name", "rule"),
                "enabled": True,
                "filters": Nest(
                    {
                        "blob_types": ["blockBlob"],
                        "prefix_match": [Text(_CONTAINER_NAME, "/", Item("prefix"))],
                    }
                ),
                "actions": Nest(
                    {
                        "base_blob": Each("blobs", {_DAYS[then]: Item(then) for then in _DAYS}),
                        "version": Each("versions", {"delete_after_days_since_creation": Item("days")}),
                    }
                ),
            },
            ({"name": "none-told", "versions": [{"days": 365}]},),
        ),
    },
    "policy",
)
_ACCOUNT = Piece(
    "azurerm_storage_account",
    {
        **PLACE,
        "name": Name("plain"),
        **CLOSED_ACCOUNT,
        "identity": IDENTITY,
        "network_rules": Nest({"default_action": "Deny", "bypass": ["AzureServices"], "ip_rules": Var("allowed_ips")}),
        "customer_managed_key": Nest(
            {"key_vault_key_id": Base("key_id"), "user_assigned_identity_id": Base("identity_id")}
        ),
        "blob_properties": Nest(
            {
                "versioning_enabled": Setting("versioning", True),
                "delete_retention_policy": Nest({"days": 7}),
                "container_delete_retention_policy": Nest({"days": 7}),
            }
        ),
    },
    "account",
)  # fmt: skip
_CONTAINER = Piece(
    "azurerm_storage_container",
    {"name": Name("dns"), "storage_account_id": Own("account"), "container_access_type": "private"},
)
SERVICES = {
    "object storage": Service((_CONTAINER, _ACCOUNT, Piece(_POLICY.type, _POLICY.body, "policy", when="lifecycle"))),
    "object lifecycle": Service((Piece(_POLICY.type, _POLICY.body), _ACCOUNT)),
    "shared file system": Service(
        (
            Piece(
                "azurerm_managed_lustre_file_system",
                {
                    **PLACE,
                    "name": Name("free"),
                    "sku_name": "AMLFS-Durable-Premium-125",
                    "storage_capacity_in_tb": Setting("lustre_tb", 16),
                    "subnet_id": Base("subnet_a_id"),
                    "zones": ["1"],
                    "identity": IDENTITY,
                    "encryption_key": Nest({"key_url": Base("key_id"), "source_vault_id": Base("key_vault_id")}),
                    "maintenance_window": Nest({"day_of_week": "Sunday", "time_of_day_in_utc": "03:00"}),
                },
            ),
        )
    ),
    "block volume": Service(
        (
            Piece(
                "azurerm_managed_disk",
                {
                    **PLACE,
                    "name": Name("free"),
                    "create_option": "Empty",
                    "storage_account_type": "Premium_ZRS",
                    "disk_size_gb": Setting("size_gb", 100),
                    "disk_encryption_set_id": Own("encryption"),
                    "public_network_access_enabled": False,
                    "network_access_policy": "DenyAll",
                },
            ),
            Piece(
                "azurerm_disk_encryption_set",
                {**PLACE, "name": Name("free"), "key_vault_key_id": Base("key_versionless_id"), "auto_key_rotation_enabled": True, "identity": IDENTITY},
                "encryption",
            ),
        )
    ),
    "container registry": Service(
        (
            Piece(
                "azurerm_container_registry",
                {
                    **PLACE,
                    "name": Name("plain"),
                    "sku": "Premium",
                    "admin_enabled": False,
                    "public_network_access_enabled": False,
                    "zone_redundancy_enabled": True,
                    "data_endpoint_enabled": True,
                    "retention_policy_in_days": 7,
                    "identity": IDENTITY,
                },
            ),
        )
    ),
}  # fmt: skip
