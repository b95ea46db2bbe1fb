"""Azure: keys, secrets, roles, alerts, logs, audit."""

from __future__ import annotations

from heavylift.infra.targets.azure.common import GROUP, PLACE
from heavylift.infra.template import Ask, Base, Json, Name, Nest, Piece, Service, Setting, Var

SERVICES = {
    "key management": Service(
        (
            Piece(
                "azurerm_key_vault_key",
                {
                    "name": Name("free"),
                    "key_vault_id": Base("key_vault_id"),
                    "key_type": "RSA-HSM",
                    "key_size": 3072,
                    "key_opts": ["wrapKey", "unwrapKey", "decrypt", "encrypt", "sign", "verify"],
                    "expiration_date": Var("key_expires"),
                    "tags": Var("labels"),
                    "rotation_policy": Nest({"expire_after": "P1Y", "notify_before_expiry": "P30D", "automatic": Nest({"time_before_expiry": "P60D"})}),
                },
            ),
        ),
        ("A new key: the source's cannot leave it, so data is encrypted anew on its way.",),
    ),
    "secrets": Service(
        (
            Piece(
                "azurerm_key_vault_secret",
                {
                    "name": Name("free"),
                    "key_vault_id": Base("key_vault_id"),
                    "value_wo": "not set yet",
                    "value_wo_version": 1,
                    "content_type": "set by the move of secrets",
                    "expiration_date": Var("key_expires"),
                    "tags": Var("labels"),
                },
            ),
        ),
        ("A shell: its value is written by the move of secrets, and never stands in files or state.",),
    ),
    "IAM role/policy": Service(
        (
            Piece(
                "azurerm_role_definition",
                {
                    "name": Name("free"),
                    "scope": Base("resource_group_id"),
                    "description": "A shell: permissions come with the translation of access.",
                    "permissions": Nest({"actions": ["Microsoft.Resources/subscriptions/resourceGroups/read"]}),
                },
            ),
        ),
        ("A shell: its permissions are filled in by the translation of access.",),
    ),
    "metrics+alerts": Service(
        (
            Piece(
                "azurerm_monitor_metric_alert",
                {
                    **GROUP,
                    "name": Name("free"),
                    "enabled": False,
                    "scopes": [Ask("scope", "id of the resource that the alert watches")],
                    "criteria": Nest(
                        {
                            "aggregation": "Average",
                            "metric_namespace": Ask("namespace", "the metric's namespace"),
                            "metric_name": Ask("metric", "the metric's name"),
                            "operator": Setting("comparison", "GreaterThan", {">": "GreaterThan", "<": "LessThan"}),
                            "threshold": Setting("threshold", 1),
                        }
                    ),
                },
            ),
        ),
        ("Switched off until its series is mapped and it was compared on replayed data.",),
    ),
    "dashboards": Service(
        (
            Piece(
                "azurerm_portal_dashboard",
                {**PLACE, "name": Name("free"), "dashboard_properties": Json({"lenses": {}, "metadata": {}})},
            ),
        ),
        ("A shell: widgets are translated with the alerts.",),
    ),
    "logs": Service(
        (
            Piece(
                "azurerm_log_analytics_workspace",
                {
                    **PLACE,
                    "name": Name("free"),
                    "sku": "PerGB2018",
                    "retention_in_days": Setting("retention_days", 30),
                    "local_authentication_enabled": False,
                },
            ),
        )
    ),
    "audit trail": Service(
        (
            Piece(
                "azurerm_monitor_diagnostic_setting",
                {
                    "name": Name("free"),
                    "target_resource_id": Base("key_vault_id"),
                    "log_analytics_workspace_id": Base("logs_id"),
                    "enabled_log": Nest({"category_group": "audit"}),
                },
            ),
        ),
        ("Of the vault; each further resource needs a setting of its own.",),
    ),
}  # fmt: skip
