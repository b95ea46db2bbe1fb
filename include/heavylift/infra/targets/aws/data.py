"""AWS: databases, streams, warehouses and what moves data."""

from __future__ import annotations

from heavylift.infra.template import Ask, Base, Json, Name, Nest, Own, Piece, Service, Setting, Text, Var

_ENGINES = {"postgres": "postgres", "mysql": "mysql", "sqlserver": "sqlserver-se"}
_SUBNETS = [Base("subnet_a_id"), Base("subnet_b_id")]
_FEATURES = Service(
    (
        Piece(
            "aws_sagemaker_feature_group",
            {
                "feature_group_name": Name("free"),
                "record_identifier_feature_name": Setting("entity", "entity_id"),
                "event_time_feature_name": Setting("event_time", "event_time"),
                "role_arn": Base("role_arn"),
                "feature_definition": [
                    Nest({"feature_name": Setting("entity", "entity_id"), "feature_type": "String"}),
                    Nest({"feature_name": Setting("event_time", "event_time"), "feature_type": "Fractional"}),
                ],
                "online_store_config": Nest(
                    {"enable_online_store": True, "security_config": Nest({"kms_key_id": Base("key_arn")})}
                ),
            },
        ),
    ),
    ("Further features are added when the offline table is read; the online store is rebuilt from it.",),
)


def _endpoint(role: str) -> Piece:
    return Piece(
        "aws_dms_endpoint",
        {
            "endpoint_id": Text(Name("short"), f"-{role}"),
            "endpoint_type": role,
            "engine_name": "postgres",
            "database_name": Ask(f"{role}_database", f"name of the {role}'s database"),
            "secrets_manager_arn": Ask(
                f"{role}_secret", f"ARN of the secret with the {role}'s address and user"
            ),
            "secrets_manager_access_role_arn": Base("role_arn"),
            "kms_key_arn": Base("key_arn"),
            "ssl_mode": "require",
        },
        role,
    )


SERVICES = {
    "relational": Service(
        (
            Piece(
                "aws_db_instance",
                {
                    "identifier": Name("dns"),
                    "engine": Setting("engine", "postgres", _ENGINES),
                    "instance_class": Setting("tier", "db.r6g.xlarge"),
                    "allocated_storage": Setting("size_gb", 100),
                    "storage_type": "gp3",
                    "storage_encrypted": True,
                    "kms_key_id": Base("key_arn"),
                    "username": "heavylift",
                    "manage_master_user_password": True,
                    "master_user_secret_kms_key_id": Base("key_arn"),
                    "iam_database_authentication_enabled": True,
                    "multi_az": Setting("high_availability", True),
                    "publicly_accessible": False,
                    "db_subnet_group_name": Own("subnets", "name"),
                    "vpc_security_group_ids": [Base("group_id")],
                    "backup_retention_period": 14,
                    "copy_tags_to_snapshot": True,
                    "auto_minor_version_upgrade": True,
                    "performance_insights_enabled": True,
                    "performance_insights_kms_key_id": Base("key_arn"),
                    "deletion_protection": Var("protect"),
                    "skip_final_snapshot": True,
                },
            ),
            Piece("aws_db_subnet_group", {"name": Name("dns"), "subnet_ids": _SUBNETS}, "subnets"),
        ),
        ("The master's password is made and kept by Secrets Manager; nobody writes it down.",),
    ),
    "key-value": Service(
        (
            Piece(
                "aws_dynamodb_table",
                {
                    "name": Name("free"),
                    "billing_mode": "PAY_PER_REQUEST",
                    "hash_key": Setting("hash_key", "id"),
                    "deletion_protection_enabled": Var("protect"),
                    "attribute": Nest({"name": Setting("hash_key", "id"), "type": "S"}),
                    "point_in_time_recovery": Nest({"enabled": True}),
                    "server_side_encryption": Nest({"enabled": True, "kms_key_arn": Base("key_arn")}),
                },
            ),
        )
    ),
    "warehouse": Service(
        (
            Piece(
                "aws_redshift_cluster",
                {
                    "cluster_identifier": Name("dns"),
                    "node_type": Setting("tier", "ra3.xlplus"),
                    "number_of_nodes": Setting("nodes", 2),
                    "cluster_type": "multi-node",
                    "database_name": "main",
                    "master_username": "heavylift",
                    "manage_master_password": True,
                    "master_password_secret_kms_key_id": Base("key_arn"),
                    "encrypted": True,
                    "kms_key_id": Base("key_arn"),
                    "publicly_accessible": False,
                    "enhanced_vpc_routing": True,
                    "cluster_subnet_group_name": Own("subnets", "name"),
                    "vpc_security_group_ids": [Base("group_id")],
                    "skip_final_snapshot": True,
                },
            ),
            Piece("aws_redshift_subnet_group", {"name": Name("dns"), "subnet_ids": _SUBNETS}, "subnets"),
        )
    ),
    "data catalogue": Service((Piece("aws_glue_catalog_database", {"name": Name("snake")}),)),
    "stream": Service(
        (
            Piece(
                "aws_kinesis_stream",
                {
                    "name": Name("free"),
                    "retention_period": Setting("retention_hours", 24),
                    "encryption_type": "KMS",
                    "kms_key_id": Base("key_arn"),
                    "shard_count": Setting("shards", 4),
                    "stream_mode_details": Nest({"stream_mode": "PROVISIONED"}),
                },
            ),
        )
    ),
    "managed Kafka": Service(
        (
            Piece(
                "aws_msk_cluster",
                {
                    "cluster_name": Name("free"),
                    "kafka_version": Setting("version", "3.9.x"),
                    "number_of_broker_nodes": 2,
                    "broker_node_group_info": Nest(
                        {
                            "instance_type": "kafka.m7g.large",
                            "client_subnets": _SUBNETS,
                            "security_groups": [Base("group_id")],
                            "storage_info": Nest({"ebs_storage_info": Nest({"volume_size": Setting("size_gb", 500)})}),
                        }
                    ),
                    "client_authentication": Nest({"sasl": Nest({"iam": True})}),
                    "encryption_info": Nest(
                        {
                            "encryption_at_rest_kms_key_arn": Base("key_arn"),
                            "encryption_in_transit": Nest({"client_broker": "TLS", "in_cluster": True}),
                        }
                    ),
                    "logging_info": Nest(
                        {"broker_logs": Nest({"cloudwatch_logs": Nest({"enabled": True, "log_group": Own("logs", "name")})})}
                    ),
                },
            ),
            Piece(
                "aws_cloudwatch_log_group",
                {"name": Text("/heavylift/msk/", Name("free")), "retention_in_days": 365, "kms_key_id": Base("key_arn")},
                "logs",
            ),
        )
    ),
    "queue": Service(
        (
            Piece(
                "aws_sqs_queue",
                {
                    "name": Name("free"),
                    "kms_master_key_id": Base("key_arn"),
                    "visibility_timeout_seconds": Setting("visibility_seconds", 60),
                    "message_retention_seconds": Setting("retention_seconds", 345600),
                },
            ),
        )
    ),
    "ETL": Service(
        (
            Piece(
                "aws_glue_job",
                {
                    "name": Name("free"),
                    "role_arn": Base("role_arn"),
                    "glue_version": "5.0",
                    "worker_type": "G.1X",
                    "number_of_workers": Setting("workers", 2),
                    "security_configuration": Own("security", "name"),
                    "command": Nest({"script_location": Ask("script", "the job's script, s3://…")}),
                },
            ),
            Piece(
                "aws_glue_security_configuration",
                {
                    "name": Name("free"),
                    "encryption_configuration": Nest(
                        {
                            "cloudwatch_encryption": Nest({"cloudwatch_encryption_mode": "SSE-KMS", "kms_key_arn": Base("key_arn")}),
                            "job_bookmarks_encryption": Nest({"job_bookmarks_encryption_mode": "CSE-KMS", "kms_key_arn": Base("key_arn")}),
                            "s3_encryption": Nest({"s3_encryption_mode": "SSE-KMS", "kms_key_arn": Base("key_arn")}),
                        }
                    ),
                },
                "security",
            ),
        )
    ),
    "CDC service": Service(
        (
            Piece(
                "aws_dms_replication_task",
                {
                    "replication_task_id": Name("dns"),
                    "migration_type": "full-load-and-cdc",
                    "replication_instance_arn": Own("instance", "replication_instance_arn"),
                    "source_endpoint_arn": Own("source", "endpoint_arn"),
                    "target_endpoint_arn": Own("target", "endpoint_arn"),
                    "table_mappings": Json(
                        {
                            "rules": [
                                {
                                    "rule-type": "selection",
                                    "rule-id": "1",
                                    "rule-name": "all",
                                    "object-locator": {"schema-name": "%", "table-name": "%"},
                                    "rule-action": "include",
                                }
                            ]
                        }
                    ),
                },
            ),
            Piece(
                "aws_dms_replication_instance",
                {
                    "replication_instance_id": Name("dns"),
                    "replication_instance_class": "dms.r6i.large",
                    "kms_key_arn": Base("key_arn"),
                    "publicly_accessible": False,
                    "auto_minor_version_upgrade": True,
                    "vpc_security_group_ids": [Base("group_id")],
                    "replication_subnet_group_id": Own("subnets"),
                },
                "instance",
            ),
            Piece(
                "aws_dms_replication_subnet_group",
                {
                    "replication_subnet_group_id": Name("dns"),
                    "replication_subnet_group_description": "Subnets of the migration",
                    "subnet_ids": _SUBNETS,
                },
                "subnets",
            ),
            _endpoint("source"),
            _endpoint("target"),
        )
    ),
    "bulk online transfer": Service(
        (
            Piece(
                "aws_datasync_task",
                {
                    "name": Name("free"),
                    "source_location_arn": Ask("source", "ARN of the source's location, made with its credentials"),
                    "destination_location_arn": Own("target", "arn"),
                },
            ),
            Piece(
                "aws_datasync_location_s3",
                {
                    "s3_bucket_arn": Ask("bucket", "ARN of the target's bucket"),
                    "subdirectory": "/",
                    "s3_config": Nest({"bucket_access_role_arn": Base("role_arn")}),
                },
                "target",
            ),
        )
    ),
    "feature store (offline+online)": _FEATURES,
    "online feature serving": _FEATURES,
}  # fmt: skip
