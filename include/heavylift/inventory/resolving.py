"""Finds the component that a reference names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from heavylift.evidence.inventory_records import Component

MAX_MATCHES = 25
"""A wildcard that means more components than this grants a type, and names none in particular."""

_QUEUE_URL = re.compile(r"https://(?:sqs\.)?([a-z0-9-]+)?.*/(\d{12})/([\w.-]+)$")
_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$")
_ANYWHERE = "*"
_HOSTED: dict[str, tuple[str, ...]] = {
    "AWS::RDS::DBInstance": ("Endpoint",),
    "AWS::RDS::DBCluster": ("Endpoint", "ReaderEndpoint"),
    "AWS::MSK::Cluster": ("BootstrapBrokers",),
    "AWS::EKS::Cluster": ("endpoint",),
    "AWS::SageMaker::MlflowTrackingServer": ("TrackingServerUrl",),
}
"""Attributes that hold a component's hosts."""


class Resolver:
    """All names under which components are known; built once, then asked for each reference."""

    def __init__(self, components: Iterable[Component]) -> None:
        self._ids: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._by_service: dict[str, list[str]] = defaultdict(list)
        self.seen_types: set[tuple[str, str]] = set()
        for component in components:
            self._add(component)

    def find(self, target: str) -> tuple[str, ...]:
        """Return the ids of the components that ``target`` names; empty where there is none."""
        if "|" in target:
            found = self._typed(target)
        elif target.startswith("arn:") and ("*" in target or "?" in target):
            return self._matching(target)
        elif target.startswith("arn:"):
            found = self._arn(target)
        elif target.startswith("s3://"):
            found = self._ids.get("s3://" + target[5:].partition("/")[0])
        elif target.startswith("https://"):
            found = self._queue(target)
        else:
            found = self._ids.get(target)
        return (found,) if found else ()

    def _add(self, component: Component) -> None:
        id, kind = component.id, component.native_type
        self._ids[id] = id
        for region in {component.region, _ANYWHERE} if kind == "AWS::S3::Bucket" else {component.region}:
            self._names[f"{kind}|{region}|{component.name}"] = id
        if component.region == "global":
            self._names[f"{kind}|{_ANYWHERE}|{component.name}"] = id
        if id.startswith("arn:"):
            self._by_service[id.split(":", 3)[2]].append(id)
            self.seen_types.add(arn_type(id))
        for alias in _aliases(component):
            self._ids.setdefault(alias, id)

    def _typed(self, target: str) -> str | None:
        types, region, name = target.split("|", 2)
        for kind in types.split(","):
            for where in (region, _ANYWHERE):
                found = self._names.get(f"{kind}|{where}|{name}")
                if found:
                    return found
        if types == "AWS::KMS::Key":
            return self._ids.get(f"{region}|{name}")
        if types == "AWS::SQS::Queue" and name.startswith("http"):
            return self._queue(name)
        return None

    def _arn(self, arn: str) -> str | None:
        found = self._ids.get(arn)
        while found is None:
            # An object in a bucket, a version of a function: the longest id that holds it.
            cut = max(arn.rfind("/"), arn.rfind(":"))
            if arn.count(":", 0, cut) < 5:
                return None
            arn = arn[:cut]
            found = self._ids.get(arn)
        return found

    def _matching(self, pattern: str) -> tuple[str, ...]:
        service = pattern.split(":", 3)[2]
        trimmed = pattern.rstrip("*").rstrip("/:")
        if "*" not in trimmed and "?" not in trimmed:
            exact = self._arn(trimmed)
            if exact:
                return (exact,)
        text = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
        wanted = re.compile(text)
        deeper = re.compile(text.partition("/")[0]) if service == "s3" else wanted
        found = [id for id in self._by_service[service] if wanted.fullmatch(id) or deeper.fullmatch(id)]
        return tuple(found) if len(found) <= MAX_MATCHES else ()

    def _queue(self, url: str) -> str | None:
        found = _QUEUE_URL.match(url)
        return self._names.get(f"AWS::SQS::Queue|{found[1]}|{found[3]}") if found else None


def arn_type(arn: str) -> tuple[str, str]:
    """Return the service and the type of resource of an ARN: ``("sagemaker", "model")``."""
    parts = [*arn.split(":", 5), "", "", "", "", ""]
    service, resource = parts[2], parts[5]
    return service, "" if service in ("s3", "sns", "sqs") else re.split(r"[:/]", resource, maxsplit=1)[0]


def _aliases(component: Component) -> Iterator[str]:
    kind, id = component.native_type, component.id
    if kind == "AWS::S3::Bucket":
        yield f"s3://{component.name}"
    elif kind == "AWS::ECR::Repository":
        domain = "amazonaws.com.cn" if id.startswith("arn:aws-cn:") else "amazonaws.com"
        yield f"image:{component.account}.dkr.ecr.{component.region}.{domain}/{component.name}"
    elif kind == "AWS::SecretsManager::Secret":
        yield _SUFFIX.sub("", id)
    elif kind == "AWS::KMS::Key":
        for alias in component.attributes.get("Aliases") or ():
            yield f"{component.region}|{alias}"
            yield f"{id.rpartition(':')[0]}:{alias}"
    elif kind == "AWS::EFS::FileSystem":
        yield f"host:{component.name}.efs.{component.region}.amazonaws.com"
    elif kind in _HOSTED:
        attributes = component.attributes
        for field in _HOSTED[kind]:
            for host in _hosts(attributes.get(field)):
                yield f"host:{host}"


def _hosts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _hosts(value.get("Address"))
    elif isinstance(value, list):
        for each in value:
            yield from _hosts(each)
    elif isinstance(value, str):
        for each in value.split(","):
            yield (
                each.strip().partition("://")[2].partition("/")[0].partition(":")[0].lower()
                or each.strip().partition(":")[0].lower()
            )
