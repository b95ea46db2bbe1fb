"""Google Cloud: databases, streams, warehouses and what moves data."""

from __future__ import annotations

from heavylift.infra.template import Ask, Base, Name, Nest, Own, Piece, Service, Setting, Text, Var

_ENGINES = {"postgres": "POSTGRES_16", "mysql": "MYSQL_8_0", "sqlserver": "SQLSERVER_2022_STANDARD"}
SERVICES = {
    "relational": Service(
        (
            Piece(
                "google_sql_database_instance",
                {
                    "name": Name("dns"),
                    "region": Var("region"),
                    "database_version": Setting("engine", "POSTGRES_16", _ENGINES),
                    "encryption_key_name": Base("key_id"),
                    "deletion_protection": Var("protect"),
                    "settings": Nest(
                        {
                            "tier": Setting("tier", "db-custom-4-16384"),
                            "availability_type": Setting("high_availability", "ZONAL", {True: "REGIONAL", False: "ZONAL"}),
                            "disk_size": Setting("size_gb", 100),
                            "disk_autoresize": True,
                            "user_labels": Var("labels"),
                            "backup_configuration": Nest(
                                {"enabled": True, "point_in_time_recovery_enabled": True}
                            ),
                            "ip_configuration": Nest(
                                {
                                    "ipv4_enabled": False,
                                    "private_network": Base("peering"),
                                    "ssl_mode": "ENCRYPTED_ONLY",
                                }
                            ),
                        }
                    ),
                },
            ),
        ),
        ("Users and their passwords are made when the data moves.",),
    ),
    "key-value": Service(
        (
            Piece(
                "google_bigtable_table",
                {
                    "name": Name("snake"),
                    "instance_name": Own("instance", "name"),
                    "column_family": Nest({"family": "data"}),
                },
            ),
            Piece(
                "google_bigtable_instance",
                {
                    "name": Name("dns"),
                    "deletion_protection": Var("protect"),
                    "labels": Var("labels"),
                    "cluster": Nest(
                        {
                            "cluster_id": Name("short"),
                            "zone": Text(Var("region"), "-b"),
                            "num_nodes": Setting("nodes", 1),
                            "storage_type": "SSD",
                            "kms_key_name": Base("key_id"),
                        }
                    ),
                },
                "instance",
            ),
        )
    ),
    "warehouse": Service(
        (
            Piece(
                "google_bigquery_dataset",
                {
                    "dataset_id": Name("snake"),
                    "location": Var("region"),
                    "labels": Var("labels"),
                    "default_encryption_configuration": Nest({"kms_key_name": Base("key_id")}),
                },
            ),
        )
    ),
    "data catalogue": Service(
        (
            Piece(
                "google_dataplex_lake",
                {"name": Name("dns"), "location": Var("region"), "labels": Var("labels")},
            ),
        )
    ),
    "stream": Service(
        (
            Piece(
                "google_pubsub_topic",
                {
                    "name": Name("free"),
                    "kms_key_name": Base("key_id"),
                    "labels": Var("labels"),
                    "message_retention_duration": Setting("retention_seconds", "86400s", form="{}s"),
                },
            ),
        )
    ),
    "managed Kafka": Service(
        (
            Piece(
                "google_managed_kafka_cluster",
                {
                    "cluster_id": Name("dns"),
                    "location": Var("region"),
                    "labels": Var("labels"),
                    "capacity_config": Nest({"vcpu_count": "3", "memory_bytes": "12884901888"}),
                    "gcp_config": Nest(
                        {
                            "kms_key": Base("key_id"),
                            "access_config": Nest(
                                {"network_configs": Nest({"subnet": Base("subnet_id")})}
                            ),
                        }
                    ),
                },
            ),
        )
    ),
    "queue": Service(
        (
            Piece(
                "google_cloud_tasks_queue",
                {
                    "name": Name("free"),
                    "location": Var("region"),
                    "retry_config": Nest({"max_attempts": Setting("deliveries", 5)}),
                },
            ),
        ),
        ("Cloud Tasks pushes to a handler; consumers that poll need Pub/Sub instead.",),
    ),
    "ETL": Service(
        (
            Piece(
                "google_dataflow_job",
                {
                    "name": Name("dns"),
                    "region": Var("region"),
                    "template_gcs_path": Ask("template", "the job's template, gs://…"),
                    "temp_gcs_location": Ask("temporary", "a place for its temporary files, gs://…"),
                    "service_account_email": Base("identity_email"),
                    "network": Base("network_name"),
                    "ip_configuration": "WORKER_IP_PRIVATE",
                    "kms_key_name": Base("key_id"),
                    "labels": Var("labels"),
                },
            ),
        )
    ),
    "CDC service": Service(
        (
            Piece(
                "google_datastream_stream",
                {
                    "stream_id": Name("dns"),
                    "display_name": Name("dns"),
                    "location": Var("region"),
                    "customer_managed_encryption_key": Base("key_id"),
                    "labels": Var("labels"),
                    "backfill_all": Nest(),
                    "source_config": Nest(
                        {
                            "source_connection_profile": Ask("source_profile", "id of the source's connection profile"),
                            "postgresql_source_config": Nest(
                                {
                                    "publication": Setting("publication", "heavylift"),
                                    "replication_slot": Setting("slot", "heavylift"),
                                }
                            ),
                        }
                    ),
                    "destination_config": Nest(
                        {
                            "destination_connection_profile": Ask("target_profile", "id of the target's connection profile"),
                            "bigquery_destination_config": Nest(
                                {
                                    "data_freshness": "900s",
                                    "source_hierarchy_datasets": Nest(
                                        {"dataset_template": Nest({"location": Var("region"), "kms_key_name": Base("key_id")})}
                                    ),
                                }
                            ),
                        }
                    ),
                },
            ),
        )
    ),
    "bulk online transfer": Service(
        (
            Piece(
                "google_storage_transfer_job",
                {
                    "description": Name("free"),
                    "transfer_spec": Nest(
                        {
                            "gcs_data_sink": Nest({"bucket_name": Ask("target_bucket", "the target's bucket")}),
                            "aws_s3_data_source": Nest(
                                {
                                    "bucket_name": Ask("source_bucket", "the source's bucket"),
                                    "role_arn": Ask("source_role", "ARN of the role that may read it"),
                                }
                            ),
                        }
                    ),
                },
            ),
        )
    ),
    "feature store (offline+online)": Service(
        (
            Piece(
                "google_vertex_ai_feature_group",
                {
                    "name": Name("snake"),
                    "region": Var("region"),
                    "labels": Var("labels"),
                    "big_query": Nest(
                        {
                            "entity_id_columns": [Setting("entity", "entity_id")],
                            "big_query_source": Nest({"input_uri": Ask("table", "the table of its values, bq://project.dataset.table")}),
                        }
                    ),
                },
            ),
            Piece(
                "google_vertex_ai_feature_group_feature",
                {
                    "name": Setting("first_feature", "value"),
                    "region": Var("region"),
                    "feature_group": Own("main", "name"),
                    "labels": Var("labels"),
                },
                "feature",
                when="first_feature",
            ),
        )
    ),
    "online feature serving": Service(
        (
            Piece(
                "google_vertex_ai_feature_online_store",
                {
                    "name": Name("snake"),
                    "region": Var("region"),
                    "labels": Var("labels"),
                    "bigtable": Nest(
                        {"auto_scaling": Nest({"min_node_count": 1, "max_node_count": Setting("nodes", 3)})}
                    ),
                },
            ),
        )
    ),
}  # fmt: skip
