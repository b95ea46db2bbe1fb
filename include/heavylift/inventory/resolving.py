"""Finds the component that a reference names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from heavylift.evidence.inventory_records import Component
from heavylift.inventory.rows import KNOWN_AS
from heavylift.inventory.shapes import STORES

MAX_MATCHES = 25
"""A wildcard that means more components than this grants a type, and names none in particular."""

_QUEUE_URL = re.compile(r"https://(?:sqs\.)?([a-z0-9-]+)?.*/(\d{12})/([\w.-]+)$")
_REGISTRIES = re.compile(r"-docker\.pkg\.dev/|\.azurecr\.")
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
SELECTED = "pods:"
"""What targets begin with that mean everything with certain labels."""
SERVERS = frozenset({"PostgreSQL::Server", "MySQL::Server", "Kafka::Cluster", "MLflow::Server"})
"""What answers for itself; a platform may run it, and then lists it under the same host."""
_ONE_NAME = frozenset({"AWS::S3::Bucket", "AWS::EC2::Volume", "AWS::EFS::FileSystem"})
"""Types whose names are unique beyond their region."""


class Resolver:
    """All names under which components are known; built once, then asked for each reference.

    Two components may have one name, in two accounts or clusters. Then the one of the same account as the
    component that names it is meant; where there is none such, the one server among them, which tells itself
    on what it runs; else nothing can be told, and nothing is.
    """

    def __init__(self, components: Iterable[Component]) -> None:
        self._ids: dict[str, str] = {}
        self._accounts: dict[str, tuple[str, str]] = {}
        self._known: dict[str, list[str]] = defaultdict(list)
        self._with_port: set[str] = set()
        self._servers: dict[str, list[str]] = {}
        self._by_service: dict[str, list[str]] = defaultdict(list)
        self.seen_types: set[tuple[str, str]] = set()
        self.native_types: set[str] = set()
        for component in components:
            self._add(component)

    def find(self, target: str, source: str = "") -> tuple[str, ...]:
        """Return the ids of the components that ``target`` names; empty where there is none.

        :param source: id of the component that names it.
        """
        if target in self._ids:
            return (target,)
        if target.startswith(SELECTED):
            return self._selected(target, source)
        if target.startswith("arn:") and ("*" in target or "?" in target):
            return self._matching(target)
        found = self._way(target)(target, source)
        return (found,) if found else ()

    def _way(self, target: str) -> Callable[[str, str], str | None]:
        """Return what finds targets of this form."""
        if "|" in target:
            return self._typed
        ways: tuple[tuple[str | tuple[str, ...], Callable[[str, str], str | None]], ...] = (
            ("arn:", self._arn),
            (STORES, self._container),
            ("https://", self._queue),
            ("host:", self._host),
            ("image:", self._image),
            (("/", "projects/"), self._path),
        )
        return next((way for beginning, way in ways if target.startswith(beginning)), self._one)

    def _selected(self, target: str, source: str) -> tuple[str, ...]:
        """Return all that a selector by labels means, in the same cluster."""
        home = self._accounts.get(source)
        return tuple(id for id in self._known.get(target, ()) if self._accounts[id] == home)

    def _one(self, name: str, source: str) -> str | None:
        several = self._known.get(name, ())
        if len(several) < 2:
            return several[0] if several else self._ids.get(name)
        home = self._accounts.get(source)
        near = [id for id in several if self._accounts[id] == home]
        if len(near) != 1:
            near = [id for id in several if id in self._servers]
        return near[0] if len(near) == 1 else None

    def hosted(self) -> Iterator[tuple[str, str, str]]:
        """Yield each server, what a platform runs it as, and the host under which both are known."""
        for id, hosts in self._servers.items():
            for host in hosts:
                for other in self._known.get(host, ()):
                    if other not in self._servers:
                        yield id, other, host

    def _add(self, component: Component) -> None:
        id, kind = component.id, component.native_type
        if id in self._ids:
            return
        self._ids[id] = id
        self._accounts[id] = (component.platform, component.account)
        places = {component.region}
        if kind in _ONE_NAME or component.region == "global":
            places.add(_ANYWHERE)
        for region in places:
            self._known[f"{kind}|{region}|{component.name}"].append(id)
        if id.startswith("arn:"):
            self._by_service[id.split(":", 3)[2]].append(id)
        self.seen_types.add(resource_type(id))
        self.native_types.add(kind)
        known_as = component.attributes.get(KNOWN_AS) if KNOWN_AS in component.attributes_json else ()
        for alias in dict.fromkeys((*_aliases(component), *(known_as or ()))):
            self._known[alias].append(id)
            host, port = _cut_port(alias)
            if kind in SERVERS and alias.startswith("host:"):
                self._servers.setdefault(id, []).append(host)
            if port:
                self._known[host].append(id)
                self._with_port.add(host)

    def _typed(self, target: str, source: str) -> str | None:
        types, region, name = target.split("|", 2)
        for kind in types.split(","):
            for where in (region, _ANYWHERE):
                found = self._one(f"{kind}|{where}|{name}", source)
                if found:
                    return found
        if types == "AWS::KMS::Key":
            return self._one(f"{region}|{name}", source)
        if types == "AWS::SQS::Queue" and name.startswith("http"):
            return self._queue(name, source)
        return None

    def _host(self, target: str, source: str) -> str | None:
        found = self._one(target, source)
        host, port = _cut_port(target)
        # Another port of a machine that is known by its ports is something else.
        return found if found or not port or host in self._with_port else self._one(host, source)

    def _container(self, uri: str, source: str) -> str | None:
        scheme, _, rest = uri.partition("://")
        parts = rest.split("/")
        container = "/".join(parts[:2] if scheme == "az" else parts[:1])
        return self._one(f"{scheme}://{container}", source)

    def _image(self, image: str, source: str) -> str | None:
        """Return the repository that holds an image; of Google and Azure the registry is what there is."""
        found = self._one(image, source)
        while found is None and "/" in image and _REGISTRIES.search(image):
            image = image.rpartition("/")[0]
            found = self._one(image, source)
        return found

    def _path(self, path: str, source: str) -> str | None:
        """Return the longest thing that holds what a path of Google or Azure names."""
        while "/providers/" in path or (path.startswith("projects/") and path.count("/") > 3):
            found = self._one(path, source)
            if found:
                return found
            path = path.rpartition("/")[0]
        return self._one(path, source)

    def _arn(self, arn: str, source: str = "") -> str | None:
        found = self._one(arn, source)
        while found is None:
            # An object in a bucket, a version of a function: the longest id that holds it.
            cut = max(arn.rfind("/"), arn.rfind(":"))
            if arn.count(":", 0, cut) < 5:
                return None
            arn = arn[:cut]
            found = self._one(arn, source)
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

    def _queue(self, url: str, source: str) -> str | None:
        found = _QUEUE_URL.match(url)
        return self._one(f"AWS::SQS::Queue|{found[1]}|{found[3]}", source) if found else None


def _cut_port(alias: str) -> tuple[str, str]:
    """Return ``host:name`` and the port of ``host:name:port``; another alias has no port."""
    head, _, port = alias.rpartition(":")
    return (head, port) if alias.startswith("host:") and port.isdigit() and ":" in head else (alias, "")


def resource_type(id: str) -> tuple[str, str]:
    """Return of what type the resource is that an id of AWS, Google or Azure means."""
    if id.startswith("arn:"):
        return arn_type(id)
    if "/providers/" in id.lower():
        parts = id.lower().rpartition("/providers/")[2].split("/")
        return "azure", "/".join([parts[0], *parts[1::2]])
    path = id[id.find("projects/") :].split("/") if "projects/" in id else [""]
    return "gcp", path[-2] if len(path) > 2 else ""


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
