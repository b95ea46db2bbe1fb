"""The types of AWS."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from heavylift.assess.translate.rows import (
    GIB,
    HELD,
    LONGEST_QUEUE_HOURS,
    Attributes,
    Row,
    first_at,
    follows_time,
    number_at,
    values_at,
)

_ENDED = frozenset({"Completed", "Failed", "Stopped", "COMPLETED", "FAILED", "STOPPED"})


def _is_no_member(found: Attributes) -> bool:
    """Tell whether a database instance has storage of its own: a cluster's lies with the cluster."""
    return not found.get("DBClusterIdentifier")


def _cluster_size(found: Attributes) -> int | None:
    # Aurora grows by itself and calls 1 GiB allocated.
    allocated = number_at("AllocatedStorage", found)
    return None if str(found.get("Engine", "")).startswith("aurora") or not allocated else allocated * GIB


def _broker_size(found: Attributes) -> int | None:
    volume = number_at("Provisioned.BrokerNodeGroupInfo.StorageInfo.EbsStorageInfo.VolumeSize", found)
    brokers = number_at("Provisioned.NumberOfBrokerNodes", found)
    return volume * brokers * GIB if volume and brokers else None


def _notebook_size(found: Attributes) -> int | None:
    volume = number_at("VolumeSizeInGB", found)
    return volume * GIB if volume else None


def _keeps_history(found: Attributes) -> bool:
    return (number_at("RetentionPeriodHours", found) or 0) > LONGEST_QUEUE_HOURS


def _zones(found: Attributes) -> int | None:
    return 2 if found.get("MultiAZ") else 1


def _table_log(found: Attributes) -> Mapping[str, Any]:
    streams = bool(first_at("StreamSpecification.StreamEnabled", found))
    return {"log_access": True, "log_retention_seconds": 86_400.0} if streams else {}


_IMAGES = ("PrimaryContainer.Image", "Containers[].Image", "InferenceSpecification.Containers[].Image")


def _compiled(found: Attributes) -> tuple[str, ...]:
    images = [str(image).lower() for path in _IMAGES for image in values_at(path, found)]
    return tuple(name for name in ("neuron", "tensorrt") if any(name in image for image in images))


def _compiled_job(found: Attributes) -> tuple[str, ...]:
    device = str(first_at("OutputConfig.TargetDevice", found) or "")
    return ("neuron",) if device.startswith(("ml_inf", "ml_trn")) else ()


def _variants(found: Attributes) -> int | None:
    counts = [n for n in values_at("ProductionVariants[].CurrentInstanceCount", found) if isinstance(n, int)]
    return sum(counts) if counts else None


_MONITOR = Row("model monitoring")
_REGISTRY = Row("model registry", formats=_compiled)
_NETWORK = Row("network")
_ROLE = Row("IAM role/policy")
_TRACKING = Row("experiment tracking")

ROWS: Mapping[str, Row] = MappingProxyType(
    {
        "AWS::S3::Bucket": Row("object storage", HELD),
        "AWS::RDS::DBInstance": Row("relational", HELD, holds=_is_no_member, replicas=_zones),
        "AWS::RDS::DBCluster": Row("relational", HELD, size=_cluster_size, replicas=_zones),
        "AWS::DynamoDB::Table": Row("key-value", HELD, more=_table_log),
        "AWS::Kinesis::Stream": Row("stream", HELD, holds=_keeps_history),
        "AWS::KinesisFirehose::DeliveryStream": Row("stream"),
        "AWS::MSK::Cluster": Row("managed Kafka", HELD, size=_broker_size, more=follows_time),
        "AWS::SQS::Queue": Row("queue"),
        "AWS::SNS::Topic": Row("stream"),
        # What a catalogue describes lies in buckets, which are counted themselves.
        "AWS::Glue::Database": Row("data catalogue"),
        "AWS::Glue::Table": Row("data catalogue"),
        "AWS::Glue::Job": Row("ETL"),
        "AWS::Glue::Crawler": Row("data catalogue"),
        "AWS::Glue::Trigger": Row("workflow"),
        "AWS::Glue::Connection": _NETWORK,
        "AWS::EFS::FileSystem": Row("shared file system", HELD),
        "AWS::ECR::Repository": Row("container registry", HELD),
        "AWS::EKS::Cluster": Row("Kubernetes"),
        "AWS::EKS::Nodegroup": Row(
            "Kubernetes GPU node pool", instance="instanceTypes[]", machines="scalingConfig.desiredSize"
        ),
        "AWS::EC2::Instance": Row("virtual machine", instance="InstanceType"),
        "AWS::EC2::Volume": Row("block volume", HELD),
        "AWS::EC2::VPC": _NETWORK,
        "AWS::EC2::Subnet": _NETWORK,
        "AWS::EC2::SecurityGroup": _NETWORK,
        "AWS::EC2::VPCEndpoint": Row("private connectivity"),
        "AWS::Lambda::Function": Row("functions"),
        "AWS::Lambda::EventSourceMapping": Row("functions"),
        "AWS::StepFunctions::StateMachine": Row("workflow"),
        "AWS::Events::Rule": Row("scheduler"),
        "AWS::IAM::Role": _ROLE,
        "AWS::IAM::ManagedPolicy": _ROLE,
        "AWS::IAM::User": _ROLE,
        "AWS::IAM::InstanceProfile": _ROLE,
        "AWS::KMS::Key": Row("key management"),
        "AWS::SecretsManager::Secret": Row("secrets"),
        "AWS::CloudWatch::Dashboard": Row("dashboards"),
        "AWS::CloudWatch::Alarm": Row("metrics+alerts"),
        "AWS::CloudWatch::CompositeAlarm": Row("metrics+alerts"),
        "AWS::Logs::LogGroup": Row("logs", HELD, more=follows_time),
        "AWS::SageMaker::NotebookInstance": Row(
            "notebooks", HELD, size=_notebook_size, instance="InstanceType"
        ),
        "AWS::SageMaker::Domain": Row("ML workspace"),
        "AWS::SageMaker::TrainingJob": Row(
            "managed training job",
            instance="ResourceConfig.InstanceType",
            machines="ResourceConfig.InstanceCount",
            ends=_ENDED,
        ),
        "AWS::SageMaker::ProcessingJob": Row(
            "managed training job",
            instance="ProcessingResources.ClusterConfig.InstanceType",
            machines="ProcessingResources.ClusterConfig.InstanceCount",
            ends=_ENDED,
        ),
        "AWS::SageMaker::TransformJob": Row(
            "batch inference",
            instance="TransformResources.InstanceType",
            machines="TransformResources.InstanceCount",
            ends=_ENDED,
        ),
        "AWS::SageMaker::HyperParameterTuningJob": Row(
            "hyper-parameter tuning",
            instance="TrainingJobDefinition.ResourceConfig.InstanceType",
            machines="HyperParameterTuningJobConfig.ResourceLimits.MaxParallelTrainingJobs",
            ends=_ENDED,
        ),
        "AWS::SageMaker::CompilationJob": Row("managed training job", ends=_ENDED, formats=_compiled_job),
        "AWS::SageMaker::AutoMLJob": Row("managed training job", ends=_ENDED),
        "AWS::SageMaker::LabelingJob": Row("data labelling", ends=_ENDED),
        # The files of a model lie in a bucket, its image in a registry: both are counted themselves.
        "AWS::SageMaker::Model": _REGISTRY,
        "AWS::SageMaker::ModelCard": Row("model registry"),
        "AWS::SageMaker::ModelPackageGroup": Row("model registry"),
        "AWS::SageMaker::ModelPackage": _REGISTRY,
        "AWS::SageMaker::Endpoint": Row(
            "real-time endpoint",
            instance="ProductionVariants[].InstanceType",
            machines="ProductionVariants[].InitialInstanceCount",
            via="AWS::SageMaker::EndpointConfig",
            replicas=_variants,
        ),
        # The endpoint that uses it is what runs; an endpoint needs the accelerator once.
        "AWS::SageMaker::EndpointConfig": Row("endpoint variants / traffic split"),
        "AWS::SageMaker::InferenceComponent": Row("real-time endpoint"),
        "AWS::SageMaker::Pipeline": Row("ML pipeline"),
        # Its offline store lies in a bucket, and its online store is built anew from that.
        "AWS::SageMaker::FeatureGroup": Row("feature store (offline+online)"),
        "AWS::SageMaker::Experiment": _TRACKING,
        "AWS::SageMaker::Trial": _TRACKING,
        "AWS::SageMaker::MlflowTrackingServer": _TRACKING,
        "AWS::SageMaker::MonitoringSchedule": _MONITOR,
        "AWS::SageMaker::DataQualityJobDefinition": _MONITOR,
        "AWS::SageMaker::ModelQualityJobDefinition": _MONITOR,
        "AWS::SageMaker::ModelBiasJobDefinition": _MONITOR,
        "AWS::SageMaker::ModelExplainabilityJobDefinition": _MONITOR,
        "AWS::SageMaker::Cluster": Row(
            "training cluster",
            instance="InstanceGroups[].InstanceType",
            machines="InstanceGroups[].CurrentCount",
        ),
    }
)
"""Native type → what it means to a plan."""
