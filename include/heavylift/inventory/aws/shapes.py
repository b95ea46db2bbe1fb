"""Finds what texts name on AWS by its shape alone: ARNs, URIs, images, ids, hosts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from heavylift.inventory.aws.fields import SHAPES

_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(?:\d{12}|aws)?:[^\s\"'`,;<>(){}\[\]]+")
_S3 = re.compile(r"\bs3[an]?://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/[^\s\"'`,;?<>]*)?")
_S3_HTTPS = re.compile(
    r"https://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\.s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com(?:\.cn)?(/[^\s\"'`,;?<>]*)?"
)
_ABROAD = re.compile(r"\b(gs|abfss?|wasbs?|az|hdfs)://([^\s\"'`,;?<>]+)")
_IMAGE = re.compile(r"\b(\d{12}\.dkr\.ecr(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/[a-z0-9._/-]+)")
_ID = re.compile(rf"\b({'|'.join(SHAPES)})-([0-9a-f]{{8}}|[0-9a-f]{{17}})\b")
_DATABASE = re.compile(
    r"\b(?:jdbc:)?(?:postgres(?:ql)?|mysql|mariadb|rediss?|mongodb(?:\+srv)?|kafka|amqps?|sqlserver|mssql|redshift|snowflake"
    r"|clickhouse|cassandra)(?:\+\w+)?://(?:[^/@\s]*@)?([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)"
)
_URL = re.compile(
    r"\bhttps?://(?:[^/@\s]*@)?([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::\d+)?(/[^\s\"'`,;?<>]*)?"
)
_HOST_PORT = re.compile(r"(?<![\w.@/-])([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+):(\d{2,5})(?![\w.])")
_AWS_HOST = re.compile(
    r"(?<![\w.@/:-])([a-z0-9.-]+\.(?:rds|kafka|cache|es|redshift|efs)\.[a-z0-9.-]*amazonaws\.com(?:\.cn)?)\b"
)
_QUEUE = re.compile(
    r"https://(?:sqs\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?|[a-z0-9-]+\.queue\.amazonaws\.com)/\d{12}/\S+"
)


def named(text: str) -> Iterator[str]:
    """Yield every ARN, URI, image and id in ``text``, without credentials.

    A URI keeps its path; what stands after ``?`` is dropped.
    """
    for found in _ARN.finditer(text):
        yield found[0].rstrip("./:\\")
    for pattern in (_S3, _S3_HTTPS):
        for found in pattern.finditer(text):
            yield f"s3://{found[1]}{(found[2] or '').rstrip('.')}"
    for found in _ABROAD.finditer(text):
        yield f"{found[1]}://{found[2].rpartition('@')[2]}"
    for found in _IMAGE.finditer(text):
        yield f"image:{found[1].rstrip('./:-')}"
    if "arn:" not in text:
        for found in _ID.finditer(text):
            yield found[0]


def hosts(text: str) -> Iterator[tuple[str, bool]]:
    """Yield every host that ``text`` names, and whether a connection string names it."""
    for found in _DATABASE.finditer(text):
        yield f"host:{found[1].lower()}", True
    rest = _DATABASE.sub(" ", text)
    for found in _URL.finditer(rest):
        if _QUEUE.match(found[0]):
            yield found[0], False
        elif not _S3_HTTPS.match(found[0]):
            yield f"host:{found[1].lower()}", False
    rest = _IMAGE.sub(" ", _URL.sub(" ", rest))
    for pattern in (_HOST_PORT, _AWS_HOST):
        for found in pattern.finditer(rest):
            yield f"host:{found[1].lower()}", pattern is _HOST_PORT
