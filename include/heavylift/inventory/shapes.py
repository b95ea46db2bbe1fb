"""Finds what texts name by its shape alone: ARNs, URIs, images, ids, hosts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

STORES = ("s3://", "gs://", "az://")
"""Schemes of URIs that begin with the name of a container; :func:`named` writes no others of stores."""

_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(?:\d{12}|aws)?:[^\s\"'`,;<>(){}\[\]]+")
_S3 = re.compile(r"\bs3[an]?://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/[^\s\"'`,;?<>]*)?")
_S3_HTTPS = re.compile(
    r"https?://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\.s3(?:-website)?[.-](?:[a-z0-9-]+\.){0,2}amazonaws\.com(?:\.cn)?"
    r"(?::\d+)?(/[^\s\"'`,;?<>]*)?"
)
_S3_PATH = re.compile(
    r"https?://s3[.-](?:[a-z0-9-]+\.){0,2}amazonaws\.com(?:\.cn)?(?::\d+)?"
    r"/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/[^\s\"'`,;?<>]*)?"
)
_ABROAD = re.compile(r"\b(gs|az|hdfs)://([^\s\"'`,;?<>]+)")
_BLOBS = re.compile(
    r"\b(?:abfss?|wasbs?)://([a-z0-9$-]+)@([a-z0-9]+)\.(?:dfs|blob)\.core\.[a-z0-9.]+(/[^\s\"'`,;?<>]*)?"
)
_BLOBS_HTTPS = re.compile(
    r"https://([a-z0-9]+)\.(?:blob|dfs)\.core\.[a-z0-9.]+/([a-z0-9$-]+)(/[^\s\"'`,;?<>]*)?"
)
_GS_HTTPS = re.compile(
    r"https://storage\.(?:googleapis|cloud\.google)\.com/([a-z0-9][a-z0-9._-]+)(/[^\s\"'`,;?<>]*)?"
)
_REGISTERED = re.compile(r"\bmodels:/{1,3}(?!m-[0-9a-f]{32})([^/\s\"'`,;?<>@]+)")
_IMAGE = re.compile(
    r"\b((?:\d{12}\.dkr\.ecr(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?|[a-z0-9-]+-docker\.pkg\.dev"
    r"|(?:[a-z]+\.)?gcr\.io|[a-z0-9]+\.azurecr\.(?:io|us|cn))/[a-z0-9._/-]+)"
)
_DATABASE = re.compile(
    r"\b(?:jdbc:)?(?:postgres(?:ql)?|mysql|mariadb|rediss?|mongodb(?:\+srv)?|kafka|amqps?|sqlserver|mssql|redshift|snowflake"
    r"|clickhouse|cassandra)(?:\+\w+)?://(?:[^/@\s]*@)?([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::(\d{2,5}))?"
)
_KEYWORDS = re.compile(
    r"\bhost(?:addr)?\s*=\s*'?([A-Za-z0-9][A-Za-z0-9.-]*)'?(?:[^;\n]{0,120}?\bport\s*=\s*'?(\d{2,5}))?"
)
_URL = re.compile(
    r"\bhttps?://(?:[^/@\s]*@)?([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::(\d+))?(/[^\s\"'`,;?<>]*)?"
)
_HOST_PORT = re.compile(r"(?<![\w.@/-])([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+):(\d{2,5})(?![\w.])")
_AWS_HOST = re.compile(
    r"(?<![\w.@/:-])([a-z0-9.-]+\.(?:rds|kafka|cache|es|redshift|efs)\.[a-z0-9.-]*amazonaws\.com(?:\.cn)?)\b"
)
_QUEUE = re.compile(
    r"https://(?:sqs\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?|[a-z0-9-]+\.queue\.amazonaws\.com)/\d{12}/\S+"
)
_STORES = (_S3_HTTPS, _S3_PATH, _GS_HTTPS, _BLOBS_HTTPS)


@lru_cache
def _ids(prefixes: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"\b({'|'.join(prefixes)})-([0-9a-f]{{8}}|[0-9a-f]{{17}})\b")


def named(text: str, shapes: Mapping[str, str]) -> Iterator[str]:
    """Yield every ARN, URI, image and id in ``text``, without credentials.

    A URI keeps its path; what stands after ``?`` is dropped. A container of Azure is told as
    ``az://account/container``, however the text writes it.

    :param shapes: ids that tell their type by what stands before the dash.
    """
    for found in _ARN.finditer(text):
        yield found[0].rstrip("./:\\")
    for scheme, pattern in (("s3", _S3), ("s3", _S3_HTTPS), ("s3", _S3_PATH), ("gs", _GS_HTTPS)):
        for found in pattern.finditer(text):
            yield f"{scheme}://{found[1]}{(found[2] or '').rstrip('.')}"
    yield from _blobs(text)
    for found in _ABROAD.finditer(text):
        yield f"{found[1]}://{found[2].rpartition('@')[2]}"
    for found in _IMAGE.finditer(text):
        yield f"image:{found[1].rstrip('./:-')}"
    for found in _REGISTERED.finditer(text):
        yield f"models:/{found[1]}"
    if shapes and "arn:" not in text:
        for found in _ids(tuple(shapes)).finditer(text):
            yield found[0]


def _blobs(text: str) -> Iterator[str]:
    for found in _BLOBS.finditer(text):
        yield f"az://{found[2]}/{found[1]}{found[3] or ''}"
    for found in _BLOBS_HTTPS.finditer(text):
        yield f"az://{found[1]}/{found[2]}{found[3] or ''}"


def hosts(text: str) -> Iterator[tuple[str, bool]]:
    """Yield every host that ``text`` names, with its port where that stands there.

    :return: ``host:name`` or ``host:name:port``, and whether a connection string names it.
    """
    for found in _DATABASE.finditer(text):
        yield _host(found[1], found[2]), True
    rest = _DATABASE.sub(" ", text)
    for found in _KEYWORDS.finditer(rest):
        yield _host(found[1], found[2]), True
    rest = _KEYWORDS.sub(" ", rest)
    for found in _URL.finditer(rest):
        if _QUEUE.match(found[0]):
            yield found[0], False
        elif not any(store.match(found[0]) for store in _STORES):
            yield _host(found[1], found[2]), False
    rest = _IMAGE.sub(" ", _BLOBS.sub(" ", _URL.sub(" ", rest)))
    for found in _HOST_PORT.finditer(rest):
        yield _host(found[1], found[2]), True
    for found in _AWS_HOST.finditer(_HOST_PORT.sub(" ", rest)):
        yield _host(found[1], None), False


def _host(name: str, port: str | None) -> str:
    return f"host:{name.lower()}:{port}" if port else f"host:{name.lower()}"
