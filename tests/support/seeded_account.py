"""Builds an AWS account from a seed, and knows what is in it: every component and every edge.

``python -m tests.support.seeded_account URL [SEED]`` builds one on moto's server and prints its truth.
Names, numbers and links come from the seed alone. What moto makes by itself (a default network) is asked of
it before anything is made. The truth is written down here by hand, field by field: none of it comes from the
code that is tested.
"""

from __future__ import annotations

import io
import json
import random
import sys
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

ACCOUNT = "210987654321"
PER_TYPE = 8


@dataclass
class Truth:
    """What there is.

    :param components: id → native type.
    :param explicit: (source, target) that the API itself tells.
    :param inferred: likewise, that texts tell.
    :param secrets: values that must appear nowhere.
    :param outside: targets that are not in the account.
    """

    components: dict[str, str] = field(default_factory=dict)
    explicit: set[tuple[str, str]] = field(default_factory=set)
    inferred: set[tuple[str, str]] = field(default_factory=set)
    secrets: set[str] = field(default_factory=set)
    outside: set[str] = field(default_factory=set)

    def add(self, native_type: str, id: str, *, uses: Any = (), infers: Any = ()) -> str:
        self.components[id] = f"AWS::{native_type}"
        self.explicit |= {(id, target) for target in uses if target}
        self.inferred |= {(id, target) for target in infers if target}
        return id


class Seeder:
    """Builds one region of an account."""

    def __init__(self, endpoint: str, seed: int, region: str, keys: dict[str, str]) -> None:
        self._endpoint, self._region, self._keys = endpoint, region, keys
        self.random = random.Random(f"{seed}-{region}")
        self.truth = Truth()

    def client(self, service: str) -> Any:
        return self._clients.setdefault(service, self._made(service))

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    def _made(self, service: str) -> Any:
        import boto3

        return boto3.client(service, endpoint_url=self._endpoint, region_name=self._region, **self._keys)

    def build(self, per_type: int = PER_TYPE) -> Truth:
        """Make everything and return what was made."""
        self.count = per_type
        self.names = [f"{self._region[:2]}-{self.random.randrange(16**6):06x}-{n}" for n in range(per_type)]
        self._default_network()
        self._network()
        self._security()
        self._data()
        self._compute()
        self._training()
        self._serving()
        self._glue()
        self._flows()
        self._watching()
        return self.truth

    def pick(self, from_: list[str]) -> str:
        return self.random.choice(from_)

    def arn(self, service: str, rest: str) -> str:
        return f"arn:aws:{service}:{self._region}:{ACCOUNT}:{rest}"

    def _default_network(self) -> None:
        ec2 = self.client("ec2")
        for vpc in ec2.describe_vpcs()["Vpcs"]:
            self.truth.add("EC2::VPC", self.arn("ec2", f"vpc/{vpc['VpcId']}"))
        for subnet in ec2.describe_subnets()["Subnets"]:
            vpc = self.arn("ec2", f"vpc/{subnet['VpcId']}")
            self.truth.add("EC2::Subnet", self.arn("ec2", f"subnet/{subnet['SubnetId']}"), uses=[vpc])
        for group in ec2.describe_security_groups()["SecurityGroups"]:
            vpc = self.arn("ec2", f"vpc/{group['VpcId']}")
            self.truth.add(
                "EC2::SecurityGroup", self.arn("ec2", f"security-group/{group['GroupId']}"), uses=[vpc]
            )

    def _network(self) -> None:
        ec2 = self.client("ec2")
        vpc_id = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        vpc = self.truth.add("EC2::VPC", self.arn("ec2", f"vpc/{vpc_id}"))
        default = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
        for group in default["SecurityGroups"]:
            self.truth.add(
                "EC2::SecurityGroup", self.arn("ec2", f"security-group/{group['GroupId']}"), uses=[vpc]
            )
        self.subnets, self.groups = [], []
        for n in range(3):
            made = ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"10.7.{n}.0/24")["Subnet"]
            self.subnets.append(made["SubnetId"])
            self.truth.add("EC2::Subnet", self.subnet(made["SubnetId"]), uses=[vpc])
            made = ec2.create_security_group(GroupName=f"g{n}", Description="d", VpcId=vpc_id)
            self.groups.append(made["GroupId"])
            self.truth.add("EC2::SecurityGroup", self.group(made["GroupId"]), uses=[vpc])

    def subnet(self, id: str) -> str:
        return self.arn("ec2", f"subnet/{id}")

    def group(self, id: str) -> str:
        return self.arn("ec2", f"security-group/{id}")

    def _security(self) -> None:
        self.keys, self.secrets = [], []
        for name in self.names:
            made = self.client("kms").create_key(Description="data")["KeyMetadata"]["Arn"]
            self.keys.append(self.truth.add("KMS::Key", made))
            value = f"hush-{self.random.randrange(10**12)}"
            self.truth.secrets.add(value)
            key = self.pick(self.keys)
            made = self.client("secretsmanager").create_secret(
                Name=f"db/{name}", SecretString=value, KmsKeyId=key
            )["ARN"]
            self.secrets.append(self.truth.add("SecretsManager::Secret", made, uses=[key]))

    def _data(self) -> None:
        s3, ecr = self.client("s3"), self.client("ecr")
        place = {} if self._region == "us-east-1" else {"LocationConstraint": self._region}
        self.buckets, self.images = [], []
        for name in self.names:
            s3.create_bucket(Bucket=f"data-{name}", **({"CreateBucketConfiguration": place} if place else {}))
            key = self.pick(self.keys)
            rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
            s3.put_bucket_encryption(
                Bucket=f"data-{name}", ServerSideEncryptionConfiguration={"Rules": [rule]}
            )
            self.buckets.append(f"data-{name}")
            self.truth.add("S3::Bucket", f"arn:aws:s3:::data-{name}", uses=[key])
            made = ecr.create_repository(repositoryName=f"team/{name}")["repository"]
            self.images.append(made["repositoryUri"])
            self.truth.add("ECR::Repository", made["repositoryArn"])
        self._roles()
        self._stores()

    def image_arn(self, uri: str) -> str:
        return self.arn("ecr", f"repository/{uri.partition('/')[2]}")

    def bucket_arn(self, name: str) -> str:
        return f"arn:aws:s3:::{name}"

    def _roles(self) -> None:
        iam = self.client("iam")
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sagemaker.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        self.roles = []
        for name in self.names:
            granted = self.pick(self.buckets)
            document = {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{granted}/*"]},
                    {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::never-mind"},
                    {"Effect": "Allow", "Action": "logs:*", "Resource": "*"},
                ],
            }
            policy = iam.create_policy(PolicyName=f"p-{name}", PolicyDocument=json.dumps(document))
            policy_arn = policy["Policy"]["Arn"]
            self.truth.add("IAM::ManagedPolicy", policy_arn, infers=[self.bucket_arn(granted)])
            role = iam.create_role(RoleName=f"r-{name}", AssumeRolePolicyDocument=json.dumps(trust))
            arn = role["Role"]["Arn"]
            iam.attach_role_policy(RoleName=f"r-{name}", PolicyArn=policy_arn)
            secret = self.pick(self.secrets)
            own = {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": secret}
                ],
            }
            iam.put_role_policy(RoleName=f"r-{name}", PolicyName="own", PolicyDocument=json.dumps(own))
            self.roles.append(self.truth.add("IAM::Role", arn, uses=[policy_arn], infers=[secret]))

    def _stores(self) -> None:
        self.tables, self.streams, self.hosts, self.databases = [], [], [], []
        for name in self.names:
            key = self.pick(self.keys)
            made = self.client("dynamodb").create_table(
                TableName=f"t-{name}",
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
                SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
            )["TableDescription"]["TableArn"]
            self.tables.append(self.truth.add("DynamoDB::Table", made, uses=[key]))
            self.client("kinesis").create_stream(StreamName=f"s-{name}", ShardCount=1)
            self.streams.append(self.truth.add("Kinesis::Stream", self.arn("kinesis", f"stream/s-{name}")))
            group = self.pick(self.groups)
            password = f"pw{self.random.randrange(10**14)}"
            self.truth.secrets.add(password)
            made = self.client("rds").create_db_instance(
                DBInstanceIdentifier=f"db-{name}",
                DBInstanceClass="db.t3.micro",
                Engine="postgres",
                AllocatedStorage=20,
                MasterUsername="root",
                MasterUserPassword=password,
                VpcSecurityGroupIds=[group],
            )["DBInstance"]
            self.hosts.append(f"{made['Endpoint']['Address']}")
            self.databases.append(
                self.truth.add("RDS::DBInstance", made["DBInstanceArn"], uses=[self.group(group)])
            )
            made = self.client("sqs").create_queue(QueueName=f"q-{name}")
            self.truth.add("SQS::Queue", self.arn("sqs", f"q-{name}"))

    def _compute(self) -> None:
        ec2, eks, functions = self.client("ec2"), self.client("eks"), self.client("lambda")
        code = _zip()
        self.functions = []
        for name in self.names:
            self._instance(ec2)
            role, subnet, group = self.pick(self.roles), self.pick(self.subnets), self.pick(self.groups)
            made = eks.create_cluster(
                name=f"k-{name}",
                roleArn=role,
                resourcesVpcConfig={"subnetIds": [subnet], "securityGroupIds": [group]},
            )["cluster"]["arn"]
            uses = [role, self.subnet(subnet), self.group(group)]
            cluster = self.truth.add("EKS::Cluster", made, uses=uses)
            made = eks.create_nodegroup(
                clusterName=f"k-{name}", nodegroupName="gpu", subnets=[subnet], nodeRole=role
            )["nodegroup"]["nodegroupArn"]
            self.truth.add("EKS::Nodegroup", made, uses=[cluster, role, self.subnet(subnet)])
            self._function(functions, name, code)

    def _instance(self, ec2: Any) -> None:
        subnet, group = self.pick(self.subnets), self.pick(self.groups)
        made = ec2.run_instances(
            ImageId="ami-12c6146b",
            MinCount=1,
            MaxCount=1,
            InstanceType="g4dn.xlarge",
            SubnetId=subnet,
            SecurityGroupIds=[group],
        )["Instances"][0]
        id = self.arn("ec2", f"instance/{made['InstanceId']}")
        vpc = self.arn("ec2", f"vpc/{made['VpcId']}")
        uses = [self.subnet(subnet), self.group(group), vpc]
        for volume in ec2.describe_volumes(
            Filters=[{"Name": "attachment.instance-id", "Values": [made["InstanceId"]]}]
        )["Volumes"]:
            disk = self.truth.add("EC2::Volume", self.arn("ec2", f"volume/{volume['VolumeId']}"), uses=[id])
            uses.append(disk)
        self.truth.add("EC2::Instance", id, uses=uses)

    def _function(self, functions: Any, name: str, code: bytes) -> None:
        role, bucket = self.pick(self.roles), self.pick(self.buckets)
        at = self.random.randrange(len(self.hosts))
        table, secret = self.pick(self.tables), self.pick(self.secrets)
        password = f"Pa55-{self.random.randrange(10**12)}"
        self.truth.secrets.add(password)
        made = functions.create_function(
            FunctionName=f"f-{name}",
            Runtime="python3.12",
            Role=role,
            Handler="a.b",
            Code={"ZipFile": code},
            Environment={
                "Variables": {
                    "FEATURES": f"s3://{bucket}/features/",
                    "DATABASE_URL": f"postgresql://app:{password}@{self.hosts[at]}:5432/features",
                    "TABLE_NAME": table.rpartition("/")[2],
                    "DB_SECRET": secret,
                    "API_TOKEN": password,
                    "PARTNER": "https://api.partner.example/v1",
                }
            },
        )["FunctionArn"]
        self.truth.outside.add("host:api.partner.example")
        infers = [self.bucket_arn(bucket), self.databases[at], table, secret]
        self.functions.append(self.truth.add("Lambda::Function", made, uses=[role], infers=infers))
        stream = self.pick(self.streams)
        mapping = functions.create_event_source_mapping(
            FunctionName=f"f-{name}", EventSourceArn=stream, StartingPosition="LATEST"
        )
        id = mapping.get("EventSourceMappingArn") or mapping["UUID"]
        self.truth.add("Lambda::EventSourceMapping", id, uses=[made, stream])

    def _training(self) -> None:
        sagemaker = self.client("sagemaker")
        self.artefacts, self.jobs = [], []
        for name in self.names:
            role, image, source, target = (
                self.pick(self.roles),
                self.pick(self.images),
                self.pick(self.buckets),
                self.pick(self.buckets),
            )
            key = self.pick(self.keys)
            common = [role, self.image_arn(image), self.bucket_arn(source), self.bucket_arn(target), key]
            channel = {
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{source}/train"}},
            }
            output = {"S3OutputPath": f"s3://{target}/models", "KmsKeyId": key}
            resources = {"InstanceType": "ml.p4d.24xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50}
            stop = {"MaxRuntimeInSeconds": 3600}
            label = self.pick(self.buckets)
            token = f"hf_{self.random.randrange(10**30):030d}"
            self.truth.secrets.add(token)
            made = sagemaker.create_training_job(
                TrainingJobName=f"train-{name}",
                AlgorithmSpecification={"TrainingImage": f"{image}:1.4", "TrainingInputMode": "File"},
                RoleArn=role,
                InputDataConfig=[channel],
                OutputDataConfig=output,
                ResourceConfig=resources,
                StoppingCondition=stop,
                HyperParameters={"epochs": "3", "label_uri": f"s3://{label}/labels.csv", "hub_token": token},
                Environment={"LEVEL": "info"},
            )["TrainingJobArn"]
            job = self.truth.add("SageMaker::TrainingJob", made, uses=common, infers=[self.bucket_arn(label)])
            self.jobs.append(job)
            told = sagemaker.describe_training_job(TrainingJobName=f"train-{name}")["ModelArtifacts"]
            self.artefacts.append((told["S3ModelArtifacts"], job))
            self.truth.explicit.add((job, self.bucket_arn(told["S3ModelArtifacts"].split("/")[2])))
            self._other_jobs(sagemaker, name, role, image, source, target)
            self._stores_of_models(sagemaker, name, role, image)

    def _other_jobs(self, sagemaker: Any, name: str, role: str, image: str, source: str, target: str) -> None:
        argued = self.pick(self.buckets)
        made = sagemaker.create_processing_job(
            ProcessingJobName=f"prep-{name}",
            AppSpecification={
                "ImageUri": f"{image}:prep",
                "ContainerArguments": ["--lookup", f"s3://{argued}/lookup.parquet"],
            },
            RoleArn=role,
            ProcessingResources={
                "ClusterConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5}
            },
            ProcessingInputs=[
                {
                    "InputName": "in",
                    "S3Input": {
                        "S3Uri": f"s3://{source}/raw",
                        "LocalPath": "/opt/ml/in",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
            ],
        )["ProcessingJobArn"]
        uses = [role, self.image_arn(image), self.bucket_arn(source)]
        self.truth.add("SageMaker::ProcessingJob", made, uses=uses, infers=[self.bucket_arn(argued)])
        subnet, group, key = self.pick(self.subnets), self.pick(self.groups), self.pick(self.keys)
        made = sagemaker.create_notebook_instance(
            NotebookInstanceName=f"nb-{name}",
            InstanceType="ml.t3.medium",
            RoleArn=role,
            SubnetId=subnet,
            SecurityGroupIds=[group],
            KmsKeyId=key,
        )["NotebookInstanceArn"]
        uses = [role, self.subnet(subnet), self.group(group), key]
        self.truth.add("SageMaker::NotebookInstance", made, uses=uses)

    def _stores_of_models(self, sagemaker: Any, name: str, role: str, image: str) -> None:
        made = sagemaker.create_model_package_group(ModelPackageGroupName=f"mpg-{name}")
        group = self.truth.add("SageMaker::ModelPackageGroup", made["ModelPackageGroupArn"])
        artefact, job = self.pick(self.artefacts)
        made = sagemaker.create_model_package(
            ModelPackageGroupName=f"mpg-{name}",
            InferenceSpecification={
                "Containers": [{"Image": f"{image}:serve", "ModelDataUrl": artefact}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )["ModelPackageArn"]
        bucket = self.bucket_arn(artefact.split("/")[2])
        uses = [group, self.image_arn(image), bucket]
        self.truth.add("SageMaker::ModelPackage", made, uses=uses, infers=[job])
        made = sagemaker.create_experiment(ExperimentName=f"exp-{name}")
        experiment = self.truth.add("SageMaker::Experiment", made["ExperimentArn"])
        made = sagemaker.create_trial(TrialName=f"trial-{name}", ExperimentName=f"exp-{name}")
        self.truth.add("SageMaker::Trial", made["TrialArn"], uses=[experiment])
        used, read = self.pick(self.roles), self.pick(self.buckets)
        definition = {
            "Version": "2020-12-01",
            "Steps": [
                {"Name": "t", "Type": "Training", "Arguments": {"RoleArn": used, "Data": f"s3://{read}/x"}}
            ],
        }
        made = sagemaker.create_pipeline(
            PipelineName=f"pipe-{name}",
            PipelineDefinition=json.dumps(definition),
            RoleArn=role,
            ClientRequestToken="t" * 32,
        )["PipelineArn"]
        # The same role may stand in both places; then the field of the API is what counts.
        infers = [each for each in (used, self.bucket_arn(read)) if each != role]
        self.truth.add("SageMaker::Pipeline", made, uses=[role], infers=infers)

    def _serving(self) -> None:
        sagemaker = self.client("sagemaker")
        self.endpoints = []
        for name in self.names:
            role, image = self.pick(self.roles), self.pick(self.images)
            artefact, job = self.pick(self.artefacts)
            made = sagemaker.create_model(
                ModelName=f"m-{name}",
                ExecutionRoleArn=role,
                PrimaryContainer={"Image": f"{image}@sha256:{'0' * 64}", "ModelDataUrl": artefact},
            )["ModelArn"]
            bucket = self.bucket_arn(artefact.split("/")[2])
            model = self.truth.add(
                "SageMaker::Model", made, uses=[role, self.image_arn(image), bucket], infers=[job]
            )
            made = sagemaker.create_endpoint_config(
                EndpointConfigName=f"ec-{name}",
                ProductionVariants=[
                    {
                        "VariantName": "a",
                        "ModelName": f"m-{name}",
                        "InitialInstanceCount": 1,
                        "InstanceType": "ml.g4dn.xlarge",
                    }
                ],
            )["EndpointConfigArn"]
            config = self.truth.add("SageMaker::EndpointConfig", made, uses=[model])
            made = sagemaker.create_endpoint(EndpointName=f"ep-{name}", EndpointConfigName=f"ec-{name}")
            self.endpoints.append(f"ep-{name}")
            self.truth.add("SageMaker::Endpoint", made["EndpointArn"], uses=[config])

    def endpoint(self, name: str) -> str:
        return self.arn("sagemaker", f"endpoint/{name}")

    def _glue(self) -> None:
        glue = self.client("glue")
        for name in self.names:
            bucket, role, script = self.pick(self.buckets), self.pick(self.roles), self.pick(self.buckets)
            glue.create_database(DatabaseInput={"Name": f"lake_{name}"})
            database = self.truth.add("Glue::Database", self.arn("glue", f"database/lake_{name}"))
            glue.create_table(
                DatabaseName=f"lake_{name}",
                TableInput={"Name": "clicks", "StorageDescriptor": {"Location": f"s3://{bucket}/clicks/"}},
            )
            table = self.arn("glue", f"table/lake_{name}/clicks")
            self.truth.add("Glue::Table", table, uses=[database, self.bucket_arn(bucket)])
            glue.create_job(
                Name=f"etl-{name}",
                Role=role,
                Command={"Name": "glueetl", "ScriptLocation": f"s3://{script}/etl.py"},
            )
            uses = [role, self.bucket_arn(script)]
            self.truth.add("Glue::Job", self.arn("glue", f"job/etl-{name}"), uses=uses)

    def _flows(self) -> None:
        states, events = self.client("stepfunctions"), self.client("events")
        for name in self.names:
            role, function, gone = self.pick(self.roles), self.pick(self.functions), f"gone-{name}"
            definition = {
                "StartAt": "A",
                "States": {
                    "A": {"Type": "Task", "Resource": function, "Next": "B"},
                    "B": {
                        "Type": "Task",
                        "Resource": "arn:aws:states:::sagemaker:createTransformJob.sync",
                        "Parameters": {"Output": f"s3://{gone}/x"},
                        "End": True,
                    },
                },
            }
            made = states.create_state_machine(
                name=f"flow-{name}", definition=json.dumps(definition), roleArn=role
            )["stateMachineArn"]
            self.truth.outside.add(f"s3://{gone}/x")
            machine = self.truth.add("StepFunctions::StateMachine", made, uses=[role], infers=[function])
            made = events.put_rule(Name=f"nightly-{name}", ScheduleExpression="rate(1 day)")["RuleArn"]
            events.put_targets(Rule=f"nightly-{name}", Targets=[{"Id": "1", "Arn": machine, "RoleArn": role}])
            self.truth.add("Events::Rule", made, uses=[machine, role])

    def _watching(self) -> None:
        watch, logs = self.client("cloudwatch"), self.client("logs")
        for name in self.names:
            endpoint = self.pick(self.endpoints)
            topic = self.client("sns").create_topic(Name=f"page-{name}")["TopicArn"]
            self.truth.add("SNS::Topic", topic)
            watch.put_metric_alarm(
                AlarmName=f"slow-{name}",
                Namespace="AWS/SageMaker",
                MetricName="ModelLatency",
                Dimensions=[{"Name": "EndpointName", "Value": endpoint}],
                Period=60,
                EvaluationPeriods=1,
                Threshold=1.0,
                ComparisonOperator="GreaterThanThreshold",
                Statistic="Average",
                AlarmActions=[topic],
            )
            uses = [self.endpoint(endpoint), topic]
            self.truth.add("CloudWatch::Alarm", self.arn("cloudwatch", f"alarm:slow-{name}"), uses=uses)
            endpoint = self.pick(self.endpoints)
            metric = ["AWS/SageMaker", "Invocations", "EndpointName", endpoint]
            body = {"widgets": [{"type": "metric", "properties": {"metrics": [metric]}}]}
            watch.put_dashboard(DashboardName=f"board-{name}", DashboardBody=json.dumps(body))
            id = next(
                each["DashboardArn"]
                for each in watch.list_dashboards()["DashboardEntries"]
                if each["DashboardName"] == f"board-{name}"
            )
            self.truth.add("CloudWatch::Dashboard", id, infers=[self.endpoint(endpoint)])
            logs.create_log_group(logGroupName=f"/aws/sagemaker/{name}")
            self.truth.add("Logs::LogGroup", self.arn("logs", f"log-group:/aws/sagemaker/{name}"))


def _zip() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("a.py", "def b(event, context): return 1")
    return data.getvalue()


def own_keys(endpoint: str) -> dict[str, str]:
    """Return keys of the account that is seeded: moto keeps accounts apart."""
    import boto3

    sts = boto3.client(
        "sts",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="x",
    )
    made = sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/seed", RoleSessionName="seed")["Credentials"]
    return {
        "aws_access_key_id": made["AccessKeyId"],
        "aws_secret_access_key": made["SecretAccessKey"],
        "aws_session_token": made["SessionToken"],
    }


def seed_account(endpoint: str, seed: int = 7, *, per_type: int = PER_TYPE) -> Truth:
    """Build an account of two regions and return what is in it."""
    keys = own_keys(endpoint)
    whole = Truth()
    for region, count in (("us-east-1", per_type), ("eu-west-1", 2)):
        made = Seeder(endpoint, seed, region, keys).build(count)
        whole.components |= made.components
        whole.explicit |= made.explicit
        whole.inferred |= made.inferred
        whole.secrets |= made.secrets
        whole.outside |= made.outside
    return whole


if __name__ == "__main__":
    truth = seed_account(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 7)
    sys.stdout.write(
        f"{len(truth.components)} components, {len(truth.explicit)} explicit edges,"
        f" {len(truth.inferred)} inferred\n"
    )
