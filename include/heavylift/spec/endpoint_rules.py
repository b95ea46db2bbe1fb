"""Rules about endpoints that are brought up on the target."""

from __future__ import annotations

from collections.abc import Iterator

from heavylift.spec.model import MigrationSpec
from heavylift.spec.problems import FieldPath
from heavylift.spec.rule import Broken
from heavylift.spec.secrets import names_secret
from heavylift.spec.sections_endpoints import Deployment, Endpoint, EndpointKind

_MADE = frozenset({EndpointKind.VERTEX, EndpointKind.AZURE_ML, EndpointKind.SAGEMAKER})
_READ = _MADE
_ALL = 100
_ONLY = {
    "environment": EndpointKind.AZURE_ML,
    "command": EndpointKind.VERTEX,
    "args": EndpointKind.VERTEX,
    "accelerator": EndpointKind.VERTEX,
    "accelerators": EndpointKind.VERTEX,
}


def endpoint_rules(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield what is wrong with the section ``endpoints``."""
    for index, endpoint in enumerate(spec.endpoints):
        path: FieldPath = ("endpoints", index)
        yield from _target(endpoint, path)
        yield from _traffic(endpoint, path)
        read = endpoint.source is not None and endpoint.source.kind in _READ
        for number, each in enumerate(endpoint.deployments):
            yield from _deployment(endpoint, each, (*path, "deployments", number), read=read)


def _target(endpoint: Endpoint, path: FieldPath) -> Iterator[Broken]:
    target = endpoint.target
    if target.kind not in _MADE:
        expected = " or ".join(sorted(each.value for each in _MADE))
        yield Broken("9275", (*path, "target", "kind"), target.kind.value, expected)
    sagemaker = target.kind is EndpointKind.SAGEMAKER
    if sagemaker and (target.role is None or target.existing):
        got = "existing: true" if target.existing else "no role"
        expected = "of sagemaker a role, and an endpoint that does not exist yet"
        yield Broken("9276", (*path, "target"), got, expected)
    names = [each.name for each in endpoint.deployments]
    if len(set(names)) < len(names):
        yield Broken("9277", (*path, "deployments"), "a name twice", "a name of its own for each")


def _traffic(endpoint: Endpoint, path: FieldPath) -> Iterator[Broken]:
    shares = [each.traffic for each in endpoint.deployments]
    known = [share for share in shares if share is not None]
    if known and (len(known) < len(shares) or sum(known) != _ALL):
        got = f"{sum(known)} % on {len(known)} of {len(shares)} deployments"
        expected = "100 % in all, told of every deployment or of none"
        yield Broken("9278", (*path, "deployments"), got, expected)


def _deployment(endpoint: Endpoint, each: Deployment, path: FieldPath, *, read: bool) -> Iterator[Broken]:
    model = each.model
    named = model.registered is not None and model.version is not None and model.artifact is None
    lies = model.artifact is not None and model.registered is None and model.version is None
    if named == lies:
        expected = "registered and version, or artifact"
        yield Broken("9279", (*path, "model"), "both or neither, or half of one", expected)
    for number, variable in enumerate(each.variables):
        wrong = (variable.value is None) == (variable.reference is None)
        if wrong or (variable.value is not None and names_secret(variable.name)):
            expected = "a value that is no secret, or a reference to the secret"
            got = f"{variable.name} with both or neither" if wrong else f"a value of {variable.name}"
            yield Broken("9280", (*path, "variables", number), got, expected)
    for name, kind in _ONLY.items():
        if getattr(each, name) and endpoint.target.kind is not kind:
            yield Broken("9281", (*path, name), f"{name} for {endpoint.target.kind.value}", kind.value)
    if each.min_replicas and each.max_replicas and each.min_replicas > each.max_replicas:
        got = f"{each.min_replicas} at least, {each.max_replicas} at most"
        yield Broken("9282", (*path, "max_replicas"), got, "at least min_replicas")
    missing = [name for name in ("machine", "min_replicas", "traffic") if getattr(each, name) is None]
    if not read and missing:
        expected = "all that no source tells: machine, min_replicas and traffic"
        yield Broken("9283", path, f"no {', no '.join(missing)}", expected)
