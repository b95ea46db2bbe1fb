"""Azure: databases, streams, warehouses and what moves data."""

from __future__ import annotations

from heavylift.infra.targets.azure.common import IDENTITY, PLACE, SYSTEM
from heavylift.infra.template import Ask, Base, Name, Nest, Own, Piece, Service, Setting, Var

_NAMESPACE = {
    **PLACE,
    "name": Name("world"),
    "sku": "Premium",
    "capacity": 1,
    "public_network_access_enabled": False,
    "minimum_tls_version": "1.2",
    "identity": IDENTITY,
}
_HUBS = {**_NAMESPACE, "local_authentication_enabled": False}
_QUEUES = {**_NAMESPACE, "local_auth_enabled": False, "premium_messaging_partitions": 1}
_HUBS_KEY = Piece(
    "azurerm_eventhub_namespace_customer_managed_key",
    {
        "eventhub_namespace_id": Own("namespace"),
        "key_vault_key_ids": [Base("key_id")],
        "user_assigned_identity_id": Base("identity_id"),
    },
    "key",
)
_PURVIEW = Service(
    (
        Piece(
            "azurerm_purview_account",
            {**PLACE, "name": Name("world"), "public_network_enabled": False, "identity": SYSTEM},
        ),
    )
)
SERVICES = {
    "relational": Service(
        (
            Piece(
                "azurerm_postgresql_flexible_server",
                {
                    **PLACE,
                    "name": Name("world"),
                    "version": "16",
                    "sku_name": Setting("tier", "GP_Standard_D4ds_v5"),
                    "storage_mb": Setting("postgres_mb", 131072),
                    "auto_grow_enabled": True,
                    "backup_retention_days": 14,
                    "geo_redundant_backup_enabled": False,
                    "public_network_access_enabled": False,
                    "authentication": Nest(
                        {
                            "active_directory_auth_enabled": True,
                            "password_auth_enabled": False,
                            "tenant_id": Base("tenant_id"),
                        }
                    ),
                    "identity": IDENTITY,
                    "customer_managed_key": Nest(
                        {
                            "key_vault_key_id": Base("key_id"),
                            "primary_user_assigned_identity_id": Base("identity_id"),
                        }
                    ),
                    "high_availability": Nest({"mode": "ZoneRedundant"}, when="high_availability"),
                },
            ),
        ),
        ("A server of PostgreSQL, whatever the source's engine; users are of Microsoft Entra.",),
    ),
    "key-value": Service(
        (
            Piece(
                "azurerm_cosmosdb_sql_container",
                {
                    "name": Name("free"),
                    "resource_group_name": Base("resource_group_name"),
                    "account_name": Own("account", "name"),
                    "database_name": Own("database", "name"),
                    "partition_key_paths": [Setting("hash_key", "/id", form="/{}")],
                },
            ),
            Piece(
                "azurerm_cosmosdb_account",
                {
                    **PLACE,
                    "name": Name("world"),
                    "offer_type": "Standard",
                    "kind": "GlobalDocumentDB",
                    "key_vault_key_id": Base("key_versionless_id"),
                    "public_network_access_enabled": False,
                    "local_authentication_enabled": False,
                    "access_key_metadata_writes_enabled": False,
                    "is_virtual_network_filter_enabled": True,
                    "minimal_tls_version": "Tls12",
                    "consistency_policy": Nest({"consistency_level": "Session"}),
                    "geo_location": Nest({"location": Var("location"), "failover_priority": 0}),
                },
                "account",
            ),
            Piece(
                "azurerm_cosmosdb_sql_database",
                {
                    "name": Name("free"),
                    "resource_group_name": Base("resource_group_name"),
                    "account_name": Own("account", "name"),
                },
                "database",
            ),
        )
    ),
    "warehouse": Service(
        (
            Piece(
                "azurerm_synapse_workspace",
                {
                    **PLACE,
                    "name": Name("world"),
                    "storage_data_lake_gen2_filesystem_id": Own("files"),
                    "managed_virtual_network_enabled": True,
                    "data_exfiltration_protection_enabled": True,
                    "public_network_access_enabled": False,
                    "azuread_authentication_only": True,
                    "identity": SYSTEM,
                },
            ),
            Piece(
                "azurerm_storage_account",
                {
                    **PLACE,
                    "name": Name("plain"),
                    "account_tier": "Standard",
                    "account_replication_type": "ZRS",
                    "is_hns_enabled": True,
                    "min_tls_version": "TLS1_2",
                    "allow_nested_items_to_be_public": False,
                    "shared_access_key_enabled": False,
                    "local_user_enabled": False,
                    "public_network_access_enabled": False,
                    "identity": IDENTITY,
                    "network_rules": Nest({"default_action": "Deny", "bypass": ["AzureServices"], "ip_rules": Var("allowed_ips")}),
                    "customer_managed_key": Nest(
                        {"key_vault_key_id": Base("key_id"), "user_assigned_identity_id": Base("identity_id")}
                    ),
                    "blob_properties": Nest({"delete_retention_policy": Nest({"days": 7})}),
                },
                "account",
            ),
            Piece(
                "azurerm_storage_data_lake_gen2_filesystem",
                {"name": "warehouse", "storage_account_id": Own("account")},
                "files",
            ),
        )
    ),
    "data catalogue": _PURVIEW,
    "PII discovery": _PURVIEW,
    "stream": Service(
        (
            Piece(
                "azurerm_eventhub",
                {
                    "name": Name("free"),
                    "namespace_id": Own("namespace"),
                    "partition_count": Setting("shards", 4),
                    "retention_description": Nest(
                        {"cleanup_policy": "Delete", "retention_time_in_hours": Setting("retention_hours", 24)}
                    ),
                },
            ),
            Piece("azurerm_eventhub_namespace", _HUBS, "namespace"),
            _HUBS_KEY,
        )
    ),
    "managed Kafka": Service(
        (
            Piece("azurerm_eventhub_namespace", _HUBS),
            Piece(_HUBS_KEY.type, {**_HUBS_KEY.body, "eventhub_namespace_id": Own("main")}, "key"),
        ),
        ("Topics become event hubs of this namespace; compacted ones need the premium tier.",),
    ),
    "queue": Service(
        (
            Piece(
                "azurerm_servicebus_queue",
                {
                    "name": Name("free"),
                    "namespace_id": Own("namespace"),
                    "max_delivery_count": Setting("deliveries", 10),
                    "dead_lettering_on_message_expiration": True,
                    "lock_duration": Setting("lock", "PT1M"),
                },
            ),
            Piece(
                "azurerm_servicebus_namespace",
                {
                    **_QUEUES,
                    "customer_managed_key": Nest(
                        {
                            "key_vault_key_id": Base("key_id"),
                            "identity_id": Base("identity_id"),
                            "infrastructure_encryption_enabled": True,
                        }
                    ),
                },
                "namespace",
            ),
        )
    ),
    "ETL": Service(
        (
            Piece(
                "azurerm_data_factory_pipeline",
                {
                    "name": Name("free"),
                    "data_factory_id": Own("factory"),
                    "description": "A shell: activities come with the translation of the job.",
                },
            ),
            Piece(
                "azurerm_data_factory",
                {
                    **PLACE,
                    "name": Name("world"),
                    "public_network_enabled": False,
                    "managed_virtual_network_enabled": True,
                    "customer_managed_key_id": Base("key_id"),
                    "customer_managed_key_identity_id": Base("identity_id"),
                    "identity": IDENTITY,
                },
                "factory",
            ),
        ),
        ("A shell: the job's script and its connections are rewritten.",),
    ),
    "CDC service": Service(
        (
            Piece(
                "azurerm_database_migration_service",
                {**PLACE, "name": Name("free"), "sku_name": "Premium_4vCores", "subnet_id": Base("subnet_a_id")},
            ),
        )
    ),
    "bulk online transfer": Service(
        (
            Piece(
                "azurerm_storage_mover_job_definition",
                {
                    "name": Name("free"),
                    "storage_mover_project_id": Own("project"),
                    "copy_mode": "Additive",
                    "source_name": Own("source", "name"),
                    "target_name": Own("target", "name"),
                },
            ),
            Piece("azurerm_storage_mover", {**PLACE, "name": Name("free")}, "mover"),
            Piece("azurerm_storage_mover_project", {"name": Name("free"), "storage_mover_id": Own("mover")}, "project"),
            Piece(
                "azurerm_storage_mover_source_endpoint",
                {"name": Name("free"), "storage_mover_id": Own("mover"), "host": Ask("host", "the source's host, which exports NFS")},
                "source",
            ),
            Piece(
                "azurerm_storage_mover_target_endpoint",
                {
                    "name": Name("free"),
                    "storage_mover_id": Own("mover"),
                    "storage_account_id": Base("storage_account_id"),
                    "storage_container_name": Ask("container", "the target's container"),
                },
                "target",
            ),
        )
    ),
}  # fmt: skip
