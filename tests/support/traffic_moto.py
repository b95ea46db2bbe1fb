"""Route 53 and SageMaker as moto plays them, each with one thing that is split, 0 % on the target."""

from __future__ import annotations

from typing import Any
from urllib.request import Request, urlopen

import boto3
from moto.server import ThreadedMotoServer

from heavylift.connections import Connection
from heavylift.errors import HeavyliftError
from heavylift.platforms.aws.changing import AwsChanges
from heavylift.platforms.aws.control_faults import refusal

_KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
RECORD = "score.example.com."


class MotoSide:
    """A server of moto on a port of its own, emptied first."""

    def __init__(self) -> None:
        self._moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._moto.start()
        host, port = self._moto.get_host_and_port()
        self.url = f"http://{host}:{port}"
        # Its state is the process's, and outlives a server.
        urlopen(Request(f"{self.url}/moto-api/reset", method="POST")).close()

    def close(self) -> None:
        self._moto.stop()

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.url, **_KEYS)

    def made(self, **extra: str) -> Connection:
        more = {"region_name": "us-east-1", "endpoint_url": self.url, **extra}
        return Connection("aws_traffic", "aws", login="test", password="test", extra=more)


class StrictChanges:
    """Route 53's rule for a batch: what is deleted stands there exactly so, what is created does not."""

    def __init__(self, server: Route53Server, writes: AwsChanges) -> None:
        self._server, self._writes = server, writes

    def change(self, service: str, operation: str, region: str, arguments: Any) -> Any:
        client = self._server.client("route53")
        there = client.list_resource_record_sets(HostedZoneId=self._server.zone)["ResourceRecordSets"]
        for each in arguments["ChangeBatch"]["Changes"]:
            record = each["ResourceRecordSet"]
            same_name = [
                one for one in there if (one["Name"], one["Type"]) == (record["Name"], record["Type"])
            ]
            if each["Action"] == "DELETE" and record not in there:
                raise self._refused("it was not found, or the values provided do not match")
            if each["Action"] == "CREATE" and [one for one in same_name if not self._deleted(one, arguments)]:
                raise self._refused("it already exists")
        return self._writes.change(service, operation, region, arguments)

    def _deleted(self, record: Any, arguments: Any) -> bool:
        return {"Action": "DELETE", "ResourceRecordSet": record} in arguments["ChangeBatch"]["Changes"]

    def _refused(self, why: str) -> HeavyliftError:
        told = {"Code": "InvalidChangeBatch", "Message": why}
        answer = {"Error": told, "ResponseMetadata": {"HTTPStatusCode": 400}}
        return refusal("route53:ChangeResourceRecordSets", answer, "route53:ChangeResourceRecordSets")


class Route53Server(MotoSide):
    """A hosted zone with a name of two weighted records."""

    def __init__(self) -> None:
        super().__init__()
        client = self.client("route53")
        zone = client.create_hosted_zone(Name="example.com.", CallerReference="x")
        self.zone = zone["HostedZone"]["Id"].rpartition("/")[2]
        for name, weight in (("blue", 7), ("green", 0)):
            self.put(name, weight)

    def put(self, name: str, weight: int) -> None:
        record = {"Name": RECORD, "Type": "CNAME", "SetIdentifier": name, "Weight": weight, "TTL": 30}
        record["ResourceRecords"] = [{"Value": f"{name}.example.com"}]
        changes = [{"Action": "UPSERT", "ResourceRecordSet": record}]
        self.client("route53").change_resource_record_sets(
            HostedZoneId=self.zone, ChangeBatch={"Changes": changes}
        )

    def strict(self, writes: AwsChanges) -> StrictChanges:
        """Return what refuses, as Route 53 does and moto does not, to delete or create what can't be."""
        return StrictChanges(self, writes)

    @property
    def connection(self) -> Connection:
        return self.made(
            zone_id=self.zone, record=RECORD, source_identifier="blue", target_identifier="green"
        )


class SageMakerServer(MotoSide):
    """An endpoint with two variants."""

    def __init__(self) -> None:
        super().__init__()
        client = self.client("sagemaker")
        role = "arn:aws:iam::123456789012:role/x"
        image = {"Image": "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"}
        client.create_model(ModelName="m", PrimaryContainer=image, ExecutionRoleArn=role)
        variants = [
            {"VariantName": name, "ModelName": "m", "InstanceType": "ml.m5.large"}
            | {"InitialInstanceCount": count, "InitialVariantWeight": weight}
            for name, weight, count in (("blue", 1.0, 3), ("green", 0.0, 2))
        ]
        client.create_endpoint_config(EndpointConfigName="c", ProductionVariants=variants)
        client.create_endpoint(EndpointName="score", EndpointConfigName="c")

    @property
    def connection(self) -> Connection:
        return self.made(endpoint="score", source_variant="blue", target_variant="green")
