"""Rules about services, hardware, quotas and places."""

from __future__ import annotations

from heavylift.assess.advice import SILICON, compiled_for
from heavylift.assess.findings.rule import Rule, Scene
from heavylift.assess.residency import broken_residency
from heavylift.evidence.wording import enumeration

_LOCKED_IN = {
    "dynamicframe": "DynamicFrame exists in AWS Glue alone",
    "awsglue": "the library awsglue exists in AWS Glue alone",
    "bedrock": "models of Bedrock are not offered elsewhere under the same name and version",
    "sagemaker_inference": "the container contract of SageMaker's inference toolkit",
    "dynamodb_transactions": "transactions over several tables of DynamoDB",
    "bigquery ml": "models that live inside BigQuery",
    "cosmos change feed": "the change feed of Cosmos DB",
}
"""Libraries and features that one platform alone has."""


def _no_service(scene: Scene) -> str:
    service = scene.fate.service
    return (
        f"{service.source_service or service.capability}: {service.lost}"
        if service and service.level == "none"
        else ""
    )


def _partial_service(scene: Scene) -> str:
    service = scene.fate.service
    if service is None or service.level != "partial":
        return ""
    return f"{service.source_service or service.capability} becomes {service.target_service}: {service.lost}"


def _unknown_service(scene: Scene) -> str:
    if scene.fate.service is not None:
        return ""
    return f"service {scene.component.service!r} of kind {scene.component.kind!r} is in no row of the map"


def _locked_in(scene: Scene) -> str:
    found = [_LOCKED_IN[use.lower()] for use in scene.component.uses if use.lower() in _LOCKED_IN]
    return "" if scene.source == scene.target.platform else enumeration(found)


def _weights(scene: Scene) -> str:
    if scene.fate.capability != "foundation models custom" or scene.source == scene.target.platform:
        return ""
    return "the weights of a managed custom model usually cannot be exported"


def _silicon(scene: Scene) -> str:
    compiled = compiled_for(scene.component)
    vendor = {"gcp": "google"}.get(scene.target.platform, scene.target.platform)
    if not compiled or SILICON[compiled.lower()] == vendor:
        return ""
    return f"compiled for {compiled}, which {scene.target.platform} has not"


def _engine(scene: Scene) -> str:
    engines = [each for each in scene.component.formats if each.lower() in {"tensorrt", "plan", "openvino"}]
    match = scene.fate.accelerator
    if not engines or (match is not None and match.level == "equivalent"):
        return ""
    return f"{engines[0]} engines run only on the model of device that they were built on"


def _memory(scene: Scene) -> str:
    match = scene.fate.accelerator
    return match.reason if match and match.missing == "memory" else ""


def _interconnect(scene: Scene) -> str:
    match = scene.fate.accelerator
    return match.reason if match and match.missing in {"interconnect", "count"} else ""


def _vendor(scene: Scene) -> str:
    match = scene.fate.accelerator
    return match.reason if match and match.missing in {"vendor", "table", "processor"} else ""


def _other_model(scene: Scene) -> str:
    match = scene.fate.accelerator
    return match.reason if match and match.level == "partial" else ""


def _unknown_accelerator(scene: Scene) -> str:
    use = scene.component.accelerator
    if use is None or use.memory_gib_each is not None:
        return ""
    need = scene.basis.need(scene.component, scene.source)
    if need is None or need.memory_gib_each is not None:
        return ""
    return f"neither its memory nor that of {use.instance_type or 'its instance type'} is known"


def _quota(scene: Scene) -> str:
    needed = scene.allowed.needed(scene.component, scene.fate)
    asked = {name: own if scene.allowed.each(name) else scene.quotas[name] for name, own in needed.items()}
    return enumeration([text for name, all_ in asked.items() if (text := scene.allowed.short(name, all_))])


def _unknown_quota(scene: Scene) -> str:
    unknown = [
        f"{name} ({amount:g} needed)"
        for name, amount in scene.allowed.needed(scene.component, scene.fate).items()
        if not scene.allowed.knows(name)
    ]
    return enumeration(unknown)


def _region(scene: Scene) -> str:
    match, service = scene.fate.accelerator, scene.fate.service
    wanted = {scene.fate.capability, service.target_service if service else ""}
    wanted.add(match.instance.name if match and match.instance else "")
    gone = sorted((wanted - {""}) & set(scene.target.missing))
    return f"{scene.target.name} does not offer {enumeration(gone)}" if gone else ""


def _residency(scene: Scene) -> str:
    return broken_residency(scene.component, scene.constraints, scene.target, scene.basis)


SERVICE_RULES = (
    Rule(
        "AS-101", "blocker", "No counterpart for a service", _no_service,
        "redesign it with what the target has, or leave it where it is and accept the dependency",
    ),
    Rule(
        "AS-102", "warning", "A service loses something", _partial_service,
        "read what is lost and decide whether it is used; the effort score says how much work it is",
    ),
    Rule(
        "AS-103", "warning", "A service that the map does not know", _unknown_service,
        "name its service as the platform does, or add a row to a service_map.csv of your own",
    ),
    Rule(
        "AS-104", "blocker", "Code that only one platform runs", _locked_in,
        "rewrite that part against an open interface before its wave",
    ),
    Rule(
        "AS-105", "blocker", "Weights that cannot be exported", _weights,
        "train it again at the target from the data that it was tuned with",
    ),
    Rule(
        "AS-110", "blocker", "Compiled for silicon that the target has not", _silicon,
        "keep the framework's own model beside the compiled one and compile again for the target's device",
    ),
    Rule(
        "AS-111", "warning", "An engine bound to its device", _engine,
        "build the engine again on the target's device and compare latency and answers",
    ),
    Rule(
        "AS-112", "blocker", "Accelerator memory that no type has", _memory,
        "shard or quantise the model, or state the memory that it really needs (memory_gib_each)",
    ),
    Rule(
        "AS-113", "blocker", "Interconnect or devices in one machine that no type has", _interconnect,
        "choose another target or region, or state the network that the work really needs (network_gbps)",
    ),
    Rule(
        "AS-114", "blocker", "No device of that kind", _vendor,
        "port the programs to a device that the target has; plan time for measuring accuracy again",
    ),
    Rule(
        "AS-115", "warning", "Another accelerator than today's", _other_model,
        "measure training time and latency on it before the wave",
    ),
    Rule(
        "AS-116", "warning", "An accelerator's memory is not known", _unknown_accelerator,
        "state memory_gib_each, or add the instance type to a gpu_instances.csv of your own",
    ),
    Rule(
        "AS-120", "blocker", "A quota is too small", _quota,
        "ask the target's provider to raise it before the wave; this takes days to weeks",
    ),
    Rule(
        "AS-121", "note", "A quota nobody has looked up", _unknown_quota,
        "have it read (assess.quotas), or look it up at the target and put it into targets[].quotas",
    ),
    Rule(
        "AS-122", "blocker", "The region does not offer it", _region,
        "choose another region, or move this component to one that is near",
    ),
    Rule(
        "AS-130", "blocker", "Data may not lie there", _residency,
        "choose a region within what is allowed, or have the rule changed by who owns it",
    ),
)  # fmt: skip
"""In the order of their ids."""
