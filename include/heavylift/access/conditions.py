"""AWS's conditions: as regions, and evaluated as they stand."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from heavylift.access.documents import mapping, texts, unusable
from heavylift.access.globs import matches
from heavylift.access.regions import ALWAYS, Region, atom, union

NEUTRAL_KEYS = {"aws:currenttime": "time", "aws:sourceip": "ip", "s3:prefix": "list_prefix"}
"""Keys that other platforms have, too; all others keep AWS's name, in lower case."""

_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "NumericNotEquals": "NumericEquals",
    "NotIpAddress": "IpAddress",
    "ArnNotEquals": "ArnLike",
    "ArnNotLike": "ArnLike",
    "DateNotEquals": "DateEquals",
}
_DATES = {
    "DateLessThan": ("DateLessThan", True),
    "DateLessThanEquals": ("DateLessThanEquals", True),
    "DateGreaterThan": ("DateLessThanEquals", False),
    "DateGreaterThanEquals": ("DateLessThan", False),
}
_KNOWN = frozenset(
    {
        *_NEGATED, *_NEGATED.values(), *_DATES, "ArnEquals", "Bool", "BinaryEquals", "Null",
        "NumericLessThan",
        "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals",
    }
)  # fmt: skip
Context = Mapping[str, Sequence[str]]
"""What is known of a request: neutral or AWS's keys, in lower case, to values."""


def region_of_conditions(block: Any, where: str) -> Region:
    """Return where a statement's conditions hold.

    :raises SpecError: an operator is unknown, or something is no string.
    """
    result = ALWAYS
    for operator, keys in mapping(block, where).items():
        for key, values in mapping(keys, f"{where}, {operator}").items():
            result &= _region(operator, key.lower(), _values(values, f"{where}, {operator}, {key}"), where)
    return result


def _region(operator: str, key: str, values: list[str], where: str) -> Region:
    key = NEUTRAL_KEYS.get(key, key)
    plain = operator.removesuffix("IfExists")
    base = plain.rpartition(":")[2]
    if base not in _KNOWN or (":" in plain and not plain.startswith(("ForAnyValue:", "ForAllValues:"))):
        raise unusable(where, f"the operator {operator!r}", "one of AWS's", "correct the condition")
    if ":" in plain:
        return _if_exists(operator, key, atom(plain, key, *values))
    if plain == "Null":
        return union(atom("Null", key, "true") if v == "true" else ~atom("Null", key, "true") for v in values)
    if plain in _DATES and key == "time":
        name, holds = _DATES[plain]
        dates = (atom(name, key, _moment(value, where)) for value in values)
        return union(date if holds else ~date for date in dates)
    plain = "ArnLike" if plain == "ArnEquals" else plain
    if plain in _NEGATED:
        return ~atom(_NEGATED[plain], key, *values)
    return _if_exists(operator, key, atom(plain, key, *values))


def _if_exists(operator: str, key: str, region: Region) -> Region:
    return region | atom("Null", key, "true") if operator.endswith("IfExists") else region


def _values(value: Any, where: str) -> list[str]:
    found = value if isinstance(value, list) else [value]
    plain = [
        str(each).lower() if isinstance(each, bool) else str(each) if isinstance(each, int | float) else each
        for each in found
    ]
    texts([each for each in plain if each != ""], where)
    return sorted(plain)


def _moment(value: str, where: str) -> str:
    try:
        return moment(value).isoformat().replace("+00:00", "Z")
    except ValueError as error:
        raise unusable(where, repr(value)[:60], "a date in ISO 8601", "correct the condition") from error


def moment(text: str) -> datetime:
    """Return a date in ISO 8601, or in seconds of the epoch.

    :raises ValueError: it is neither.
    """
    if text.isdigit():
        return datetime.fromtimestamp(int(text), UTC)
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def holds(block: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Evaluate a statement's conditions against a request, as AWS documents it."""
    return all(
        _one(operator, key.lower(), _values(values, "a condition"), context)
        for operator, keys in block.items()
        for key, values in keys.items()
    )


def _one(operator: str, key: str, values: list[str], context: Context) -> bool:
    return test_holds(operator, NEUTRAL_KEYS.get(key, key), values, context)


def test_holds(operator: str, key: str, values: Sequence[str], context: Context) -> bool:
    """Evaluate one test."""
    given = context.get(key)
    plain = operator.removesuffix("IfExists")
    if plain == "Null":
        return any((given is None) == (value == "true") for value in values)
    if given is None and operator.endswith("IfExists"):
        return True
    if plain.startswith("ForAllValues:"):
        return all(_matched(plain[13:], values, each) for each in given or ())
    plain = plain.removeprefix("ForAnyValue:")
    if operator.startswith("ForAnyValue:"):
        return any(_matched(plain, values, each) for each in given or ())
    if given is None:
        return plain in _NEGATED
    return _matched(plain, values, given[0])


def _matched(operator: str, values: Sequence[str], given: str) -> bool:
    if operator in _NEGATED:
        return not _matched(_NEGATED[operator], values, given)
    return any(_compare(operator, value, given) for value in values)


def _compare(operator: str, value: str, given: str) -> bool:
    if operator in ("StringEquals", "BinaryEquals"):
        return value == given
    if operator in ("Bool", "StringEqualsIgnoreCase"):
        return value.lower() == given.lower()
    if operator in ("StringLike", "ArnLike", "ArnEquals"):
        return matches(value, given)
    try:
        if operator == "IpAddress":
            return ipaddress.ip_address(given) in ipaddress.ip_network(value, strict=False)
        if operator.startswith("Date"):
            return _ordered(
                operator.removeprefix("Date"), moment(given).timestamp(), moment(value).timestamp()
            )
        return _ordered(operator.removeprefix("Numeric"), float(given), float(value))
    except ValueError:
        return False


def _ordered(how: str, given: float, value: float) -> bool:
    return {
        "Equals": given == value,
        "LessThan": given < value,
        "LessThanEquals": given <= value,
        "GreaterThan": given > value,
        "GreaterThanEquals": given >= value,
    }[how]
