"""AWS's quotas by Service Quotas, and what is used of them by CloudWatch's namespace AWS/Usage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from heavylift.evidence.assess_input import QuotaLimit
from heavylift.facts.accelerators import load_accelerators
from heavylift.quotas.model import VALUE, Found

if TYPE_CHECKING:
    from heavylift.platforms.control import ControlPlane

_FAMILIES = (
    (re.compile(r"^(g|vt)\d"), "L-DB2E81BA"),
    (re.compile(r"^p\d"), "L-417A185B"),
    (re.compile(r"^inf\d"), "L-1945791B"),
    (re.compile(r"^trn\d"), "L-2C3B7624"),
    (re.compile(r"^dl\d"), "L-6E869C2A"),
)
"""Instance types, and the code of EC2's quota of running on-demand cores that they count against."""
_MANAGED = (
    ("real-time endpoint", "endpoint usage"),
    ("managed training job", "training job usage"),
    ("batch inference", "transform job usage"),
    ("notebooks", "notebook instance usage"),
)
"""Capability, and what SageMaker's quotas of machines for it are called after the type."""
_EACH = (("object storage", "s3", "L-DC2B2D3D", "us-east-1"), ("relational", "rds", "L-7B6409FD", ""))
"""Capability, and the quota of which each component takes one; S3's is told in one region alone."""
_LOOK_BACK = timedelta(days=1)
_HOUR = 3600
Quotas = dict[str, Mapping[str, Any]]


class ServiceQuotas:
    """Reads the quotas of one account."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    def read(self, region: str) -> Found:
        """Return the quotas of a region that machines, buckets and databases count against."""
        found = Found()
        types = [each for each in load_accelerators().types if each.provider == "aws"]
        compute, managed = self._of("ec2", region, found), self._of("sagemaker", region, found)
        wanted: list[tuple[str, str, Mapping[str, Any], str]] = [
            (f"ec2:{code}", region, compute[code], "vCPU") for _, code in _FAMILIES if code in compute
        ]
        by_name = {str(each["QuotaName"]): each for each in managed.values()}
        for each in types:
            code = next((code for pattern, code in _FAMILIES if pattern.match(each.name)), "")
            found.takes(f"ec2:{code}", each.vcpu or 0.0, instance=each.name)
            for capability, use in _MANAGED:
                name = f"ml.{each.name} for {use}"
                if name in by_name:
                    wanted.append((f"sagemaker:{name}", region, by_name[name], "machines"))
                    found.takes(f"sagemaker:{name}", 1.0, instance=each.name, capability=capability)
        for capability, service, code, only in _EACH:
            place = only or region
            there = self._of(service, place, found)
            if code in there:
                wanted.append((f"{service}:{code}", place, there[code], ""))
                found.takes(f"{service}:{code}", 1.0, capability=capability)
        offered = found.tried(
            partial(self._offered, region), f"instance types in {region}",
            self._plane.permission("ec2", "DescribeInstanceTypeOfferings"),
        )  # fmt: skip
        if offered:
            found.missing += [each.name for each in types if each.name not in offered]
        for key, place, quota, unit in wanted:
            found.limit(self._limit(key, place, quota, unit, found))
        return found

    def _offered(self, region: str) -> frozenset[str]:
        asked = {"LocationType": "region"}
        pages = self._plane.pages("ec2", "DescribeInstanceTypeOfferings", region, asked)
        return frozenset(
            str(each["InstanceType"]) for page in pages for each in page.get("InstanceTypeOfferings", ())
        )

    def _of(self, service: str, region: str, found: Found) -> Quotas:
        """Return a service's quotas by code: those of the account, and defaults of what it never touched."""
        quotas: Quotas = {}
        for operation in ("ListServiceQuotas", "ListAWSDefaultServiceQuotas"):
            permission = self._plane.permission("service-quotas", operation)
            ask = partial(self._listed, operation, service, region)
            quotas = {**(found.tried(ask, f"quotas of {service} in {region}", permission) or {}), **quotas}
        return quotas

    def _listed(self, operation: str, service: str, region: str) -> Quotas:
        pages = self._plane.pages("service-quotas", operation, region, {"ServiceCode": service})
        quotas = (each for page in pages for each in page.get("Quotas", ()))
        return {str(each["QuotaCode"]): each for each in quotas if each.get("Value") is not None}

    def _limit(self, key: str, region: str, quota: Mapping[str, Any], unit: str, found: Found) -> QuotaLimit:
        service, code = str(quota.get("ServiceCode") or key.partition(":")[0]), str(quota["QuotaCode"])
        ask = (
            f"aws service-quotas request-service-quota-increase --service-code {service} --quota-code {code}"
            f" --desired-value {VALUE} --region {region}"
        )
        return QuotaLimit(
            key=key,
            name=f"{quota['QuotaName']} ({service} {code})",
            limit=float(quota["Value"]),
            used=self._used(quota.get("UsageMetric") or {}, region, found),
            unit=unit,
            ask=ask if quota.get("Adjustable") else "AWS does not raise it; use another region or account",
        )

    def _used(self, metric: Mapping[str, Any], region: str, found: Found) -> float | None:
        """Return the most that was used of it within the last day; None where no metric tells."""
        if not metric.get("MetricName"):
            return None
        permission = self._plane.permission("cloudwatch", "GetMetricStatistics")
        ask = partial(self._most, metric, region)
        return found.tried(ask, f"use of quotas in {region}", permission)

    def _most(self, metric: Mapping[str, Any], region: str) -> float | None:
        now = datetime.now(UTC)
        dimensions = dict(metric.get("MetricDimensions") or {})
        asked = {
            "Namespace": metric.get("MetricNamespace") or "AWS/Usage",
            "MetricName": metric["MetricName"],
            "Dimensions": [{"Name": name, "Value": value} for name, value in sorted(dimensions.items())],
            "StartTime": now - _LOOK_BACK,
            "EndTime": now,
            "Period": _HOUR,
            "Statistics": ["Maximum"],
        }
        answer = self._plane.call("cloudwatch", "GetMetricStatistics", region, asked)
        # No value means that nothing of it ran.
        return max((float(each["Maximum"]) for each in answer.get("Datapoints", ())), default=0.0)
