"""The base of all spec models, and the kinds of text that many of them share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict
from pydantic_core import PydanticCustomError

from heavylift.errors import SpecError
from heavylift.locations import parse_location
from heavylift.spec.cron import check_cron
from heavylift.spec.secrets import holds_secret


class SpecModel(BaseModel):
    """Immutable; an unknown key is an error; every field is described for editors."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def wrong(kind: str, expected: str, hint: str = "", got: str = "") -> PydanticCustomError:
    """Return the error for a value that is not ``expected``; ``kind`` picks its code.

    :param got: what is wrong, where showing the value would not tell.
    """
    context = {"expected": expected, "hint": hint, "got": got}
    return PydanticCustomError(f"hl_{kind}", "{expected}", context)


def _matching(kind: str, pattern: str, expected: str, mend: Callable[[str], str]) -> Any:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if compiled.fullmatch(value):
            return value
        mended = mend(value)
        raise wrong(kind, expected, f"write {mended}" if compiled.fullmatch(mended) else "")

    return AfterValidator(check)


MOST_OF_A_NAME = 63
_NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME_EXPECTED = "1 to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit"
_CONNECTION = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}"
_CONNECTION_EXPECTED = "an Airflow connection id: up to 200 letters, digits, _ . and -"


def _mend_name(value: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", value.lower())[:63].strip("-")


def _mend_connection(value: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", value.strip())[:200]


Name = Annotated[
    str,
    _matching("name", _NAME, _NAME_EXPECTED, _mend_name),
    Field(json_schema_extra={"pattern": f"^{_NAME}$"}),
]
"""A name that may stand in a DAG id, a file name and a URL."""

ConnectionId = Annotated[
    str,
    _matching("connection", _CONNECTION, _CONNECTION_EXPECTED, _mend_connection),
    Field(json_schema_extra={"pattern": f"^{_CONNECTION}$"}),
]
"""The id of an Airflow connection; the connection, not the spec, holds the secret."""

_CONTAINERS = {
    "s3": (r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]", "3 to 255 letters, digits, . _ and -"),
    "gs": (r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", "3 to 222 of a-z, 0-9, . _ and -"),
    "az": (r"\$root|\$web|\$logs|[a-z0-9](?:-?[a-z0-9]){2,62}", "3 to 63 of a-z, 0-9 and single -"),
}
_URL_EXPECTED = "a URL such as s3://bucket/prefix/, gs://bucket/, az://container/ or file:///path"


def check_url(value: str) -> str:
    """Return the URL of a place in a store, or say what is wrong with it."""
    if holds_secret(value):
        raise wrong("secret", "a URL without credentials", "put the credentials into a connection")
    try:
        location = parse_location(value)
    except SpecError as error:
        raise wrong("url", _URL_EXPECTED, "") from error
    if any(ord(char) < 32 for char in value) or value != value.strip():
        raise wrong("url", _URL_EXPECTED, "take out the blanks and control characters")
    if location.scheme == "file" and ".." in location.container.split("/"):
        raise wrong("url", "a path without '..'", "write the path that is meant in full")
    pattern, expected = _CONTAINERS.get(location.scheme, (".*", ""))
    if not re.fullmatch(pattern, location.container):
        raise wrong("url", f"a bucket or container name of {expected}")
    return value


Url = Annotated[
    str,
    AfterValidator(check_url),
    Field(json_schema_extra={"pattern": "^(s3|gs|az)://[^/]+(/.*)?$|^file:///.*$"}),
]
"""A place in an object store; see :func:`heavylift.locations.parse_location`."""


def _check_history_url(value: str) -> str:
    if value.startswith("bq://"):
        if not _BIG_QUERY.fullmatch(value):
            raise wrong("url", "bq://PROJECT/DATASET, or a table of it: bq://PROJECT/DATASET/TABLE")
        return value
    return check_url(value)


_BIG_QUERY = re.compile(r"bq://[^/\s]+/\w+(/[^/\s]+)?/?")
HistoryUrl = Annotated[
    str,
    AfterValidator(_check_history_url),
    Field(json_schema_extra={"pattern": "^(s3|gs|az|bq)://[^/]+(/.*)?$|^file:///.*$"}),
]
"""A place of histories: in an object store, or a dataset or table of BigQuery."""


# Matching time grows with every wildcard; these bounds keep the longest key harmless.
_MOST_DOUBLE_STARS, _MOST_STARS = 4, 16
_SETS = re.compile(r"\[(.[^\]]*)\]", re.DOTALL)


def _check_pattern(value: str) -> str:
    if not value or "\x00" in value or len(value) > 1024:
        raise wrong("pattern", "a pattern of 1 to 1024 characters, such as '**/*.parquet'")
    if value.count("**") > _MOST_DOUBLE_STARS or value.count("*") > _MOST_STARS:
        expected = f"at most {_MOST_DOUBLE_STARS} '**' and {_MOST_STARS} '*' in a pattern"
        raise wrong("pattern", expected, "use several shorter patterns")
    for inside in _SETS.findall(value):
        if not _is_set(inside):
            raise wrong("pattern", f"a set of characters in [{inside}]", "write ranges upwards, as in [a-z]")
    return value


def _is_set(inside: str) -> bool:
    try:
        re.compile(f"[{inside.replace('!', '^', 1) if inside.startswith('!') else inside}]")
    except re.error:
        return False
    return True


Pattern = Annotated[str, AfterValidator(_check_pattern)]
"""A shell-style pattern over names or over keys relative to their dataset's URL: ``*`` and ``?`` stop
at a ``/``, ``**`` does not, ``[a-z]`` is a set; without a ``/`` it means the last part of a key."""


def _check_schedule(value: str) -> str:
    problem = check_cron(value)
    if problem is not None:
        raise wrong("cron", problem.expected, problem.hint)
    return value


CronSchedule = Annotated[str, AfterValidator(_check_schedule)]
"""Five cron fields or a preset such as ``@hourly``, in UTC."""

Flag = Annotated[bool, Strict()]
"""true or false, and nothing that only looks like it."""

Count = Annotated[int, Strict()]
"""A whole number, written as one."""

Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
"""A finite number."""

Text = Annotated[str, Field(max_length=10_000)]
"""Free text for people."""
