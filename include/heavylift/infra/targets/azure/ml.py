"""Azure: workspaces, notebooks, clusters, search."""

from __future__ import annotations

from heavylift.infra.targets.azure.common import IDENTITY, PLACE, SYSTEM
from heavylift.infra.template import Ask, Base, Name, Nest, Own, Piece, Service, Setting, Var

_WORKSPACE = {
    **PLACE,
    "name": Name("world"),
    "application_insights_id": Base("insights_id"),
    "key_vault_id": Base("key_vault_id"),
    "storage_account_id": Base("storage_account_id"),
    "public_network_access_enabled": False,
    "primary_user_assigned_identity": Base("identity_id"),
    "identity": IDENTITY,
    "encryption": Nest(
        {
            "key_id": Base("key_id"),
            "key_vault_id": Base("key_vault_id"),
            "user_assigned_identity_id": Base("identity_id"),
        }
    ),
    "managed_network": Nest({"isolation_mode": "AllowOnlyApprovedOutbound"}),
}
_SEARCH = Service(
    (
        Piece(
            "azurerm_search_service",
            {
                **PLACE,
                "name": Name("world"),
                "sku": "standard",
                "replica_count": 3,
                "local_authentication_enabled": False,
                "public_network_access_enabled": False,
                "customer_managed_key_enforcement_enabled": True,
                "identity": SYSTEM,
            },
        ),
    ),
    ("Vectors of another embedding model cannot be used: documents are embedded anew.",),
)
_DEPLOYMENT = Service(
    (
        Piece(
            "azurerm_cognitive_deployment",
            {
                "name": Name("free"),
                "cognitive_account_id": Own("account"),
                "model": Nest({"format": "OpenAI", "name": Ask("model", "name of the model to deploy")}),
                "sku": Nest({"name": Setting("capacity_kind", "DataZoneStandard"), "capacity": Setting("capacity", 1)}),
            },
        ),
        Piece(
            "azurerm_cognitive_account",
            {
                **PLACE,
                "name": Name("world"),
                "kind": "OpenAI",
                "sku_name": "S0",
                "custom_subdomain_name": Name("world"),
                "local_auth_enabled": False,
                "public_network_access_enabled": False,
                "identity": IDENTITY,
                "customer_managed_key": Nest({"key_vault_key_id": Base("key_id"), "identity_client_id": Base("identity_client_id")}),
                "network_acls": Nest({"default_action": "Deny", "ip_rules": Var("allowed_ips")}),
            },
            "account",
        ),
    ),
    ("Weights of a managed custom model cannot be exported: it is tuned anew from the same data.",),
)  # fmt: skip
SERVICES = {
    "ML workspace": Service((Piece("azurerm_machine_learning_workspace", _WORKSPACE),)),
    "notebooks": Service(
        (
            Piece(
                "azurerm_machine_learning_compute_instance",
                {
                    "name": Name("short"),
                    "machine_learning_workspace_id": Own("workspace"),
                    "virtual_machine_size": Setting("target_instance", "Standard_DS3_v2"),
                    "node_public_ip_enabled": False,
                    "local_auth_enabled": False,
                    "identity": IDENTITY,
                    "tags": Var("labels"),
                },
            ),
            Piece("azurerm_machine_learning_workspace", _WORKSPACE, "workspace"),
        )
    ),
    "training cluster": Service(
        (
            Piece(
                "azurerm_machine_learning_compute_cluster",
                {
                    "name": Name("short"),
                    "location": Var("location"),
                    "machine_learning_workspace_id": Own("workspace"),
                    "vm_priority": "Dedicated",
                    "vm_size": Setting("target_instance", "Standard_NC24ads_A100_v4"),
                    "node_public_ip_enabled": False,
                    "local_auth_enabled": False,
                    "identity": IDENTITY,
                    "tags": Var("labels"),
                    "scale_settings": Nest(
                        {
                            "min_node_count": Setting("least", 0),
                            "max_node_count": Setting("most", 2),
                            "scale_down_nodes_after_idle_duration": "PT10M",
                        }
                    ),
                },
            ),
            Piece("azurerm_machine_learning_workspace", _WORKSPACE, "workspace"),
        )
    ),
    "foundation models custom": _DEPLOYMENT,
    "foundation model throughput": _DEPLOYMENT,
    "RAG knowledge base": _SEARCH,
    "vector index": _SEARCH,
}  # fmt: skip
