"""Which fields of AWS's answers name what, and what a reference means; data that the walk reads."""

from __future__ import annotations

import re

from heavylift.evidence.inventory_records import How
from heavylift.inventory.shapes import STORES
from heavylift.inventory.vocabulary import Vocabulary

_S = "AWS::SageMaker::"
_DEFINITIONS = ",".join(
    f"{_S}{each}JobDefinition" for each in ("DataQuality", "ModelQuality", "ModelBias", "ModelExplainability")
)
_GLUE = "AWS::Glue::"

NAMES: dict[tuple[str, str], str] = {
    ("sagemaker", "EndpointConfigName"): f"{_S}EndpointConfig",
    ("sagemaker", "ModelName"): f"{_S}Model",
    ("sagemaker", "EndpointName"): f"{_S}Endpoint",
    ("sagemaker", "ModelPackageGroupName"): f"{_S}ModelPackageGroup",
    ("sagemaker", "ExperimentName"): f"{_S}Experiment",
    ("sagemaker", "TrialName"): f"{_S}Trial",
    ("sagemaker", "MonitoringJobDefinitionName"): _DEFINITIONS,
    ("sagemaker", "TrainingJobName"): f"{_S}TrainingJob",
    ("sagemaker", "FeatureGroupName"): f"{_S}FeatureGroup",
    ("sagemaker", "PipelineName"): f"{_S}Pipeline",
    ("sagemaker", "BaseInferenceComponentName"): f"{_S}InferenceComponent",
    ("sagemaker", "DomainId"): f"{_S}Domain",
    ("sagemaker", "Bucket"): "AWS::S3::Bucket",
    ("glue", "DatabaseName"): f"{_GLUE}Database",
    ("glue", "JobName"): f"{_GLUE}Job",
    ("glue", "CrawlerName"): f"{_GLUE}Crawler",
    ("glue", "Role"): "AWS::IAM::Role",
    ("glue", "Connections"): f"{_GLUE}Connection",
    ("rds", "DBClusterIdentifier"): "AWS::RDS::DBCluster",
    ("rds", "DBInstanceIdentifier"): "AWS::RDS::DBInstance",
    ("rds", "ReadReplicaSourceDBInstanceIdentifier"): "AWS::RDS::DBInstance",
    ("eks", "clusterName"): "AWS::EKS::Cluster",
    ("stepfunctions", "FunctionName"): "AWS::Lambda::Function",
    ("stepfunctions", "JobName"): f"{_GLUE}Job",
    ("stepfunctions", "QueueUrl"): "AWS::SQS::Queue",
    ("stepfunctions", "TableName"): "AWS::DynamoDB::Table",
    ("s3", "TargetBucket"): "AWS::S3::Bucket",
}
"""(service of the component, field) → the types that the name in it can be of."""


DIMENSIONS: dict[str, str] = {
    "EndpointName": f"{_S}Endpoint",
    "TrainingJobName": f"{_S}TrainingJob",
    "FeatureGroupName": f"{_S}FeatureGroup",
    "DBInstanceIdentifier": "AWS::RDS::DBInstance",
    "DBClusterIdentifier": "AWS::RDS::DBCluster",
    "TableName": "AWS::DynamoDB::Table",
    "StreamName": "AWS::Kinesis::Stream",
    "DeliveryStreamName": "AWS::KinesisFirehose::DeliveryStream",
    "FunctionName": "AWS::Lambda::Function",
    "BucketName": "AWS::S3::Bucket",
    "InstanceId": "AWS::EC2::Instance",
    "VolumeId": "AWS::EC2::Volume",
    "QueueName": "AWS::SQS::Queue",
    "TopicName": "AWS::SNS::Topic",
    "FileSystemId": "AWS::EFS::FileSystem",
    "Cluster Name": "AWS::MSK::Cluster",
    "StateMachineArn": "AWS::StepFunctions::StateMachine",
    "RuleName": "AWS::Events::Rule",
    "LogGroupName": "AWS::Logs::LogGroup",
}
"""CloudWatch's dimensions that name a component."""

VARIABLES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), types)
    for pattern, types in (
        (r"bucket(_?name)?$", "AWS::S3::Bucket"),
        (r"secret(_?(name|id))?$", "AWS::SecretsManager::Secret"),
        (r"stream(_?name)?$", "AWS::Kinesis::Stream,AWS::KinesisFirehose::DeliveryStream"),
        (r"queue(_?name)?$", "AWS::SQS::Queue"),
        (r"endpoint_?name$|sagemaker_?endpoint$", f"{_S}Endpoint"),
        (r"feature_?group(_?name)?$", f"{_S}FeatureGroup"),
        (r"(dynamo(db)?_?)?table(_?name)?$", "AWS::DynamoDB::Table"),
        (r"function_?name$", "AWS::Lambda::Function"),
        (r"model_?package_?group(_?name)?$", f"{_S}ModelPackageGroup"),
        (r"topic(_?name)?$", "AWS::SNS::Topic"),
        (r"state_?machine(_?name)?$", "AWS::StepFunctions::StateMachine"),
        (r"log_?group(_?name)?$", "AWS::Logs::LogGroup"),
        (r"repo(sitory)?(_?name)?$", "AWS::ECR::Repository"),
    )
)
"""Names of variables whose value, where it is exactly a component's name, means that component."""

SHAPES: dict[str, str] = {
    "subnet": "AWS::EC2::Subnet",
    "sg": "AWS::EC2::SecurityGroup",
    "vpc": "AWS::EC2::VPC",
    "vol": "AWS::EC2::Volume",
    "i": "AWS::EC2::Instance",
    "fs": "AWS::EFS::FileSystem",
}
"""Ids that tell their own type by what stands before the dash."""

MODES: dict[str, How] = {
    **dict.fromkeys(("containerarguments", "containerentrypoint", "args", "command"), How.ARGUMENT),
    **dict.fromkeys(
        ("definition", "pipelinedefinition", "dashboardbody", "input", "inputtransformer", "alarmrule"),
        How.DEFINITION,
    ),
    **dict.fromkeys(("description", "comment", "tags", "taglist", "tagset", "tagging"), How.TEXT),
    **dict.fromkeys(
        ("notification", "eventtargets", "eventsourcearn", "selfmanagedeventsource", "subscriptions"),
        How.EVENT_SOURCE,
    ),
}
"""Fields, in lower case, below which a reference was found otherwise than in a field of the API."""

POLICIES = re.compile(r"PolicyDocument$|^Policy$|^Document$")

_RELATIONS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), relation)
    for pattern, relation in (
        (r"^AWS::IAM::Role|^arn:[^:]+:iam::", "runs_as"),
        (r"^AWS::KMS|^arn:[^:]+:kms:", "encrypted_by"),
        (
            r"^AWS::EC2::(Subnet|VPC|SecurityGroup)|^arn:[^:]+:ec2:[^:]*:[^:]*:(subnet|vpc|security-group)",
            "in",
        ),
        (r"^image:|^arn:[^:]+:ecr:", "runs_image"),
        (r"^AWS::SageMaker::Model$", "serves"),
        (r"^AWS::SageMaker::(EndpointConfig|ModelPackageGroup|Experiment|Trial|Domain)$", "belongs_to"),
        (r"^AWS::(Glue::Database|RDS::DBCluster|EKS::Cluster)$", "belongs_to"),
        (r"^AWS::SecretsManager|^arn:[^:]+:secretsmanager:", "reads_secret"),
        (r"^arn:[^:]+:logs:|^AWS::Logs", "logs_to"),
    )
)
_WRITES = re.compile(
    r"Output|Artifacts|Destination|Sink|LogUri|DataCapture|TargetBucket|OfflineStore|ResolvedOutput"
)


def relation_of(component_type: str, field: str, target: str, how: How) -> str:
    """Return what a reference means, from where it stands and what it names."""
    if how is How.POLICY:
        return "grants"
    if how is How.EVENT_SOURCE and ":iam:" not in target:
        return "triggered_by" if "EventSource" in field else "triggers"
    if component_type.startswith("AWS::CloudWatch::"):
        return "notifies" if "Actions" in field else "watches"
    for pattern, relation in _RELATIONS:
        if pattern.search(target):
            return relation
    if target.startswith(STORES) or "AWS::S3::Bucket" in target:
        return "writes" if _WRITES.search(field) else "reads"
    return "uses"


WORDS = Vocabulary(
    relation_of=relation_of,
    names=NAMES,
    dimensions=DIMENSIONS,
    variables=VARIABLES,
    shapes=SHAPES,
    modes=MODES,
    policies=POLICIES,
    keys=True,
)
"""What the walk knows of AWS."""
