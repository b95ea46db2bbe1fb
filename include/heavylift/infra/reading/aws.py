"""What AWS tells, in neutral words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heavylift.infra.derived import cron_of
from heavylift.infra.reading.paths import ENGINES, TRUTH, Attributes, Row, at, number, word

_COLDER = {
    "STANDARD_IA": "cool", "ONEZONE_IA": "cool", "INTELLIGENT_TIERING": "cool", "GLACIER_IR": "cold",
    "GLACIER": "archive", "DEEP_ARCHIVE": "archive",
}  # fmt: skip


def _lifecycle(found: Attributes) -> list[dict[str, Any]]:
    rules = []
    for rule in at("Lifecycle[?Status=='Enabled']", found) or ():
        prefix = at("Filter.Prefix || Prefix", rule)
        scope = {"prefixes": [prefix]} if prefix else {}
        days = at("Expiration.Days", rule)
        if days:
            rules.append({"days": days, "then": "delete", **scope})
        old = at("NoncurrentVersionExpiration.NoncurrentDays", rule)
        if old:
            rules.append({"noncurrent_days": old, "then": "delete", **scope})
        rules += [
            {"days": step["Days"], "then": _COLDER[step["StorageClass"]], **scope}
            for step in at("Transitions[?Days]", rule) or ()
            if step.get("StorageClass") in _COLDER
        ]
    return rules


def _ranges(found: Attributes) -> list[str]:
    return sorted(set(at("IpPermissions[].IpRanges[].CidrIp", found) or ()))


def _ports(found: Attributes) -> list[dict[str, Any]]:
    opened = []
    for each in at("IpPermissions", found) or ():
        low, high = each.get("FromPort"), each.get("ToPort")
        if low is None or high is None or each.get("IpProtocol") not in ("tcp", "udp"):
            continue
        text = str(low) if low == high else f"{low}-{high}"
        opened.append({"protocol": each["IpProtocol"], "ports": [text], "low": low, "high": high})
    return opened


ROWS: Mapping[str, Row] = {
    "AWS::S3::Bucket": {"versioning": word("Versioning", TRUTH), "lifecycle": _lifecycle},
    "AWS::RDS::DBInstance": {
        "engine": word("Engine", ENGINES),
        "size_gb": number("AllocatedStorage"),
        "high_availability": "MultiAZ",
        "instance_type": "DBInstanceClass",
    },
    "AWS::RDS::DBCluster": {"engine": word("Engine", ENGINES), "high_availability": "MultiAZ"},
    "AWS::DynamoDB::Table": {
        "hash_key": "KeySchema[?KeyType=='HASH'].AttributeName | [0]",
        "range_key": "KeySchema[?KeyType=='RANGE'].AttributeName | [0]",
    },
    "AWS::Kinesis::Stream": {
        "retention_hours": number("RetentionPeriodHours"),
        "retention_seconds": lambda found: (number("RetentionPeriodHours")(found) or 0) * 3600 or None,
        "shards": number("OpenShardCount"),
    },
    "AWS::MSK::Cluster": {
        "brokers": number("Provisioned.NumberOfBrokerNodes"),
        "version": "Provisioned.CurrentBrokerSoftwareInfo.KafkaVersion",
    },
    "AWS::SQS::Queue": {
        "visibility_seconds": number("Attributes.VisibilityTimeout || VisibilityTimeout"),
        "retention_seconds": number("Attributes.MessageRetentionPeriod || MessageRetentionPeriod"),
    },
    "AWS::ECR::Repository": {
        "immutable_tags": word("imageTagMutability", {"immutable": True, "mutable": False})
    },
    "AWS::EFS::FileSystem": {},
    "AWS::EKS::Nodegroup": {
        "instance_type": "instanceTypes[0]",
        "least": number("scalingConfig.minSize"),
        "most": number("scalingConfig.maxSize"),
    },
    "AWS::EC2::Instance": {"instance_type": "InstanceType"},
    "AWS::EC2::Volume": {"size_gb": number("Size")},
    "AWS::EC2::VPC": {"cidr": "CidrBlock"},
    "AWS::EC2::Subnet": {"cidr": "CidrBlock"},
    "AWS::EC2::SecurityGroup": {"ranges": _ranges, "ports": _ports},
    "AWS::Lambda::Function": {
        "memory_mb": number("MemorySize"),
        "timeout_seconds": number("Timeout"),
    },
    "AWS::Events::Rule": {"cron": lambda found: cron_of(str(found.get("ScheduleExpression", "")))},
    "AWS::Logs::LogGroup": {"retention_days": number("retentionInDays")},
    "AWS::CloudWatch::Alarm": {
        "threshold": "Threshold",
        "period_seconds": number("Period"),
        "comparison": word("ComparisonOperator", {"greater": ">", "less": "<"}),
    },
    "AWS::SageMaker::NotebookInstance": {
        "instance_type": "InstanceType",
        "size_gb": number("VolumeSizeInGB"),
    },
    "AWS::SageMaker::FeatureGroup": {
        "entity": "RecordIdentifierFeatureName",
        "event_time": "EventTimeFeatureName",
    },
}
"""Native type to settings: a path, or a function."""
