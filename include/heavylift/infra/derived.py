"""Settings in the forms that single targets want: sizes in steps, rules one by one, times."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from heavylift.infra.ranges import ipv4_of

Settings = Mapping[str, Any]
_MOST_RULES = 50
_POSTGRES_SMALLEST_MB, _LUSTRE_STEP_TB = 32_768, 16
_FSX_FIRST, _FSX_STEP, _FILESTORE_SMALLEST = 1200, 2400, 1024
_RATES = {"minute": "*/{} * * * *", "hour": "0 */{} * * *", "day": "0 0 */{} * *"}


def derived(settings: Settings) -> Settings:
    """Return ``settings`` with what follows from them."""
    found = dict(settings)
    for name, make in _MAKERS.items():
        value = make(settings)
        if value is not None and value != []:
            found[name] = value
    return MappingProxyType(found)


def cron_of(expression: str) -> str | None:
    """Return what EventBridge calls a schedule as five cron fields; None where cron cannot say it."""
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if rate:
        return _RATES[rate[2]].format(rate[1])
    fields = expression.removeprefix("cron(").removesuffix(")").split()
    if not expression.startswith("cron(") or len(fields) != 6 or fields[5] != "*":
        return None
    minute, hour, day, month, weekday = (each.replace("?", "*") for each in fields[:5])
    if re.search(r"[#LW]", day + weekday):
        return None
    if weekday != "*" and not re.search("[A-Za-z]", weekday):
        # EventBridge counts Sunday as 1, cron as 0.
        weekday = re.sub(r"\d", lambda m: str(int(m[0]) - 1), weekday)
    return f"{minute} {hour} {day} {month} {weekday}"


def _cron_aws(settings: Settings) -> str | None:
    fields = str(settings.get("cron", "")).split()
    if len(fields) != 5:
        return None
    minute, hour, day, month, weekday = fields
    if weekday == "*":
        return f"cron({minute} {hour} {day} {month} ? *)"
    if day != "*":
        return None
    if not re.search("[A-Za-z/]", weekday):
        weekday = re.sub(r"\d", lambda m: str(int(m[0]) % 7 + 1), weekday)
    return f"cron({minute} {hour} ? {month} {weekday} *)"


def _rules(settings: Settings) -> list[dict[str, Any]]:
    """Return the opened ports, one rule for each range and ports; ranges that are no IPv4 are left out."""
    ranges = [each for each in settings.get("ranges") or () if ipv4_of(each)]
    pairs = [(net, port) for net in ranges for port in settings.get("ports") or ()][:_MOST_RULES]
    return [
        {"range": net, "text": port["ports"][0], "priority": 200 + at, **port}
        for at, (net, port) in enumerate(pairs)
    ]


def _aws_lifecycle(settings: Settings) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = [{"name": "parts"}]
    for at, rule in enumerate(settings.get("lifecycle") or (), 1):
        made: dict[str, Any] = {"name": f"rule-{at}", "prefix": (rule.get("prefixes") or [""])[0]}
        if rule.get("noncurrent_days") is not None:
            made["noncurrents"] = [{"days": rule["noncurrent_days"]}]
        elif rule["then"] == "delete":
            made["expirations"] = [{"days": rule["days"]}]
        else:
            made["transitions"] = [{"days": rule["days"], "then": rule["then"]}]
        rules.append(made)
    return rules


def _azure_lifecycle(settings: Settings) -> list[dict[str, Any]]:
    rules = []
    for at, rule in enumerate(settings.get("lifecycle") or (), 1):
        made: dict[str, Any] = {"name": f"rule-{at}"}
        if rule.get("prefixes"):
            made["prefix"] = rule["prefixes"][0]
        if rule.get("noncurrent_days") is not None:
            made["versions"] = [{"days": rule["noncurrent_days"]}]
        else:
            made["blobs"] = [{rule["then"]: rule["days"]}]
        rules.append(made)
    return rules


def _gib(settings: Settings) -> int | None:
    value = settings.get("size_gb")
    return value if isinstance(value, int) and value > 0 else None


def _postgres_mb(settings: Settings) -> int | None:
    size, step = _gib(settings), _POSTGRES_SMALLEST_MB
    while size and step < size * 1024:
        step *= 2
    return step if size else None


def _lustre_tb(settings: Settings) -> int | None:
    size = _gib(settings)
    return -(-size // (1024 * _LUSTRE_STEP_TB)) * _LUSTRE_STEP_TB if size else None


def _fsx_gb(settings: Settings) -> int | None:
    size = _gib(settings)
    if not size:
        return None
    return _FSX_FIRST if size <= _FSX_FIRST else -(-size // _FSX_STEP) * _FSX_STEP


def _filestore_gb(settings: Settings) -> int | None:
    size = _gib(settings)
    return max(size, _FILESTORE_SMALLEST) if size else None


def _sagemaker(settings: Settings) -> str | None:
    instance = settings.get("target_instance")
    return f"ml.{str(instance).removeprefix('ml.')}" if instance else None


def _lock(settings: Settings) -> str | None:
    seconds = settings.get("visibility_seconds")
    return f"PT{min(max(seconds, 5), 300)}S" if isinstance(seconds, int) else None


_MAKERS: Mapping[str, Callable[[Settings], Any]] = {
    "cron_aws": _cron_aws,
    "rules": _rules,
    "aws_lifecycle": _aws_lifecycle,
    "azure_lifecycle": _azure_lifecycle,
    "postgres_mb": _postgres_mb,
    "lustre_tb": _lustre_tb,
    "fsx_gb": _fsx_gb,
    "filestore_gb": _filestore_gb,
    "sagemaker_instance": _sagemaker,
    "lock": _lock,
}
