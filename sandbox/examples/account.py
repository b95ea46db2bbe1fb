"""The AWS account around the fraud-scoring workload: what trains, serves, feeds and watches it.

``seed`` makes it on the control plane of ``aws_control`` and leaves what is there. Its objects are few: what
moves in the demo lies on ``aws_source``; here is what the phase assess lists and plans.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from heavylift.connections import connection_from_env

CONNECTION = "aws_control"
REGION = "eu-west-1"
_IMAGE = "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-inference:2.1-gpu-py310"
_TAGS = [{"Key": "team", "Value": "payments-ml"}]


def seed(environ: Mapping[str, str]) -> str:
    """Make the account, and say what it holds."""
    made = _Account(connection_from_env(CONNECTION, environ))
    if made.is_there():
        return "the AWS account is there already"
    made.data()
    made.access()
    made.training()
    made.serving()
    made.watching()
    return f"the AWS account around it, in {REGION}: buckets, a database, training jobs, an endpoint"


class _Account:
    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._clients: dict[str, Any] = {}

    def is_there(self) -> bool:
        return bool(self._client("sagemaker").list_endpoints()["Endpoints"])

    def data(self) -> None:
        s3 = self._client("s3")
        for bucket, objects in (("fraud-scoring-raw", 12), ("fraud-scoring-models", 2)):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
            s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": _TAGS})
            for number in range(objects):
                s3.put_object(Bucket=bucket, Key=f"part-{number:03}.parquet", Body=b"x" * 20_000)
        self._client("rds").create_db_instance(
            DBInstanceIdentifier="features",
            Engine="postgres",
            DBInstanceClass="db.r6g.large",
            AllocatedStorage=200,
            MasterUsername="heavylift",
            ManageMasterUserPassword=True,
            MultiAZ=True,
            Tags=_TAGS,
        )
        self._client("dynamodb").create_table(
            TableName="scores",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self._client("kinesis").create_stream(StreamName="transactions", ShardCount=2)
        self.repository = self._client("ecr").create_repository(repositoryName="fraud/train")["repository"]

    def access(self) -> None:
        trust = {"Version": "2012-10-17", "Statement": [_assume("sagemaker.amazonaws.com")]}
        role = self._client("iam").create_role(RoleName="fraud", AssumeRolePolicyDocument=json.dumps(trust))
        self.role = role["Role"]["Arn"]
        raw = "arn:aws:s3:::fraud-scoring-raw/*"
        granted = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": raw}
        self._client("iam").put_role_policy(
            RoleName="fraud",
            PolicyName="reads",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [granted]}),
        )
        self.key = self._client("kms").create_key(Description="fraud")["KeyMetadata"]["Arn"]
        self._client("secretsmanager").create_secret(
            Name="fraud/features", SecretString="of the sandbox alone", KmsKeyId=self.key
        )

    def training(self) -> None:
        sagemaker = self._client("sagemaker")
        for number in range(2):
            sagemaker.create_training_job(
                TrainingJobName=f"fraud-{number}",
                RoleArn=self.role,
                AlgorithmSpecification={
                    "TrainingImage": f"{self.repository['repositoryUri']}:latest",
                    "TrainingInputMode": "File",
                },
                InputDataConfig=[_channel("s3://fraud-scoring-raw/")],
                OutputDataConfig={"S3OutputPath": "s3://fraud-scoring-models/", "KmsKeyId": self.key},
                ResourceConfig={"InstanceType": "ml.p4d.24xlarge", "InstanceCount": 1, "VolumeSizeInGB": 100},
                StoppingCondition={"MaxRuntimeInSeconds": 86_400},
            )
        sagemaker.create_pipeline(
            PipelineName="fraud-weekly",
            RoleArn=self.role,
            PipelineDefinition=json.dumps({"Version": "2020-12-01", "Steps": []}),
            ClientRequestToken="x" * 32,
        )
        sagemaker.create_notebook_instance(
            NotebookInstanceName="explore", InstanceType="ml.p3.2xlarge", RoleArn=self.role, VolumeSizeInGB=50
        )

    def serving(self) -> None:
        sagemaker = self._client("sagemaker")
        container = {
            "Image": _IMAGE,
            "ModelDataUrl": "s3://fraud-scoring-models/part-000.parquet",
            "Environment": {"CARDS_URL": "https://cards.partner.example/v2", "TABLE": "scores"},
        }
        sagemaker.create_model(ModelName="fraud", PrimaryContainer=container, ExecutionRoleArn=self.role)
        variant = {
            "VariantName": "all",
            "ModelName": "fraud",
            "InstanceType": "ml.g4dn.xlarge",
            "InitialInstanceCount": 2,
        }
        sagemaker.create_endpoint_config(EndpointConfigName="fraud-1", ProductionVariants=[variant])
        sagemaker.create_endpoint(EndpointName="fraud", EndpointConfigName="fraud-1")
        sagemaker.create_model_package_group(ModelPackageGroupName="fraud")

    def watching(self) -> None:
        watch = self._client("cloudwatch")
        watch.put_metric_alarm(
            AlarmName="fraud-latency",
            Namespace="AWS/SageMaker",
            MetricName="ModelLatency",
            Statistic="Average",
            Period=60,
            EvaluationPeriods=1,
            Threshold=200_000.0,
            ComparisonOperator="GreaterThanThreshold",
            Dimensions=[{"Name": "EndpointName", "Value": "fraud"}],
        )
        watch.put_dashboard(DashboardName="fraud", DashboardBody=json.dumps({"widgets": []}))
        self._client("logs").create_log_group(logGroupName="/fraud/serving")

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            import boto3

            extra = self._connection.extra
            self._clients[service] = boto3.client(
                service,
                endpoint_url=extra["endpoint_url"],
                region_name=REGION,
                aws_access_key_id=self._connection.login,
                aws_secret_access_key=self._connection.password,
            )
        return self._clients[service]


def _assume(service: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}


def _channel(uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": "train", "DataSource": {"S3DataSource": source}}
