"""Google Cloud: keys, secrets, roles, alerts, logs, audit."""

from __future__ import annotations

from heavylift.infra.template import Ask, Base, Json, Name, Nest, Own, Piece, Service, Setting, Text, Var

SERVICES = {
    "key management": Service(
        (
            Piece(
                "google_kms_crypto_key",
                {
                    "name": Name("free"),
                    "key_ring": Base("key_ring_id"),
                    "rotation_period": "7776000s",
                    "labels": Var("labels"),
                },
            ),
        ),
        ("A new key: the source's cannot leave it, so data is encrypted anew on its way.",),
    ),
    "secrets": Service(
        (
            Piece(
                "google_secret_manager_secret",
                {
                    "secret_id": Name("free"),
                    "labels": Var("labels"),
                    "replication": Nest(
                        {
                            "user_managed": Nest(
                                {
                                    "replicas": Nest(
                                        {
                                            "location": Var("region"),
                                            "customer_managed_encryption": Nest({"kms_key_name": Base("key_id")}),
                                        }
                                    )
                                }
                            )
                        }
                    ),
                },
            ),
        ),
        ("A shell without a value: no value ever stands in Terraform's files or state.",),
    ),
    "IAM role/policy": Service(
        (
            Piece(
                "google_project_iam_custom_role",
                {
                    "role_id": Name("snake"),
                    "title": Name("free"),
                    "description": "A shell: permissions come with the translation of access.",
                    "permissions": ["resourcemanager.projects.get"],
                },
            ),
        ),
        ("A shell: its permissions are filled in by the translation of access.",),
    ),
    "metrics+alerts": Service(
        (
            Piece(
                "google_monitoring_alert_policy",
                {
                    "display_name": Name("free"),
                    "combiner": "OR",
                    "enabled": False,
                    "user_labels": Var("labels"),
                    "conditions": Nest(
                        {
                            "display_name": Name("free"),
                            "condition_threshold": Nest(
                                {
                                    "filter": Ask("filter", "the time series that the alert watches"),
                                    "comparison": Setting("comparison", "COMPARISON_GT", {">": "COMPARISON_GT", "<": "COMPARISON_LT"}),
                                    "threshold_value": Setting("threshold", 1),
                                    "duration": Setting("period_seconds", "300s", form="{}s"),
                                }
                            ),
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
                "google_monitoring_dashboard",
                {"dashboard_json": Json({"displayName": Name("free"), "mosaicLayout": {"columns": 48}})},
            ),
        ),
        ("A shell: widgets are translated with the alerts.",),
    ),
    "logs": Service(
        (
            Piece(
                "google_logging_project_sink",
                {
                    "name": Name("free"),
                    "destination": Text("logging.googleapis.com/", Own("bucket")),
                    "filter": Setting("filter", "severity >= DEFAULT"),
                    "unique_writer_identity": True,
                },
            ),
            Piece(
                "google_logging_project_bucket_config",
                {
                    "project": Var("project"),
                    "location": Var("region"),
                    "bucket_id": Name("free"),
                    "retention_days": Setting("retention_days", 30),
                },
                "bucket",
            ),
        )
    ),
    "audit trail": Service(
        (
            Piece(
                "google_project_iam_audit_config",
                {
                    "project": Var("project"),
                    "service": "allServices",
                    "audit_log_config": [
                        Nest({"log_type": kind}) for kind in ("ADMIN_READ", "DATA_READ", "DATA_WRITE")
                    ],
                },
            ),
        )
    ),
    "discovery": Service(
        (
            Piece(
                "google_migration_center_group",
                {"group_id": Name("dns"), "location": Var("region"), "labels": Var("labels")},
            ),
        )
    ),
    "PII discovery": Service(
        (
            Piece(
                "google_data_loss_prevention_job_trigger",
                {
                    "parent": Text("projects/", Var("project"), "/locations/", Var("region")),
                    "display_name": Name("free"),
                    "triggers": Nest({"schedule": Nest({"recurrence_period_duration": "604800s"})}),
                    "inspect_job": Nest(
                        {
                            "actions": Nest({"publish_to_stackdriver": Nest()}),
                            "storage_config": Nest(
                                {
                                    "cloud_storage_options": Nest(
                                        {"file_set": Nest({"url": Ask("files", "the files to look at, gs://bucket/**")})}
                                    )
                                }
                            ),
                        }
                    ),
                },
            ),
        )
    ),
}  # fmt: skip
