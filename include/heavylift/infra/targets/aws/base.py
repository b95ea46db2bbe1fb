"""What every wave on AWS stands on: network, two subnets, security group, key, role."""

from __future__ import annotations

from heavylift.infra.template import Json, Name, Own, Piece, Service, Setting, Text, Var

_SERVICES = [
    "sagemaker",
    "lambda",
    "states",
    "glue",
    "scheduler",
    "airflow",
    "airflow-env",
    "bedrock",
    "dms",
    "datasync",
    "ec2",
    "eks",
]
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": [f"{name}.amazonaws.com" for name in _SERVICES]},
            "Condition": {"StringEquals": {"aws:SourceAccount": Var("account_id")}},
        }
    ],
}
_KEY_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "Owner",
            "Effect": "Allow",
            "Action": "kms:*",
            "Resource": "*",
            "Principal": {"AWS": Text("arn:aws:iam::", Var("account_id"), ":root")},
        },
        {
            "Sid": "Services",
            "Effect": "Allow",
            "Action": [
                "kms:Encrypt",
                "kms:Decrypt",
                "kms:ReEncrypt*",
                "kms:GenerateDataKey*",
                "kms:DescribeKey",
            ],
            "Resource": "*",
            "Principal": {
                "Service": [Text("logs.", Var("region"), ".amazonaws.com"), "cloudtrail.amazonaws.com"]
            },
            "Condition": {"StringEquals": {"aws:SourceAccount": Var("account_id")}},
        },
    ],
}


def _subnet(role: str) -> Piece:
    body = {
        "vpc_id": Own("network"),
        "cidr_block": Setting(f"cidr_{role}"),
        "availability_zone": Text(Var("region"), role),
        "map_public_ip_on_launch": False,
        "tags": {"Name": f"subnet-{role}"},
    }
    return Piece("aws_subnet", body, role)


BASE = Service(
    (
        Piece(
            "aws_vpc",
            {
                "cidr_block": Setting("cidr"),
                "enable_dns_support": True,
                "enable_dns_hostnames": True,
                "tags": {"Name": Name("free")},
            },
            "network",
        ),
        # A group that lets nothing through, in the place of the one that every network comes with.
        Piece("aws_default_security_group", {"vpc_id": Own("network")}, "shut"),
        _subnet("a"),
        _subnet("b"),
        Piece(
            "aws_security_group",
            {"name": Name("free"), "description": "Within the network, and out by TLS", "vpc_id": Own("network")},
            "group",
        ),
        Piece(
            "aws_vpc_security_group_ingress_rule",
            {
                "security_group_id": Own("group"),
                "description": "From members of the group",
                "referenced_security_group_id": Own("group"),
                "ip_protocol": "-1",
            },
            "inside",
        ),
        Piece(
            "aws_vpc_security_group_egress_rule",
            {
                "security_group_id": Own("group"),
                "description": "TLS within the network",
                "cidr_ipv4": Setting("cidr"),
                "ip_protocol": "tcp",
                "from_port": 443,
                "to_port": 443,
            },
            "out",
        ),
        Piece(
            "aws_kms_key",
            {
                "description": "Data of the migration",
                "enable_key_rotation": True,
                "deletion_window_in_days": 7,
                "policy": Json(_KEY_POLICY),
            },
            "key",
        ),
        Piece("aws_kms_alias", {"name": Text("alias/", Name("free")), "target_key_id": Own("key", "key_id")}, "alias"),
        Piece("aws_iam_role", {"name": Name("free"), "assume_role_policy": Json(_TRUST)}, "role"),
        Piece(
            "aws_flow_log",
            {
                "vpc_id": Own("network"),
                "traffic_type": "ALL",
                "log_destination": Own("logs", "arn"),
                "iam_role_arn": Own("flow", "arn"),
            },
            "flows",
        ),
        Piece(
            "aws_cloudwatch_log_group",
            {"name": Text("/heavylift/", Name("free"), "/flows"), "retention_in_days": 365, "kms_key_id": Own("key", "arn")},
            "logs",
        ),
        Piece(
            "aws_iam_role",
            {
                "name": Text(Name("free"), "-flows"),
                "assume_role_policy": Json(
                    {
                        "Version": "2012-10-17",
                        "Statement": [
                            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "vpc-flow-logs.amazonaws.com"}}
                        ],
                    }
                ),
            },
            "flow",
        ),
        Piece(
            "aws_iam_role_policy",
            {
                "name": "write-flows",
                "role": Own("flow"),
                "policy": Json(
                    {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                                "Resource": Text(Own("logs", "arn"), ":*"),
                            }
                        ],
                    }
                ),
            },
            "flow-policy",
        ),
    )
)  # fmt: skip
OUTPUTS = {
    "network_id": ("network", "id"),
    "subnet_a_id": ("a", "id"),
    "subnet_b_id": ("b", "id"),
    "group_id": ("group", "id"),
    "key_arn": ("key", "arn"),
    "role_arn": ("role", "arn"),
    "role_name": ("role", "name"),
}
