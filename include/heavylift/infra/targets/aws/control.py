"""AWS: keys, secrets, roles, alarms, logs, audit."""

from __future__ import annotations

from heavylift.infra.targets.aws.storage import bucket, guards
from heavylift.infra.template import Ask, Base, Json, Name, Nest, Own, Piece, Service, Setting, Text, Var

SERVICES = {
    "key management": Service(
        (
            Piece(
                "aws_kms_key",
                {
                    "description": Name("free"),
                    "enable_key_rotation": True,
                    "deletion_window_in_days": 7,
                    "policy": Json(
                        {
                            "Version": "2012-10-17",
                            "Statement": [
                                {
                                    "Effect": "Allow",
                                    "Action": "kms:*",
                                    "Resource": "*",
                                    "Principal": {"AWS": Text("arn:aws:iam::", Var("account_id"), ":root")},
                                }
                            ],
                        }
                    ),
                },
            ),
        ),
        ("A new key: the source's cannot leave it, so data is encrypted anew on its way.",),
    ),
    "secrets": Service(
        (
            Piece(
                "aws_secretsmanager_secret",
                {"name": Name("free"), "kms_key_id": Base("key_arn"), "recovery_window_in_days": 7},
            ),
        ),
        ("A shell without a value: no value ever stands in Terraform's files or state.",),
    ),
    "IAM role/policy": Service(
        (
            Piece(
                "aws_iam_role",
                {
                    "name": Name("free"),
                    "assume_role_policy": Json(
                        {
                            "Version": "2012-10-17",
                            "Statement": [
                                {
                                    "Effect": "Allow",
                                    "Action": "sts:AssumeRole",
                                    "Principal": {"Service": "sagemaker.amazonaws.com"},
                                    "Condition": {"StringEquals": {"aws:SourceAccount": Var("account_id")}},
                                }
                            ],
                        }
                    ),
                },
            ),
        ),
        ("A shell: its permissions are filled in by the translation of access.",),
    ),
    "metrics+alerts": Service(
        (
            Piece(
                "aws_cloudwatch_metric_alarm",
                {
                    "alarm_name": Name("free"),
                    "actions_enabled": False,
                    "namespace": Ask("namespace", "the metric's namespace"),
                    "metric_name": Ask("metric", "the metric's name"),
                    "statistic": "Average",
                    "comparison_operator": Setting("comparison", "GreaterThanThreshold", {">": "GreaterThanThreshold", "<": "LessThanThreshold"}),
                    "threshold": Setting("threshold", 1),
                    "evaluation_periods": 1,
                    "period": Setting("period_seconds", 300),
                },
            ),
        ),
        ("Switched off until its series is mapped and it was compared on replayed data.",),
    ),
    "dashboards": Service(
        (
            Piece(
                "aws_cloudwatch_dashboard",
                {"dashboard_name": Name("free"), "dashboard_body": Json({"widgets": []})},
            ),
        ),
        ("A shell: widgets are translated with the alerts.",),
    ),
    "logs": Service(
        (
            Piece(
                "aws_cloudwatch_log_group",
                {"name": Name("free"), "retention_in_days": Setting("retention_days", 365), "kms_key_id": Base("key_arn")},
            ),
        )
    ),
    "audit trail": Service(
        (
            Piece(
                "aws_cloudtrail",
                {
                    "name": Name("free"),
                    "s3_bucket_name": Own("bucket", "bucket"),
                    "kms_key_id": Base("key_arn"),
                    "is_multi_region_trail": True,
                    "enable_log_file_validation": True,
                },
            ),
            bucket("bucket"),
            *guards("bucket"),
            Piece(
                "aws_s3_bucket_policy",
                {
                    "bucket": Own("bucket"),
                    "policy": Json(
                        {
                            "Version": "2012-10-17",
                            "Statement": [
                                {
                                    "Effect": "Allow",
                                    "Action": ["s3:GetBucketAcl", "s3:PutObject"],
                                    "Resource": [Own("bucket", "arn"), Text(Own("bucket", "arn"), "/AWSLogs/*")],
                                    "Principal": {"Service": "cloudtrail.amazonaws.com"},
                                    "Condition": {"StringEquals": {"aws:SourceAccount": Var("account_id")}},
                                }
                            ],
                        }
                    ),
                },
                "writable",
            ),
        )
    ),
    "PII discovery": Service(
        (
            Piece(
                "aws_macie2_classification_job",
                {
                    "name": Name("free"),
                    "job_type": "ONE_TIME",
                    "s3_job_definition": Nest(
                        {
                            "bucket_definitions": Nest(
                                {"account_id": Var("account_id"), "buckets": Ask("buckets", "names of the buckets to look at", many=True)}
                            )
                        }
                    ),
                },
            ),
        )
    ),
}  # fmt: skip
