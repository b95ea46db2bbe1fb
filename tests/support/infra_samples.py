"""Components of each source, as an inventory lists them, and everything that the map of services names."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from heavylift.evidence.inventory_records import Component, Kind
from heavylift.facts.services import load_services
from heavylift.infra.reading.table import capability_of, settings_of
from heavylift.infra.things import Thing, Wanted

HOSTILE = '"}\nresource "x" "y" {}\n${file("/etc/passwd")} %{ for } \\ */ # \u202e'
"""A name that would be code where it is not escaped."""

_AWS: dict[str, tuple[str, dict[str, Any]]] = {
    "AWS::S3::Bucket": (
        "object storage",
        {
            "Versioning": "Enabled",
            "Lifecycle": [
                {
                    "Status": "Enabled",
                    "Filter": {"Prefix": "raw/"},
                    "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}],
                    "Expiration": {"Days": 400},
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
                }
            ],
        },
    ),
    "AWS::EC2::VPC": ("network", {"CidrBlock": "10.20.0.0/16"}),
    "AWS::EC2::Subnet": ("network", {"CidrBlock": "10.20.1.0/24"}),
    "AWS::EC2::SecurityGroup": (
        "network",
        {
            "IpPermissions": [
                {
                    "IpProtocol": "tcp",
                    "FromPort": 5432,
                    "ToPort": 5433,
                    "IpRanges": [{"CidrIp": "10.20.0.0/16"}],
                }
            ]
        },
    ),
    "AWS::RDS::DBInstance": ("relational", {"Engine": "postgres", "AllocatedStorage": 200, "MultiAZ": True}),
    "AWS::Kinesis::Stream": ("stream", {"RetentionPeriodHours": 48, "OpenShardCount": 8}),
    "AWS::Events::Rule": ("scheduler", {"ScheduleExpression": "cron(0 6 ? * MON-FRI *)"}),
}
_GCP: dict[str, tuple[str, dict[str, Any]]] = {
    "GCP::Storage::Bucket": (
        "object storage",
        {
            "versioning": {"enabled": True},
            "lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {"age": 30}}]},
        },
    ),
    "GCP::Compute::Network": ("network", {}),
    "GCP::Compute::Subnetwork": ("network", {"ipCidrRange": "10.30.0.0/20"}),
    "GCP::Compute::Firewall": (
        "network",
        {"sourceRanges": ["10.30.0.0/20"], "allowed": [{"IPProtocol": "tcp", "ports": ["80", "8000-8010"]}]},
    ),
    "GCP::SQL::Instance": (
        "relational",
        {
            "databaseVersion": "MYSQL_8_0",
            "settings": {"dataDiskSizeGb": "50", "availabilityType": "REGIONAL"},
        },
    ),
    "GCP::PubSub::Topic": ("stream", {"messageRetentionDuration": "172800s"}),
    "GCP::Scheduler::Job": ("scheduler", {"schedule": "*/5 * * * 1", "timeZone": "Europe/Berlin"}),
}
_AZURE: dict[str, tuple[str, dict[str, Any]]] = {
    "Azure::Storage::Container": ("object storage", {}),
    "Azure::Network::VirtualNetwork": (
        "network",
        {"properties": {"addressSpace": {"addressPrefixes": ["10.40.0.0/16"]}}},
    ),
    "Azure::Network::SecurityGroup": (
        "network",
        {
            "properties": {
                "securityRules": [
                    {
                        "properties": {
                            "direction": "Inbound",
                            "access": "Allow",
                            "protocol": "Tcp",
                            "destinationPortRange": "443",
                            "sourceAddressPrefix": "10.40.0.0/16",
                        }
                    }
                ]
            }
        },
    ),
    "Azure::PostgreSQL::Server": (
        "relational",
        {"properties": {"storage": {"storageSizeGB": 128}, "highAvailability": {"mode": "ZoneRedundant"}}},
    ),
    "Azure::EventHub::Hub": ("stream", {"properties": {"partitionCount": 16, "messageRetentionInDays": 3}}),
}
SOURCES = {"aws": _AWS, "gcp": _GCP, "azure": _AZURE}
PAIRS = [(source, target) for source in SOURCES for target in SOURCES if source != target]
TERRAFORM = {"aws": "aws_tf", "gcp": "gcp_tf", "azure": "azure_tf"}
"""Columns of the map of services."""


def sampled(source: str) -> list[Thing]:
    """Return one thing for each sample of a source, as the inventory's attributes tell it."""
    return [
        thing_of(native, capability, attributes, f"{source}:{native}", native.rpartition("::")[2])
        for native, (capability, attributes) in SOURCES[source].items()
    ]


def thing_of(
    native: str, capability: str, attributes: dict[str, Any], id: str, name: str, wave: int = 1
) -> Thing:
    """Return what is generated of a component with these attributes."""
    listed = Component(id, "any", "any", Kind.DATASET, native, name, attributes_json=json.dumps(attributes))
    return Thing(id, name, capability_of(capability, native), native, wave, settings_of(listed))


def everything() -> list[Thing]:
    """Return one thing for each capability of the map."""
    return [Thing(f"map:{name}", name, name, "", 2) for name in load_services().rows]


def wanted(source: str, target: str, things: Iterable[Thing], region: str = "europe-west4") -> Wanted:
    """Return a plan's demand for these things."""
    return Wanted("demo", source, target, region, "0" * 64, tuple(things))
