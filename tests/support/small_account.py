"""A small account for tests that need no server: what a control plane answers, as botocore would give it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from heavylift.errors import NotFoundError
from heavylift.platforms.control import Account

ACCOUNT = "111122223333"
REGION = "eu-west-1"
BUCKET = "arn:aws:s3:::training"
DATABASE = f"arn:aws:rds:{REGION}:{ACCOUNT}:db:features"
ENDPOINT = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/score"
CONFIG = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint-config/score-1"
MODEL = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model/fraud"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/serving"
JOB = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/train-1"
PARTNER = "api.partner.example"
SIZES = {"training": (5 * 10**9, 40)}

ANSWERS: dict[str, dict[str, Any]] = {
    "ListBuckets": {"Buckets": [{"Name": "training", "CreationDate": "2026-01-01T00:00:00+00:00"}]},
    "GetBucketLocation": {"LocationConstraint": REGION},
    "GetBucketTagging": {"TagSet": [{"Key": "Team", "Value": "fraud"}]},
    "DescribeDBInstances": {
        "DBInstances": [
            {
                "DBInstanceArn": DATABASE,
                "DBInstanceIdentifier": "features",
                "AllocatedStorage": 100,
                "Engine": "postgres",
                "EngineVersion": "16",
                "MultiAZ": False,
            }
        ]
    },
    "ListEndpoints": {"Endpoints": [{"EndpointName": "score", "EndpointArn": ENDPOINT}]},
    "DescribeEndpoint": {
        "EndpointName": "score",
        "EndpointArn": ENDPOINT,
        "EndpointConfigName": "score-1",
        "EndpointStatus": "InService",
        "ProductionVariants": [{"VariantName": "all", "CurrentInstanceCount": 2}],
    },
    "ListEndpointConfigs": {
        "EndpointConfigs": [{"EndpointConfigName": "score-1", "EndpointConfigArn": CONFIG}]
    },
    "DescribeEndpointConfig": {
        "EndpointConfigName": "score-1",
        "EndpointConfigArn": CONFIG,
        "ProductionVariants": [
            {
                "VariantName": "all",
                "ModelName": "fraud",
                "InstanceType": "ml.g5.xlarge",
                "InitialInstanceCount": 2,
            }
        ],
    },
    "ListModels": {"Models": [{"ModelName": "fraud", "ModelArn": MODEL}]},
    "DescribeModel": {
        "ModelName": "fraud",
        "ModelArn": MODEL,
        "ExecutionRoleArn": ROLE,
        "PrimaryContainer": {
            "Image": "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-inference:2.1",
            "ModelDataUrl": "s3://training/model.tar.gz",
            "Environment": {"PARTNER_URL": f"https://{PARTNER}/v1"},
        },
    },
    "ListTrainingJobs": {"TrainingJobSummaries": [{"TrainingJobName": "train-1", "TrainingJobArn": JOB}]},
    "DescribeTrainingJob": {
        "TrainingJobName": "train-1",
        "TrainingJobArn": JOB,
        "TrainingJobStatus": "Completed",
        "CreationTime": "2026-11-01T00:00:00+00:00",
        "TrainingTimeInSeconds": 7200,
        "ResourceConfig": {"InstanceType": "ml.p4d.24xlarge", "InstanceCount": 2},
        "InputDataConfig": [
            {"DataSource": {"S3DataSource": {"S3Uri": "s3://training/rows/"}}, "ChannelName": "train"}
        ],
        "RoleArn": ROLE,
    },
    "GetAccountAuthorizationDetails": {
        "RoleDetailList": [{"RoleName": "serving", "Arn": ROLE, "Path": "/", "AssumeRolePolicyDocument": {}}]
    },
    "ListMetrics": {
        "Metrics": [
            {
                "MetricName": "BucketSizeBytes",
                "Dimensions": [
                    {"Name": "BucketName", "Value": "training"},
                    {"Name": "StorageType", "Value": "StandardStorage"},
                ],
            }
        ]
    },
}


class SmallPlane:
    """Answers from :data:`ANSWERS`; every other listing is empty.

    :param before: called with the operation before each answer; raises or kills as it likes.
    :param measured: whether CloudWatch has datapoints.
    """

    def __init__(
        self, before: Callable[[str], None] = lambda _operation: None, *, measured: bool = True
    ) -> None:
        self._before, self._measured = before, measured
        self._lock = threading.Lock()
        self.requests = 0
        self.asked: list[str] = []

    def close(self) -> None:
        """Have nothing to let go."""

    def account(self) -> Account:
        return Account(ACCOUNT)

    def regions(self) -> list[str]:
        return [REGION]

    def offers(self, service: str, region: str) -> bool:
        return bool(service and region)

    def permission(self, service: str, operation: str) -> str:
        return f"{service}:{operation}"

    def call(
        self, service: str, operation: str, region: str, arguments: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        with self._lock:
            self.requests += 1
            self.asked.append(operation)
            self._before(operation)
        if operation == "GetMetricStatistics":
            return self._metric(arguments)
        if operation in ("GetBucketPolicy", "GetBucketEncryption"):
            raise NotFoundError(
                f"{service}:{operation}", got="none", expected="one", state="", remedy="", code="7602"
            )
        return ANSWERS.get(operation, {})

    def _metric(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        if not self._measured:
            return {"Datapoints": []}
        wanted = {each["Name"]: each["Value"] for each in arguments["Dimensions"]}
        size, objects = SIZES[wanted["BucketName"]]
        value = size if arguments["MetricName"] == "BucketSizeBytes" else objects
        return {"Datapoints": [{"Timestamp": arguments["EndTime"], "Average": float(value)}]}

    def pages(
        self,
        service: str,
        operation: str,
        region: str,
        arguments: Mapping[str, Any],
        last_token: str = "",
    ) -> Iterator[Mapping[str, Any]]:
        del last_token
        yield self.call(service, operation, region, arguments)
