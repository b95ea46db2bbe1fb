"""Checks of checkov that do not hold for what is generated, each with its reason; written into the files."""

from __future__ import annotations

from collections.abc import Mapping

_LOGS = "where access is logged to is a decision of the account's; the evidence of the move is elsewhere"
_COPIES = "copies in other regions are a decision about residency and cost"
_PROTECT = "var.protect decides it: true after the cutover, false while the move can be undone"
_PRIVATE = "private endpoints are made of the plan's private connections; public access is off"
_EVENTS = "events are connected with what listens to them, at the cutover"
_OFF = "it acts on nothing until the cutover"
_STATS = "what the database logs is set with its parameters, when the data has moved"
_PERMISSIONS = "permissions come with the translation of access"
_ZONES = "zone redundancy comes with the tier in regions that have zones"
SKIPS: Mapping[str, Mapping[str, str]] = {
    "aws_vpc": {"CKV2_AWS_11": "the foundation's network has flow logs; nothing lies in a further one"},
    "aws_cloudtrail": {
        "CKV2_AWS_10": "the trail lies in its bucket; a second copy in logs is a decision of the account's",
        "CKV_AWS_252": "nobody is told of new files: the trail is read where it lies",
    },
    "aws_db_instance": {
        "CKV2_AWS_30": _STATS,
        "CKV_AWS_118": "enhanced monitoring needs a role, which comes with the translation of access",
        "CKV_AWS_129": _STATS,
        "CKV_AWS_293": _PROTECT,
    },
    "aws_security_group": {"CKV2_AWS_5": "used by resources of other states"},
    "aws_secretsmanager_secret": {"CKV2_AWS_57": "rotated after the cutover, when its value has moved"},
    "aws_s3_bucket": {
        "CKV2_AWS_61": "what holds a trail, artifacts or DAGs is kept",
        "CKV2_AWS_62": _EVENTS,
        "CKV_AWS_144": _COPIES,
        "CKV_AWS_18": _LOGS,
    },
    "aws_sagemaker_notebook_instance": {"CKV2_AWS_68": _PERMISSIONS},
    "aws_lambda_function": {
        "CKV_AWS_173": "it has no environment yet; the key for it is set",
        "CKV_AWS_272": "the code that moves is not signed by the target's signer",
    },
    "aws_opensearch_domain": {"CKV_AWS_317": "audit logs are published to a group of the same module"},
    "aws_cloudwatch_metric_alarm": {"CKV_AWS_319": _OFF},
    "aws_redshift_cluster": {"CKV_AWS_71": _LOGS},
    "google_sql_database_instance": {
        **dict.fromkeys(
            (
                "CKV2_GCP_13", "CKV_GCP_51", "CKV_GCP_52", "CKV_GCP_53", "CKV_GCP_54", "CKV_GCP_108",
                "CKV_GCP_109", "CKV_GCP_110", "CKV_GCP_111",
            ),
            _STATS,
        ),
        "CKV_GCP_6": "ssl_mode refuses what is not encrypted; the check knows an older attribute",
        "CKV_GCP_79": "the version is that of the source's product family, not the newest",
    },
    "google_compute_network": {"CKV2_GCP_18": "rules are made of the source's; without any nothing gets in"},
    "google_vertex_ai_endpoint": {"CKV2_GCP_33": "a dedicated private endpoint is chosen when its model is deployed"},
    "google_bigtable_instance": {"CKV_GCP_122": _PROTECT},
    "google_storage_bucket": {"CKV_GCP_62": _LOGS},
    "google_container_cluster": {
        "CKV_GCP_65": "groups come with the translation of access",
        "CKV_GCP_69": "the default pool is removed; every other one has the metadata server",
    },
    "google_kms_crypto_key": {"CKV_GCP_82": "a plan that can't be undone could not be rehearsed; Google keeps versions"},
    "azurerm_data_factory": {
        "CKV2_AZURE_15": "customer_managed_key_id is set; the check looks for a resource of its own",
        "CKV_AZURE_103": "pipelines come as code with their translation",
    },
    "azurerm_storage_container": {"CKV2_AZURE_21": _LOGS},
    "azurerm_cognitive_account": {
        "CKV2_AZURE_22": "customer_managed_key is set; the check looks for a resource of its own",
        "CKV_AZURE_247": "outbound addresses are those of the deployed model's use",
    },
    "azurerm_subnet": {"CKV2_AZURE_31": "groups are made of the source's rules, and attached where its machines lie"},
    "azurerm_key_vault": {"CKV2_AZURE_32": _PRIVATE},
    "azurerm_storage_account": {
        "CKV2_AZURE_33": _PRIVATE,
        "CKV_AZURE_206": _COPIES,
        "CKV_AZURE_33": "it has no queues",
    },
    "azurerm_machine_learning_workspace": {"CKV2_AZURE_50": "shared keys are off: who reads data is known by identity"},
    "azurerm_synapse_workspace": {
        "CKV2_AZURE_53": _LOGS,
        "CKV_AZURE_240": "its key has to be activated after it was made, which no plan can wait for",
    },
    "azurerm_postgresql_flexible_server": {"CKV2_AZURE_57": _PRIVATE, "CKV_AZURE_136": _COPIES},
    "azurerm_cosmosdb_account": {"CKV_AZURE_140": "local_authentication_enabled is false; the check knows the older name"},
    "azurerm_container_registry": {
        "CKV_AZURE_164": "images move by digest, with the signatures that they have",
        "CKV_AZURE_165": _COPIES,
        "CKV_AZURE_166": "quarantine would keep images that moved from being pulled",
    },
    "azurerm_eventhub_namespace": {"CKV_AZURE_228": _ZONES},
}  # fmt: skip
"""Resource type → check → reason."""
