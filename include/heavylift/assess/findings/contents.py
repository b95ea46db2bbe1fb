"""Rules about what a component holds: licences, links, requirements, pickles, names, data and switching."""

from __future__ import annotations

import re
from collections.abc import Callable

from heavylift.assess.findings.rule import Rule, Scene
from heavylift.evidence.wording import enumeration, size
from heavylift.platforms.aws.naming import key_problem as aws_problem
from heavylift.platforms.azure.rules import TRAITS as AZURE
from heavylift.platforms.azure.rules import key_problem as azure_problem
from heavylift.platforms.gcp.rules import TRAITS as GCP
from heavylift.platforms.gcp.rules import key_problem as gcp_problem

MANY_NEED_IT = 3
"""From so many dependants on, one replica is a single point of failure worth telling."""

_LARGEST = {"aws": 50 * 10**12, "gcp": GCP.max_object_bytes, "azure": AZURE.max_object_bytes}
_PICKLES = {"pickle", "pkl", "joblib", "dill", "cloudpickle", "pt", "pth", "torch"}
_OPEN = re.compile(
    r"(?i)^(?:apache|mit|bsd|isc|mpl|lgpl|psf|python|cc0|cc-by(?!-nc)|unlicense|zlib|openrail)"
)
_PINNED = re.compile(r"===?\s*[\w.!+]+|@\s*\S+|--hash=")
_LEGACY: tuple[tuple[str, str], ...] = (
    (r"^(?:ftp|telnet|rsh|tftp)://", "a protocol without encryption"),
    (r"^http://(?!localhost|127\.)", "HTTP without TLS"),
    (r"^(?:smb|cifs|nfs|file)://", "a file share of the old network"),
    (r"^\w+://(?:[^/@]*@)?(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)", "a private address"),
    (r"\.(?:internal|local|corp|lan)(?:[:/]|$)", "a name that only the old network knows"),
    (r"^jdbc:(?:db2|informix|sybase)|^(?:mq|tuxedo|sna)://", "a mainframe-era system"),
)
_AT_HOME = {
    "aws": r"^arn:aws|^s3[an]?://|amazonaws\.com",
    "gcp": r"^gs://|googleapis\.com|\.gcr\.io|pkg\.dev",
    "azure": r"^(?:abfss?|wasbs?|az)://|\.core\.windows\.net|azurecr\.io|azureml://",
}
"""Addresses that only mean something on one platform."""

_KEY_PROBLEMS: dict[str, Callable[[str], str | None]] = {
    "aws": aws_problem,
    "gcp": gcp_problem,
    "azure": azure_problem,
}


def _forbidden_licence(scene: Scene) -> str:
    bad = [
        f"{licence.name} (only {', '.join(licence.platforms) or 'nowhere'})"
        for licence in scene.component.licences
        if licence.platforms is not None and scene.target.platform not in licence.platforms
    ]
    return enumeration(bad)


def _unknown_licence(scene: Scene) -> str:
    unknown = [
        licence.name
        for licence in scene.component.licences
        if licence.platforms is None and not _OPEN.match(licence.name)
    ]
    return enumeration(unknown)


def _legacy(scene: Scene) -> str:
    found = [
        f"{_shown(link)} ({what})"
        for link in scene.component.links
        for what in [next((what for pattern, what in _LEGACY if re.search(pattern, link)), "")]
        if what
    ]
    return enumeration(found)


def _hard_coded(scene: Scene) -> str:
    pattern = _AT_HOME.get(scene.source)
    if pattern is None or scene.source == scene.target.platform:
        return ""
    return enumeration([_shown(link) for link in scene.component.links if re.search(pattern, link)])


def _shown(link: str) -> str:
    """Return a link without what may be a password in it."""
    return re.sub(r"//[^/@]*@", "//…@", link.split("?", 1)[0])


def _unpinned(scene: Scene) -> str:
    lines = (line.split("#", 1)[0].strip() for line in scene.component.requirements)
    return enumeration(
        [line for line in lines if line and not line.startswith("-") and not _PINNED.search(line)]
    )


def _pickle(scene: Scene) -> str:
    found = sorted(_PICKLES & {each.lower() for each in scene.component.formats})
    if not found or scene.component.pickle_scan is not None:
        return ""
    return f"{', '.join(found)}: loading it runs whatever is in it, and nobody has scanned it"


def _evil_pickle(scene: Scene) -> str:
    return (
        "a scanner found code in it that runs when it is loaded"
        if scene.component.pickle_scan == "unsafe"
        else ""
    )


def _single(scene: Scene) -> str:
    if scene.component.replicas != 1 or scene.needed_by < MANY_NEED_IT:
        return ""
    return f"one replica, and {scene.needed_by} others need it"


def _names(scene: Scene) -> str:
    judge = _KEY_PROBLEMS.get(scene.target.platform)
    if judge is None:
        return ""
    found = [f"{key[:60]!r}: {problem}" for key in scene.component.keys if (problem := judge(key))]
    return enumeration(found, shown=3)


def _too_large(scene: Scene) -> str:
    most = _LARGEST.get(scene.target.platform)
    if most is None or scene.component.largest_object_bytes <= most:
        return ""
    return f"an object of {size(scene.component.largest_object_bytes)}, at most {size(most)} are held"


def _unmeasured(scene: Scene) -> str:
    return "" if scene.component.is_measured else "nobody tells how large it is"


def _unknown_changes(scene: Scene) -> str:
    component = scene.component
    if "change_bytes_per_day" not in component.unknown or not scene.choice.syncs:
        return ""
    return f"nobody tells how much of it changes; {scene.choice.way.strategy} is reckoned as if nothing did"


def _no_way(scene: Scene) -> str:
    if scene.choice.way.strategy != "none" or not scene.component.is_measured:
        return ""
    return "; ".join(f"{each.way}: {each.reason}" for each in scene.choice.rejected)


def _way_back(scene: Scene) -> str:
    rto = scene.component.rto_seconds
    rto = scene.constraints.rto_seconds if rto is None else rto
    if rto is None or not scene.component.size_bytes or scene.component.reverse_sync:
        return ""
    return f"back within {rto:g} s is asked for, and nothing carries changes back to the source"


def _no_owner(scene: Scene) -> str:
    return "" if scene.component.owner else "nobody is named"


CONTENT_RULES = (
    Rule(
        "AS-201", "blocker", "A licence forbids the target", _forbidden_licence,
        "ask the licensor for terms for the target, or replace the product",
    ),
    Rule(
        "AS-202", "warning", "A licence nobody has looked at", _unknown_licence,
        "read its terms on cloud use and name the platforms in licences[].platforms",
    ),
    Rule(
        "AS-210", "warning", "A link to an old system", _legacy,
        "plan its way through the new network (line, name service, TLS) or end it before the wave",
    ),
    Rule(
        "AS-211", "warning", "An address of the source", _hard_coded,
        "make it a setting, and set it at the target",
    ),
    Rule(
        "AS-220", "warning", "Requirements that are not pinned", _unpinned,
        "pin them to what runs today, so that the target builds the same",
    ),
    Rule(
        "AS-221", "warning", "A pickle nobody has scanned", _pickle,
        "scan it, and move to safetensors or ONNX where it can be",
    ),
    Rule(
        "AS-222", "blocker", "A pickle with code in it", _evil_pickle,
        "do not load or move it; find out who wrote it",
    ),
    Rule(
        "AS-230", "warning", "A single point of failure", _single,
        "give it a second replica before its wave, or move it in a window that all who need it know of",
    ),
    Rule(
        "AS-240", "blocker", "Names that the target cannot hold", _names,
        "rename them at the source, or map them",
    ),
    Rule(
        "AS-241", "blocker", "An object larger than the target holds", _too_large,
        "split it at the source",
    ),
    Rule(
        "AS-242", "blocker", "A size that nobody knows", _unmeasured,
        "state it (assess.components[].size in the spec), or let it be measured",
    ),
    Rule(
        "AS-243", "warning", "A change rate that nobody knows", _unknown_changes,
        "state it (assess.components[].change_per_day in the spec); 0 where it rests",
    ),
    Rule(
        "AS-250", "blocker", "No way of switching fits", _no_way,
        "allow more downtime, order a faster line, or change what each way lacks",
    ),
    Rule(
        "AS-251", "warning", "No way back in time", _way_back,
        "set up reverse sync, or accept that going back loses what was written after the switch",
    ),
    Rule(
        "AS-260", "note", "No owner", _no_owner,
        "name who decides about it: approvals need somebody",
    ),
)  # fmt: skip
"""In the order of their ids."""
