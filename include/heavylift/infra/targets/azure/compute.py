"""Azure: clusters, machines, functions, workflows."""

from __future__ import annotations

from heavylift.infra.targets.azure.common import IDENTITY, PLACE, SYSTEM
from heavylift.infra.template import Ask, Base, Name, Nest, Own, Piece, Service, Setting, Text, Var

SERVICES = {
    "Kubernetes": Service(
        (
            Piece(
                "azurerm_kubernetes_cluster",
                {
                    **PLACE,
                    "name": Name("free"),
                    "dns_prefix": Name("dns"),
                    "sku_tier": "Standard",
                    "private_cluster_enabled": True,
                    "local_account_disabled": True,
                    "oidc_issuer_enabled": True,
                    "workload_identity_enabled": True,
                    "azure_policy_enabled": True,
                    "role_based_access_control_enabled": True,
                    "automatic_upgrade_channel": "stable",
                    "disk_encryption_set_id": Own("encryption"),
                    "azure_active_directory_role_based_access_control": Nest(
                        {"azure_rbac_enabled": True, "tenant_id": Base("tenant_id")}
                    ),
                    "default_node_pool": Nest(
                        {
                            "name": "system",
                            "vm_size": "Standard_D4ds_v5",
                            "vnet_subnet_id": Base("subnet_a_id"),
                            "auto_scaling_enabled": True,
                            "min_count": 1,
                            "max_count": 3,
                            "max_pods": 60,
                            "only_critical_addons_enabled": True,
                            "host_encryption_enabled": True,
                            "os_disk_type": "Ephemeral",
                        }
                    ),
                    "node_provisioning_profile": Nest({"mode": "Manual"}),
                    "identity": IDENTITY,
                    "network_profile": Nest({"network_plugin": "azure", "network_policy": "cilium", "network_data_plane": "cilium"}),
                    "oms_agent": Nest({"log_analytics_workspace_id": Base("logs_id")}),
                    "key_vault_secrets_provider": Nest({"secret_rotation_enabled": True}),
                },
            ),
            Piece(
                "azurerm_disk_encryption_set",
                {**PLACE, "name": Name("free"), "key_vault_key_id": Base("key_versionless_id"), "auto_key_rotation_enabled": True, "identity": IDENTITY},
                "encryption",
            ),
        )
    ),
    "Kubernetes GPU node pool": Service(
        (
            Piece(
                "azurerm_kubernetes_cluster_node_pool",
                {
                    "name": Name("pool"),
                    "kubernetes_cluster_id": Ask("cluster", "id of the cluster that the pool belongs to"),
                    "vm_size": Setting("target_instance", "Standard_NC24ads_A100_v4"),
                    "vnet_subnet_id": Base("subnet_a_id"),
                    "auto_scaling_enabled": True,
                    "min_count": Setting("least", 0),
                    "max_count": Setting("most", 2),
                    "max_pods": 60,
                    "host_encryption_enabled": True,
                    "node_taints": ["nvidia.com/gpu=present:NoSchedule"],
                    "tags": Var("labels"),
                },
            ),
        )
    ),
    "workload identity": Service(
        (
            Piece(
                "azurerm_federated_identity_credential",
                {
                    "name": Name("free"),
                    "user_assigned_identity_id": Base("identity_id"),
                    "audience": ["api://AzureADTokenExchange"],
                    "issuer": Ask("issuer", "OIDC issuer of the cluster, https://…"),
                    "subject": Text("system:serviceaccount:", Setting("namespace", "default"), ":", Setting("service_account", "default")),
                },
            ),
        )
    ),
    "virtual machine": Service(
        (
            Piece(
                "azurerm_linux_virtual_machine",
                {
                    **PLACE,
                    "name": Name("free"),
                    "computer_name": Name("short"),
                    "size": Setting("target_instance", "Standard_D4ds_v5"),
                    "network_interface_ids": [Own("interface")],
                    "admin_username": "heavylift",
                    "disable_password_authentication": True,
                    "allow_extension_operations": False,
                    "encryption_at_host_enabled": True,
                    "secure_boot_enabled": True,
                    "vtpm_enabled": True,
                    "admin_ssh_key": Nest({"username": "heavylift", "public_key": Ask("public_key", "public SSH key of its administrator")}),
                    "identity": IDENTITY,
                    "os_disk": Nest({"caching": "ReadWrite", "storage_account_type": "Premium_LRS", "disk_size_gb": Setting("size_gb", 64)}),
                    "source_image_reference": Nest({"publisher": "Debian", "offer": "debian-13", "sku": "13-gen2", "version": "latest"}),
                },
            ),
            Piece(
                "azurerm_network_interface",
                {
                    **PLACE,
                    "name": Name("free"),
                    "ip_configuration": Nest({"name": "internal", "subnet_id": Base("subnet_a_id"), "private_ip_address_allocation": "Dynamic"}),
                },
                "interface",
            ),
        ),
        ("The disk's content moves as files, not as an image.",),
    ),
    "functions": Service(
        (
            Piece(
                "azurerm_linux_function_app",
                {
                    **PLACE,
                    "name": Name("world"),
                    "service_plan_id": Own("plan"),
                    "storage_account_name": Base("storage_account_name"),
                    "storage_uses_managed_identity": True,
                    "https_only": True,
                    "public_network_access_enabled": False,
                    "virtual_network_subnet_id": Base("subnet_b_id"),
                    "ftp_publish_basic_authentication_enabled": False,
                    "webdeploy_publish_basic_authentication_enabled": False,
                    "identity": IDENTITY,
                    "site_config": Nest(
                        {
                            "minimum_tls_version": "1.2",
                            "ftps_state": "Disabled",
                            "application_stack": Nest({"python_version": Setting("python", "3.12")}),
                        }
                    ),
                },
            ),
            Piece(
                "azurerm_service_plan",
                {**PLACE, "name": Name("free"), "os_type": "Linux", "sku_name": "EP1", "zone_balancing_enabled": True, "worker_count": 3},
                "plan",
            ),
        ),
        ("The handler's signature differs: the code has to be adapted.",),
    ),
    "workflow": Service(
        (
            Piece(
                "azurerm_logic_app_workflow",
                {**PLACE, "name": Name("free"), "enabled": False, "identity": SYSTEM},
            ),
        ),
        ("A shell, switched off: its definition comes with the pipelines' translation.",),
    ),
    "serverless inference": Service(
        (
            Piece(
                "azurerm_container_app",
                {
                    "name": Name("short"),
                    "resource_group_name": Base("resource_group_name"),
                    "tags": Var("labels"),
                    "container_app_environment_id": Own("environment"),
                    "revision_mode": "Multiple",
                    "identity": IDENTITY,
                    "template": Nest(
                        {
                            "min_replicas": Setting("least", 0),
                            "max_replicas": Setting("most", 5),
                            "container": Nest(
                                {"name": "model", "image": Ask("image", "the serving image, by digest"), "cpu": 2, "memory": "4Gi"}
                            ),
                        }
                    ),
                },
            ),
            Piece(
                "azurerm_container_app_environment",
                {
                    **PLACE,
                    "name": Name("free"),
                    "infrastructure_subnet_id": Base("subnet_a_id"),
                    "internal_load_balancer_enabled": True,
                    "mutual_tls_enabled": True,
                    "logs_destination": "log-analytics",
                    "log_analytics_workspace_id": Base("logs_id"),
                },
                "environment",
            ),
        )
    ),
}  # fmt: skip
