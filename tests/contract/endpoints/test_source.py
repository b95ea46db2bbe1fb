"""The source's endpoint as SageMaker tells it: what is taken over, and what is told beforehand."""

from __future__ import annotations

from heavylift.endpoints.source_others import read_source
from heavylift.spec.sections_endpoints import EndpointSource
from tests.support.traffic_moto import MotoSide

ROLE = "arn:aws:iam::123456789012:role/x"


async def test_sagemaker_tells_variants_scaling_and_what_does_not_come_along() -> None:
    server = MotoSide()
    try:
        client = server.client("sagemaker")
        variables = {"LEVEL": "info", "DB_PASSWORD": "not-a-word-of-it"}
        container = {"Image": "i", "Mode": "MultiModel", "ModelDataUrl": "s3://m/", "Environment": variables}
        client.create_model(ModelName="m", PrimaryContainer=container, ExecutionRoleArn=ROLE)
        variant = {"VariantName": "AllTraffic", "ModelName": "m", "InstanceType": "ml.m5.large"}
        capture = {
            "EnableCapture": True, "InitialSamplingPercentage": 10, "DestinationS3Uri": "s3://c/",
            "CaptureOptions": [{"CaptureMode": "Input"}],
        }  # fmt: skip
        client.create_endpoint_config(
            EndpointConfigName="c",
            ProductionVariants=[{**variant, "InitialInstanceCount": 2, "InitialVariantWeight": 1.0}],
            DataCaptureConfig=capture,
        )
        client.create_endpoint(EndpointName="score", EndpointConfigName="c")
        scaling = server.client("application-autoscaling")
        scaling.register_scalable_target(
            ServiceNamespace="sagemaker", ResourceId="endpoint/score/variant/AllTraffic",
            ScalableDimension="sagemaker:variant:DesiredInstanceCount", MinCapacity=2, MaxCapacity=6,
        )  # fmt: skip
        asked = EndpointSource.model_validate({"kind": "sagemaker", "connection": "x", "endpoint": "score"})
        found = await read_source(asked, server.made())
    finally:
        server.close()
    assert found is not None
    [one] = found.deployments
    assert (one.machine, one.min_replicas, one.max_replicas, one.traffic) == ("ml.m5.large", 2, 6, 100)
    assert one.variables == {"LEVEL": "info"}
    assert {each.subject for each in found.gaps} == {
        "endpoint: DataCaptureConfig", "AllTraffic: multi-model", "AllTraffic: autoscaling",
        "AllTraffic: variable DB_PASSWORD",
    }  # fmt: skip
    assert "not-a-word-of-it" not in repr(found)
