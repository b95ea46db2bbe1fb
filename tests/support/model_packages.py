"""A SageMaker Model Registry of known content on moto's server, and what its clients see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import botocore.session

from heavylift.connections import Connection

REGION = "eu-west-1"
BUCKET, TARGET_BUCKET = "models-source", "models-target"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/fraud:7"
DIGEST = "sha256:" + "ab" * 32
JOB = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/fraud-train"


@dataclass(frozen=True)
class Account:
    """One region of moto's server; each has a Model Registry of its own."""

    endpoint: str
    region: str = REGION

    @property
    def connection(self) -> Connection:
        """The connection of the region."""
        extra = {"endpoint_url": self.endpoint, "region_name": self.region}
        return Connection(f"sagemaker_{self.region}", "aws", "testing", "testing", extra=extra)

    def client(self, service: str) -> Any:
        """Return botocore's own client."""
        return botocore.session.get_session().create_client(
            service,
            region_name=self.region,
            endpoint_url=self.endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def packages(self, group: str) -> list[dict[str, Any]]:
        """Return the packages of a group as SageMaker describes them, oldest first."""
        client = self.client("sagemaker")
        listed = client.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
        found = [client.describe_model_package(ModelPackageName=each["ModelPackageArn"]) for each in listed]
        return sorted(found, key=lambda each: each["ModelPackageVersion"])

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Return a bucket's objects."""
        client = self.client("s3")
        keys = [each["Key"] for each in client.list_objects_v2(Bucket=bucket).get("Contents", ())]
        return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def fill_bucket(account: Account) -> None:
    """Put the objects that packages name."""
    s3 = account.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    for number in (1, 2, 3):
        s3.put_object(
            Bucket=BUCKET, Key=f"fraud/{number}/model.tar.gz", Body=f"model {number}".encode() * 1000
        )
        s3.put_object(Bucket=BUCKET, Key=f"fraud/{number}/quality.json", Body=b'{"auc": 0.9}')
    s3.put_object(Bucket=BUCKET, Key="churn/1/MLmodel", Body=b"flavors: {}")
    s3.put_object(Bucket=BUCKET, Key="churn/1/data/model.skops", Body=b"\x00" * 100)


def fill(account: Account) -> None:
    """Make a group of three versions with everything that a package can have, and one with a little."""
    sagemaker = account.client("sagemaker")
    sagemaker.create_model_package_group(
        ModelPackageGroupName="fraud",
        ModelPackageGroupDescription="Finds fraud – daily",
        Tags=[{"Key": "team", "Value": "risk"}, {"Key": "cost:center", "Value": ""}],
    )
    sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    for number, status in ((1, "Rejected"), (2, "Approved"), (3, "PendingManualApproval")):
        sagemaker.create_model_package(**package("fraud", number, status))
    _trial(sagemaker)
    place = {"S3Uri": f"s3://{BUCKET}/churn/1/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    sagemaker.create_model_package(
        ModelPackageGroupName="churn",
        InferenceSpecification={"Containers": [{"Image": IMAGE, "ModelDataSource": {"S3DataSource": place}}]},
    )


def package(group: str, number: int, status: str) -> dict[str, Any]:
    """Return a request that registers a package."""
    report = {"ContentType": "application/json", "S3Uri": f"s3://{BUCKET}/{group}/{number}/quality.json"}
    return {
        "ModelPackageGroupName": group,
        "ModelPackageDescription": f"version {number}",
        "ModelApprovalStatus": status,
        "InferenceSpecification": {
            "Containers": [
                {
                    "Image": IMAGE,
                    "ImageDigest": DIGEST,
                    "ModelDataUrl": f"s3://{BUCKET}/{group}/{number}/model.tar.gz",
                    "Environment": {"MODEL_SERVER_WORKERS": "2", "EMPTY": ""},
                    "Framework": "XGBOOST",
                    "FrameworkVersion": "1.7-1",
                }
            ],
            "SupportedContentTypes": ["text/csv", "application/json"],
            "SupportedResponseMIMETypes": ["application/json"],
            "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
            "SupportedTransformInstanceTypes": ["ml.m5.xlarge"],
        },
        "ModelMetrics": {"ModelQuality": {"Statistics": report}},
        "MetadataProperties": {"CommitId": "abc123", "GeneratedBy": JOB, "Repository": "https://git/fraud"},
        "CustomerMetadataProperties": {"owner": "risk team", "data.version": str(number)},
        "SamplePayloadUrl": f"s3://{BUCKET}/{group}/{number}/quality.json",
        "Domain": "MACHINE_LEARNING",
        "Task": "CLASSIFICATION",
    }


def _trial(sagemaker: Any) -> None:
    sagemaker.create_experiment(ExperimentName="fraud-experiment")
    sagemaker.create_trial(TrialName="fraud-trial", ExperimentName="fraud-experiment")
    sagemaker.create_trial_component(TrialComponentName="fraud-run")
    sagemaker.associate_trial_component(TrialName="fraud-trial", TrialComponentName="fraud-run")
    sagemaker.create_trial_component(TrialComponentName="run-of-no-trial")
