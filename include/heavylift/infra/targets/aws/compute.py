"""AWS: clusters, machines, functions, workflows."""

from __future__ import annotations

from heavylift.infra.targets.aws.storage import bucket, guards
from heavylift.infra.template import Ask, Base, Json, Name, Nest, Own, Piece, Service, Setting, Text, Var

_SUBNETS = [Base("subnet_a_id"), Base("subnet_b_id")]
SERVICES = {
    "Kubernetes": Service(
        (
            Piece(
                "aws_eks_cluster",
                {
                    "name": Name("free"),
                    "role_arn": Base("role_arn"),
                    "deletion_protection": Var("protect"),
                    "enabled_cluster_log_types": ["api", "audit", "authenticator", "controllerManager", "scheduler"],
                    "access_config": Nest({"authentication_mode": "API"}),
                    "encryption_config": Nest({"resources": ["secrets"], "provider": Nest({"key_arn": Base("key_arn")})}),
                    "vpc_config": Nest(
                        {
                            "subnet_ids": _SUBNETS,
                            "security_group_ids": [Base("group_id")],
                            "endpoint_private_access": True,
                            "endpoint_public_access": False,
                        }
                    ),
                },
            ),
        ),
        ("The role needs AmazonEKSClusterPolicy: granted with the translation of access.",),
    ),
    "Kubernetes GPU node pool": Service(
        (
            Piece(
                "aws_eks_node_group",
                {
                    "node_group_name": Name("free"),
                    "cluster_name": Ask("cluster", "name of the cluster that the pool belongs to"),
                    "node_role_arn": Base("role_arn"),
                    "subnet_ids": [Base("subnet_a_id")],
                    "ami_type": "AL2023_x86_64_NVIDIA",
                    "instance_types": [Setting("target_instance", "g6.12xlarge")],
                    "scaling_config": Nest(
                        {"min_size": Setting("least", 0), "max_size": Setting("most", 2), "desired_size": Setting("least", 0)}
                    ),
                    "taint": Nest({"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}),
                },
            ),
        )
    ),
    "workload identity": Service(
        (
            Piece(
                "aws_eks_pod_identity_association",
                {
                    "cluster_name": Ask("cluster", "name of the cluster that the workload runs on"),
                    "namespace": Setting("namespace", "default"),
                    "service_account": Setting("service_account", "default"),
                    "role_arn": Base("role_arn"),
                },
            ),
        )
    ),
    "virtual machine": Service(
        (
            Piece(
                "aws_instance",
                {
                    "ami": Ask("image", "id of the machine image"),
                    "instance_type": Setting("target_instance", "m7i.xlarge"),
                    "subnet_id": Base("subnet_a_id"),
                    "vpc_security_group_ids": [Base("group_id")],
                    "associate_public_ip_address": False,
                    "ebs_optimized": True,
                    "monitoring": True,
                    "iam_instance_profile": Own("profile", "name"),
                    "metadata_options": Nest({"http_endpoint": "enabled", "http_tokens": "required"}),
                    "root_block_device": Nest({"encrypted": True, "kms_key_id": Base("key_arn"), "volume_size": Setting("size_gb", 50)}),
                    "tags": {"Name": Name("free")},
                },
            ),
            Piece("aws_iam_instance_profile", {"name": Name("free"), "role": Base("role_name")}, "profile"),
        ),
        ("The disk's content moves as files, not as an image.",),
    ),
    "functions": Service(
        (
            Piece(
                "aws_lambda_function",
                {
                    "function_name": Name("free"),
                    "role": Base("role_arn"),
                    "runtime": Setting("runtime", "python3.13"),
                    "handler": Setting("entry_point", "main.handler"),
                    "memory_size": Setting("memory_mb", 512),
                    "timeout": Setting("timeout_seconds", 60),
                    "reserved_concurrent_executions": 10,
                    "kms_key_arn": Base("key_arn"),
                    "s3_bucket": Ask("code_bucket", "bucket of the function's code"),
                    "s3_key": Ask("code_object", "object with the function's code, a zip file"),
                    "tracing_config": Nest({"mode": "Active"}),
                    "dead_letter_config": Nest({"target_arn": Own("dead", "arn")}),
                    "vpc_config": Nest({"subnet_ids": _SUBNETS, "security_group_ids": [Base("group_id")]}),
                },
            ),
            Piece(
                "aws_sqs_queue",
                {"name": Text(Name("free"), "-dead"), "kms_master_key_id": Base("key_arn")},
                "dead",
            ),
        ),
        ("The handler's signature differs: the code has to be adapted.",),
    ),
    "workflow": Service(
        (
            Piece(
                "aws_sfn_state_machine",
                {
                    "name": Name("free"),
                    "role_arn": Base("role_arn"),
                    "definition": Json(
                        {
                            "StartAt": "Untranslated",
                            "States": {"Untranslated": {"Type": "Fail", "Error": "Untranslated", "Cause": "its definition comes with the pipelines' translation"}},
                        }
                    ),
                    "tracing_configuration": Nest({"enabled": True}),
                    "encryption_configuration": Nest({"type": "CUSTOMER_MANAGED_KMS_KEY", "kms_key_id": Base("key_arn")}),
                    "logging_configuration": Nest(
                        {"level": "ALL", "include_execution_data": True, "log_destination": Text(Own("logs", "arn"), ":*")}
                    ),
                },
            ),
            Piece(
                "aws_cloudwatch_log_group",
                {"name": Text("/heavylift/workflow/", Name("free")), "retention_in_days": 365, "kms_key_id": Base("key_arn")},
                "logs",
            ),
        ),
        ("A shell: its definition fails loudly until the translated one takes its place.",),
    ),
    "managed Airflow": Service(
        (
            Piece(
                "aws_mwaa_environment",
                {
                    "name": Name("free"),
                    "dag_s3_path": "dags/",
                    "source_bucket_arn": Own("bucket", "arn"),
                    "execution_role_arn": Base("role_arn"),
                    "kms_key": Base("key_arn"),
                    "webserver_access_mode": "PRIVATE_ONLY",
                    "network_configuration": Nest({"subnet_ids": _SUBNETS, "security_group_ids": [Base("group_id")]}),
                    "logging_configuration": Nest(
                        {
                            f"{part}_logs": Nest({"enabled": True, "log_level": "INFO"})
                            for part in ("dag_processing", "scheduler", "task", "webserver", "worker")
                        }
                    ),
                },
            ),
            bucket("bucket"),
            *guards("bucket"),
        )
    ),
    "scheduler": Service(
        (
            Piece(
                "aws_scheduler_schedule",
                {
                    "name": Name("free"),
                    "state": "DISABLED",
                    "schedule_expression": Setting("cron_aws", "rate(1 hour)"),
                    "schedule_expression_timezone": Setting("time_zone", "UTC"),
                    "kms_key_arn": Base("key_arn"),
                    "flexible_time_window": Nest({"mode": "OFF"}),
                    "target": Nest({"arn": Own("queue", "arn"), "role_arn": Base("role_arn")}),
                },
            ),
            Piece("aws_sqs_queue", {"name": Name("free"), "kms_master_key_id": Base("key_arn")}, "queue"),
        ),
        ("Switched off, and sends to a queue of its own: what it starts is connected at the cutover.",),
    ),
}  # fmt: skip
