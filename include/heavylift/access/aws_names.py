"""AWS's names of resources, and the neutral ones.

A neutral name is ``name`` for what is global (``bucket/key``, ``role``) and ``region/name`` for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from heavylift.access.globs import is_literal, matches
from heavylift.access.model import Place
from heavylift.access.table import Kind

_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$")
_SECRETS = re.compile(r":secret:([^\s\"*?]+)-([A-Za-z0-9]{6})\"")
_PARTS = 6


def names_whole_service(arn: str) -> bool:
    """Tell whether a pattern is all resources of a service, such as ``arn:aws:s3:::*``."""
    return arn.split(":", _PARTS - 1)[_PARTS - 1 :] == ["*"]


def neutral_patterns(kind: Kind, arn: str, place: Place) -> list[str]:
    """Return the neutral patterns of what an ARN's pattern matches of one kind; none where nothing."""
    template = kind.templates["aws"]
    if arn == "*" or template == "*":
        return ["*"] if arn == "*" else []
    if arn.strip("*") == "":
        return ["*"]
    got, wanted = arn.split(":", _PARTS - 1), template.split(":", _PARTS - 1)
    if len(got) < _PARTS or got[0] != "arn" or not matches(got[1], "aws") or not matches(got[2], wanted[2]):
        return []
    if wanted[4] == "{account}" and not matches(got[4], place.account):
        return []
    names = _names(kind, got[5], wanted[5])
    if wanted[3] != "{region}":
        return names
    region = got[3] or "*"
    return [f"{region}/{name}" if (region, name) != ("*", "*") else "*" for name in names]


def _names(kind: Kind, got: str, template: str) -> list[str]:
    head = template.removesuffix("{name}")
    if kind.name in ("bucket", "new_bucket"):
        return [] if "/" in got else [got]
    if kind.name == "object":
        return [got] if "/" in got or not is_literal(got) else []
    if got == "*":
        return ["*"]
    if not got.startswith(head):
        return _short(got, head)
    return _secret(got.removeprefix(head)) if kind.name == "secret" else [got.removeprefix(head)]


def _short(got: str, head: str) -> list[str]:
    """A star so early that it spans the type: all of the type, where it surely does."""
    star = got.find("*")
    if star < 0 or not head.startswith(got[:star]):
        return []
    return ["*"] if got.endswith("*") and got.count("*") == 1 else []


def _secret(name: str) -> list[str]:
    """Return a secret's name without the six characters that AWS appends."""
    if name.endswith("-??????"):
        return [name.removesuffix("-??????")]
    if is_literal(name):
        # Without a suffix that looks like one the name matches no secret of AWS's.
        stem = _SUFFIX.sub("", name)
        return [stem] if stem != name and re.search(r"[A-Z0-9]", name[len(stem) :]) else []
    if name.endswith("-*") and is_literal(name[:-2]):
        return [name.removesuffix("-*"), name]
    return [name]


def arn_of(kind: Kind, name: str, place: Place) -> str:
    """Return the ARN, or its pattern, of what a neutral name or pattern means."""
    template = kind.templates["aws"]
    if template == "*" or name == "*":
        return "*" if name == "*" or template == "*" else template
    region = ""
    if "{region}" in template:
        region, _, name = name.partition("/")
    made = template.replace("{region}", region).replace("{account}", place.account).replace("{name}", name)
    if kind.name == "secret" and not name.endswith("*"):
        made += "-??????"
    return made


def example_arn(kind: Kind, name: str, place: Place, suffixes: Mapping[str, str]) -> str:
    """Return the ARN of the one resource that a neutral name means.

    :param suffixes: what AWS appended to the names of secrets, where that is known.
    """
    made = arn_of(kind, name, place)
    if kind.name != "secret":
        return made
    return made.replace("-??????", f"-{suffixes.get(name.partition('/')[2], 'AbCdEf')}")


def secret_suffixes(text: str) -> dict[str, str]:
    """Return what AWS appended to the names of the secrets that ARNs in ``text`` name."""
    return {name: suffix for name, suffix in sorted(_SECRETS.findall(text))}
