"""An account of another shape: long lists, odd names, texts within texts, second regions, what is gone."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from heavylift.evidence.inventory_records import InventoryRecord
from sandbox.stack import Stack
from tests.integration.conftest import new_state_dir
from tests.integration.inventory.conftest import World
from tests.support.seeded_account import Truth

# An account like most is in test_seeded_account.py.
pytestmark = pytest.mark.long

ACCOUNT, REGION, OTHER = "123456789012", "eu-west-1", "us-east-1"
LEAK = "Tr0ub4dor-n0t-a-name"
QUEUES, GROUPS = 9, 60
MANY, FULL = 1003, "eu-central-1"


def arn(service: str, rest: str, region: str = REGION) -> str:
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{rest}"


class Odd:
    """Makes the account; what there is stands beside each call, by hand."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint, self.truth = endpoint, Truth()

    def client(self, service: str, region: str = REGION) -> Any:
        return boto3.client(service, endpoint_url=self._endpoint, region_name=region,
                            aws_access_key_id="a", aws_secret_access_key="b")  # fmt: skip

    def make(self) -> Truth:
        self._data()
        self._functions()
        self._flows()
        self._serving()
        self._gone()
        return self.truth

    def _bucket(self, name: str, region: str = REGION) -> str:
        where = {} if region == OTHER else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self.client("s3", region).create_bucket(Bucket=name, **where)
        return self.truth.add("S3::Bucket", f"arn:aws:s3:::{name}")

    def _data(self) -> None:
        self.dotted = self._bucket("my.dotted.bucket-7")
        self.far = self._bucket("far-away", OTHER)
        self.path = self._bucket("by-path")
        self.hidden = self._bucket("within-json")
        iam = self.client("iam")
        trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
                                "Action": "sts:AssumeRole"}]}  # fmt: skip
        iam.create_role(RoleName="r", Path="/deep/er/", AssumeRolePolicyDocument=json.dumps(trust))
        self.role = self.truth.add("IAM::Role", f"arn:aws:iam::{ACCOUNT}:role/deep/er/r")
        secret = self.client("secretsmanager").create_secret(Name="team/a+b=c@d.e", SecretString="x")["ARN"]
        self.secret = self.truth.add("SecretsManager::Secret", secret)
        self.client("dynamodb", OTHER).create_table(
            TableName="odd.Table_1", BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        )  # fmt: skip
        self.table = self.truth.add("DynamoDB::Table", arn("dynamodb", "table/odd.Table_1", OTHER))
        self.client("ecr").create_repository(repositoryName="deep/er/image")
        self.image = self.truth.add("ECR::Repository", arn("ecr", "repository/deep/er/image"))
        self.client("sns").create_topic(Name="odd-topic.fifo", Attributes={"FifoTopic": "true"})
        self.topic = self.truth.add("SNS::Topic", arn("sns", "odd-topic.fifo"))
        queues = self.client("sqs")
        for number in range(QUEUES):
            queues.create_queue(QueueName=f"q{number:05}")
            self.truth.add("SQS::Queue", arn("sqs", f"q{number:05}"))
        files = self.client("efs").create_file_system(CreationToken="t")
        self.files = self.truth.add("EFS::FileSystem", files["FileSystemArn"])
        point = self.client("efs").create_access_point(FileSystemId=files["FileSystemId"], ClientToken="c")
        self.point = point["AccessPointArn"]

    def _functions(self) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as file:
            file.writestr("a.py", "def b(event, context): return 1")
        nested = {
            "inner": {"bucket_name": "within-json", "url": "https://s3.eu-west-1.amazonaws.com/by-path/a/b"},
            "list": [{"name": "TOPIC", "value": "odd-topic.fifo"}],
        }
        variables = {
            "CONFIG": json.dumps(nested),
            "DATA": "https://my.dotted.bucket-7.s3.dualstack.eu-west-1.amazonaws.com/x?versionId=1",
            "TABLE": "odd.Table_1",
            "TABLE_ARN": f"{self.table}/stream/2026-11-01T00:00:00.000",
            "QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/q00007",
            "FROM": "arn:aws:s3:::far-away/some/prefix/*",
            "CREDS": f"{self.secret}:password::",
            "CLIENT_SECRET": LEAK,
            "POINT": self.point,
            "PARTNER": "arn:aws:sns:eu-west-1:999999999999:their-topic",
        }
        functions = self.client("lambda")
        functions.create_function(
            FunctionName="zipped", Runtime="python3.12", Role=self.role, Handler="a.b",
            Code={"ZipFile": packed.getvalue()}, Environment={"Variables": variables},
        )  # fmt: skip
        self.truth.secrets.add(LEAK)
        self.zipped = self.truth.add(
            "Lambda::Function", arn("lambda", "function:zipped"),
            uses=[self.role],
            infers=[self.hidden, self.path, self.topic, self.dotted, self.table, arn("sqs", "q00007"),
                    self.far, self.secret, self.files],
        )  # fmt: skip
        self.truth.outside.add("arn:aws:sns:eu-west-1:999999999999:their-topic")
        functions.create_function(
            FunctionName="imaged", PackageType="Image", Role=self.role,
            Code={"ImageUri": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/deep/er/image:v1"},
        )  # fmt: skip
        self.imaged = self.truth.add(
            "Lambda::Function", arn("lambda", "function:imaged"), uses=[self.role, self.image]
        )

    def _flows(self) -> None:
        events = self.client("events")
        events.create_event_bus(Name="custom.bus")
        events.put_rule(Name="odd", EventBusName="custom.bus", EventPattern='{"source": ["x"]}')
        target = {"Id": "1", "Arn": f"{self.zipped}:live", "DeadLetterConfig": {"Arn": arn("sqs", "q00001")}}
        events.put_targets(Rule="odd", EventBusName="custom.bus", Targets=[target])
        self.truth.add("Events::Rule", arn("events", "rule/custom.bus/odd"),
                       uses=[self.zipped, arn("sqs", "q00001")])  # fmt: skip
        logs = self.client("logs")
        for number in range(GROUPS):
            logs.create_log_group(logGroupName=f"/odd/{number}")
            uses = [self.zipped] if number == GROUPS - 1 else []
            self.truth.add("Logs::LogGroup", arn("logs", f"log-group:/odd/{number}"), uses=uses)
        logs.put_subscription_filter(
            logGroupName=f"/odd/{GROUPS - 1}", filterName="f", filterPattern="", destinationArn=self.zipped
        )
        body = {"widgets": [{"type": "metric", "properties": {"region": REGION, "metrics": [
            ["AWS/Lambda", "Errors", "FunctionName", "zipped", {"stat": "Sum"}],
            ["...", "imaged"], ["AWS/SQS", "Age", "QueueName", "q00002"], [".", ".", ".", "q00003"],
        ]}}]}  # fmt: skip
        self.client("cloudwatch").put_dashboard(DashboardName="d", DashboardBody=json.dumps(body))
        told = [self.zipped, self.imaged, arn("sqs", "q00002"), arn("sqs", "q00003")]
        self.truth.add("CloudWatch::Dashboard", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/d", infers=told)

    def _serving(self) -> None:
        sagemaker = self.client("sagemaker")
        image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/deep/er/image@sha256:{'a' * 64}"
        models = []
        for name, data in (("one", "s3://by-path/m.tar.gz"), ("two", "s3://far-away/m.tar.gz")):
            container = {"Image": image, "ModelDataUrl": data}
            sagemaker.create_model(
                ModelName=name, ExecutionRoleArn=self.role, Containers=[container, container]
            )
            holds = self.path if name == "one" else self.far
            models.append(self.truth.add("SageMaker::Model", arn("sagemaker", f"model/{name}"),
                                         uses=[self.role, self.image, holds]))  # fmt: skip
        variants = [
            {"VariantName": n, "ModelName": n, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1,
             "InitialVariantWeight": 0.5}
            for n in ("one", "two")
        ]  # fmt: skip
        capture = {"EnableCapture": True, "InitialSamplingPercentage": 10,
                   "DestinationS3Uri": "s3://my.dotted.bucket-7/capture",
                   "CaptureOptions": [{"CaptureMode": "Input"}]}  # fmt: skip
        sagemaker.create_endpoint_config(
            EndpointConfigName="both", ProductionVariants=variants, DataCaptureConfig=capture
        )
        config = self.truth.add("SageMaker::EndpointConfig", arn("sagemaker", "endpoint-config/both"),
                                uses=[*models, self.dotted])  # fmt: skip
        sagemaker.create_endpoint(EndpointName="serves", EndpointConfigName="both")
        self.truth.add("SageMaker::Endpoint", arn("sagemaker", "endpoint/serves"),
                       uses=[config, self.dotted])  # fmt: skip

    def _gone(self) -> None:
        """Make and delete: of it nothing may be told, although some of it can still be asked about."""
        self.client("s3").create_bucket(
            Bucket="was-here", CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        self.client("s3").delete_bucket(Bucket="was-here")
        secrets = self.client("secretsmanager")
        secrets.create_secret(Name="going", SecretString="x")
        secrets.delete_secret(SecretId="going", RecoveryWindowInDays=7)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    # A process of its own: within this one all of moto's servers share one account.
    state = new_state_dir()
    stack = Stack.start(state, ("aws_control",))
    try:
        folder: Path = tmp_path_factory.mktemp("odd")
        endpoint = stack.endpoints["aws_control"]
        raw = {"conn_type": "aws", "login": "a", "password": "b",
               "extra": {"endpoint_url": endpoint, "region_name": REGION}}  # fmt: skip
        ec2 = [boto3.client("ec2", endpoint_url=endpoint, region_name=region, aws_access_key_id="a",
                            aws_secret_access_key="b") for region in (REGION, OTHER)]  # fmt: skip
        truth = Odd(endpoint).make()
        for client, region in zip(ec2, (REGION, OTHER), strict=True):
            default_network(client, region, truth)
            # Terminated: still listed for an hour, and no part of the workload.
            made = client.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1)["Instances"][0]
            client.terminate_instances(InstanceIds=[made["InstanceId"]])
        yield World(endpoint, truth, folder, raw)
    finally:
        stack.stop()
        shutil.rmtree(state)


def default_network(client: Any, region: str, truth: Truth) -> None:
    for each in client.describe_vpcs()["Vpcs"]:
        truth.add("EC2::VPC", arn("ec2", f"vpc/{each['VpcId']}", region))
    for each in client.describe_subnets()["Subnets"]:
        vpc = arn("ec2", f"vpc/{each['VpcId']}", region)
        truth.add("EC2::Subnet", each["SubnetArn"], uses=[vpc])
    for each in client.describe_security_groups()["SecurityGroups"]:
        vpc = arn("ec2", f"vpc/{each['VpcId']}", region)
        truth.add("EC2::SecurityGroup", arn("ec2", f"security-group/{each['GroupId']}", region), uses=[vpc])


@pytest.fixture(scope="module")
def found(odd: World) -> InventoryRecord:
    return odd.take("first")


def test_everything_is_found_and_what_is_gone_is_not(odd: World, found: InventoryRecord) -> None:
    listed = {each.id: each.native_type for each in odd.components(found)}
    assert set(odd.truth.components) - set(listed) == set()
    assert set(listed) - set(odd.truth.components) == set()
    assert listed == odd.truth.components


def test_all_edges_are_found_and_none_is_invented(odd: World, found: InventoryRecord) -> None:
    del found
    drawn = odd.graph().graph
    explicit = {(each.source, each.target) for each in drawn.edges if each.explicit}
    every = {(each.source, each.target) for each in drawn.edges}
    assert odd.truth.explicit - explicit == set()
    assert explicit - odd.truth.explicit == set()
    assert odd.truth.inferred - every == set()
    assert every - odd.truth.explicit - odd.truth.inferred == set()
    assert odd.truth.outside <= {each.reference.target for each in drawn.outside}


@pytest.mark.long
def test_lists_of_more_than_a_thousand_are_read_to_their_end(odd: World) -> None:
    queues = boto3.client("sqs", endpoint_url=odd.endpoint, region_name=FULL, aws_access_key_id="a",
                          aws_secret_access_key="b")  # fmt: skip
    for number in range(MANY):
        queues.create_queue(QueueName=f"many{number}")
    taken = odd.take("many", regions=(FULL,))
    assert taken.types["AWS::SQS::Queue"] == MANY


def test_a_secret_value_is_no_name(odd: World, found: InventoryRecord) -> None:
    del found
    for path in odd.evidence.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            content = gzip.decompress(content) if path.suffix == ".gz" else content
            assert LEAK.encode() not in content, path
