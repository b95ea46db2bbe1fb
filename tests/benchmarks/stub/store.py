"""The stub store: what each request does, and the answer's bytes. No I/O is done here."""

from __future__ import annotations

import itertools
import json
import resource
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import parse_qsl, unquote

from tests.benchmarks.stub import content, xml
from tests.benchmarks.stub.keys import Keys, seed

SOURCE = "bench"
"""The bucket that is full from the start; every other one begins empty."""

_DATES = (
    (b"Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n", "2026-01-01T00:00:00.000Z"),
    (b"Last-Modified: Sun, 01 Feb 2026 00:00:00 GMT\r\n", "2026-02-01T00:00:00.000Z"),
)
"""Of what was there from the start, and of what was put: a copy is younger than its source."""

_XML = b"Content-Type: application/xml\r\n"
_REASONS = {200: "OK", 204: "No Content", 206: "Partial Content"}
_PAGE = 1000


@dataclass(frozen=True)
class Request:
    """A request whose body is read away.

    :param fields: the header lines in lower case, each after CR LF; so are their values, which
        the few comparisons made here allow for.
    """

    method: bytes
    target: bytes
    fields: bytes
    body_bytes: int = 0

    def field(self, name: bytes) -> bytes | None:
        """Return a header's value in lower case."""
        at = self.fields.find(b"\r\n" + name + b":")
        if at < 0:
            return None
        start = at + len(name) + 3
        end = self.fields.find(b"\r\n", start)
        return self.fields[start : end if end >= 0 else None].strip()


@dataclass
class _Bucket:
    keys: Keys
    younger: bool = True
    etags: dict[str, str] = field(default_factory=dict)
    """ETags of objects that came in parts."""


Answer = list[bytes | memoryview]
"""What goes on the wire, in pieces."""


@lru_cache(4096)
def _query(text: bytes) -> dict[str, str]:
    return dict(parse_qsl(text.decode(), keep_blank_values=True))


def answer(status: int, body: bytes = b"", fields: bytes = b"", *, length: int | None = None) -> Answer:
    """Return an answer; ``length`` is that of the body where none is sent (HEAD)."""
    first = f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}\r\n".encode()
    size = b"Content-Length: %d\r\n" % (len(body) if length is None else length)
    return [b"".join((first, size, fields, b"\r\n", body))]


_SERVER = b"Server: AmazonS3\r\n"
"""As S3 itself calls itself: of an unknown server clients cannot tell what it leaves out."""


class Store:
    """Buckets of objects that all have one content.

    :param counts: requests by kind; those that were refused count as ``refused`` as well.
    """

    def __init__(self, objects: int, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.counts: Counter[str] = Counter()
        self._buckets = {SOURCE: _Bucket(Keys(seed(objects)), younger=False)}
        self._uploads: dict[str, dict[int, int]] = {}
        self._ids = itertools.count(1)
        self._content = memoryview(content.FILL * size_bytes)
        self._etag = content.etag(size_bytes)
        self._crc = b"x-amz-checksum-crc32c: %s\r\n" % content.crc32c(size_bytes).encode()
        self._crc_lower = content.crc32c(size_bytes).lower().encode()
        whole = (
            b"Content-Length: %d\r\n" % size_bytes
            + b"Accept-Ranges: bytes\r\nContent-Type: binary/octet-stream\r\n"
        )
        self._whole = b"HTTP/1.1 200 OK\r\n" + _SERVER + whole
        self._put = (
            b"HTTP/1.1 200 OK\r\nServer: AmazonS3\r\nContent-Length: 0\r\nETag: %s\r\n" % self._etag.encode()
        )

    def handle(self, request: Request) -> Answer:
        """Carry out a request whose body, if any, has been read away."""
        path, _, query = request.target.partition(b"?")
        name, _, key = path[1:].partition(b"/")
        asked = _query(query) if query else {}
        text = (unquote(key.decode()) if b"%" in key else key.decode()) if key else ""
        if text:
            return self._object(request, name.decode(), text, asked)
        return self._bucket(request, name.decode(), asked)

    def _refuse(self, status: int, code: str, message: str = "") -> Answer:
        self.counts["refused"] += 1
        return answer(status, xml.error(code, message or code), _XML)

    # Buckets

    def _bucket(self, request: Request, name: str, asked: dict[str, str]) -> Answer:
        if name == "_counts":
            return self._report()
        if not name:
            self.counts["list-buckets"] += 1
            return answer(200, xml.buckets(sorted(self._buckets)), _XML)
        if request.method == b"PUT":
            self.counts["create-bucket"] += 1
            self._buckets.setdefault(name, _Bucket(Keys()))
            return answer(200)
        bucket = self._buckets.get(name)
        if bucket is None:
            return self._no_bucket(request, name)
        if request.method == b"HEAD":
            self.counts["head-bucket"] += 1
            return answer(200, fields=b"x-amz-bucket-region: us-east-1\r\n")
        if request.method == b"DELETE":
            self.counts["delete-bucket"] += 1
            del self._buckets[name]
            return answer(204)
        if request.method == b"GET":
            return self._read_bucket(name, bucket, asked)
        return self._refuse(501, "NotImplemented", f"{request.method.decode()} of a bucket")

    def _no_bucket(self, request: Request, name: str) -> Answer:
        if request.method == b"HEAD":
            self.counts["refused"] += 1
            return answer(404)
        return self._refuse(404, "NoSuchBucket", name)

    def _read_bucket(self, name: str, bucket: _Bucket, asked: dict[str, str]) -> Answer:
        for part, body in (("location", xml.LOCATION), ("versioning", xml.VERSIONING)):
            if part in asked:
                self.counts["bucket-settings"] += 1
                return answer(200, body, _XML)
        if asked.get("list-type") != "2":
            return self._refuse(501, "NotImplemented", "only ListObjectsV2 is known here")
        self.counts["list"] += 1
        limit = min(int(asked.get("max-keys") or _PAGE), _PAGE)
        given = asked.get("continuation-token")
        try:
            first = xml.from_token(given) if given else ""
        except ValueError:
            return self._refuse(400, "InvalidArgument", "no continuation token of this store")
        page = bucket.keys.page(
            asked.get("prefix", ""),
            asked.get("delimiter", ""),
            limit,
            first=first,
            start_after=asked.get("start-after", ""),
        )
        body = xml.listing(
            name,
            page,
            asked=asked,
            limit=limit,
            size_bytes=self.size_bytes,
            etag=self._etag,
            etags=bucket.etags,
            plain=bucket.keys.plain,
            modified=_DATES[bucket.younger][1],
        )
        return answer(200, body, _XML)

    def _report(self) -> Answer:
        used = resource.getrusage(resource.RUSAGE_SELF)
        told = {
            "counts": dict(self.counts),
            "cpu_seconds": used.ru_utime + used.ru_stime,
            "objects": {name: len(bucket.keys) for name, bucket in self._buckets.items()},
            "size_bytes": self.size_bytes,
        }
        return answer(200, json.dumps(told).encode(), b"Content-Type: application/json\r\n")

    # Objects

    def _object(self, request: Request, name: str, key: str, asked: dict[str, str]) -> Answer:
        bucket = self._buckets.get(name)
        if bucket is None:
            return self._no_bucket(request, name)
        if request.method in {b"GET", b"HEAD"}:
            return self._read(request, bucket, key, asked)
        if request.method == b"PUT":
            return self._write(request, bucket, key, asked)
        if request.method == b"POST":
            return self._upload(name, bucket, key, asked)
        if request.method == b"DELETE":
            self.counts["abort-upload" if "uploadId" in asked else "delete"] += 1
            if self._uploads.pop(asked.get("uploadId", ""), None) is None:
                bucket.keys.remove(key)
                bucket.etags.pop(key, None)
            return answer(204)
        return self._refuse(501, "NotImplemented", f"{request.method.decode()} of an object")

    def _read(self, request: Request, bucket: _Bucket, key: str, asked: dict[str, str]) -> Answer:
        reads = request.method == b"GET"
        if key not in bucket.keys:
            self.counts["get" if reads else "head"] += 1
            if reads:
                return self._refuse(404, "NoSuchKey", key)
            self.counts["refused"] += 1
            return answer(404)
        if "tagging" in asked:
            self.counts["tags"] += 1
            return answer(200, xml.NO_TAGS, _XML)
        self.counts["get" if reads else "head"] += 1
        etag = bucket.etags.get(key, self._etag).encode()
        wanted = request.field(b"if-match")
        if wanted is not None and wanted not in {etag, b"*"}:
            return self._refuse(412, "PreconditionFailed")
        told = b"ETag: %s\r\n" % etag + _DATES[bucket.younger][0]
        span = request.field(b"range")
        if span is not None:
            return self._part(span, told, reads=reads)
        if b"\r\nx-amz-checksum-mode:" in request.fields:
            told += self._crc
        head = b"".join((self._whole, told, b"\r\n"))
        return [head, self._content] if reads else [head]

    def _part(self, span: bytes, told: bytes, *, reads: bool) -> Answer:
        bounds = byte_range(span, self.size_bytes)
        if bounds is None:
            return self._refuse(416, "InvalidRange", span.decode())
        start, stop = bounds
        told += b"Content-Range: bytes %d-%d/%d\r\n" % (start, stop - 1, self.size_bytes)
        head = answer(206, fields=told, length=stop - start)
        return [*head, self._content[start:stop]] if reads else head

    def _write(self, request: Request, bucket: _Bucket, key: str, asked: dict[str, str]) -> Answer:
        if b"\r\nx-amz-copy-source:" in request.fields:
            return self._refuse(501, "NotImplemented", "no copy on the server: it would not be the same work")
        given = request.field(b"x-amz-decoded-content-length")
        size = int(given) if given is not None else request.body_bytes
        if "uploadId" in asked:
            return self._write_part(asked, size)
        self.counts["put"] += 1
        if size != self.size_bytes:
            return self._refuse(
                400, "InvalidArgument", f"objects here have {self.size_bytes} bytes, not {size}"
            )
        if request.field(b"x-amz-checksum-crc32c") not in {None, self._crc_lower}:
            return self._refuse(400, "BadDigest")
        if request.field(b"if-none-match") == b"*" and key in bucket.keys:
            return self._refuse(412, "PreconditionFailed")
        bucket.keys.add(key)
        bucket.etags.pop(key, None)
        return [b"".join((self._put, self._crc, b"\r\n"))]

    def _write_part(self, asked: dict[str, str], size: int) -> Answer:
        self.counts["part"] += 1
        parts = self._uploads.get(asked["uploadId"])
        if parts is None:
            return self._refuse(404, "NoSuchUpload")
        parts[int(asked["partNumber"])] = size
        told = f"ETag: {content.etag(size)}\r\nx-amz-checksum-crc32c: {content.crc32c(size)}\r\n"
        return answer(200, fields=told.encode())

    def _upload(self, name: str, bucket: _Bucket, key: str, asked: dict[str, str]) -> Answer:
        if "uploads" in asked:
            self.counts["begin-upload"] += 1
            upload_id = f"upload-{next(self._ids)}"
            self._uploads[upload_id] = {}
            return answer(200, xml.upload_begun(name, key, upload_id), _XML)
        self.counts["complete-upload"] += 1
        parts = self._uploads.get(asked.get("uploadId", ""))
        if parts is None:
            return self._refuse(404, "NoSuchUpload")
        sizes = [parts[number] for number in sorted(parts)]
        if sum(sizes) != self.size_bytes:
            return self._refuse(400, "InvalidArgument", f"objects here have {self.size_bytes} bytes")
        del self._uploads[asked["uploadId"]]
        bucket.keys.add(key)
        bucket.etags[key] = content.parts_etag(sizes)
        crc = content.crc32c(self.size_bytes)
        return answer(200, xml.upload_completed(name, key, bucket.etags[key], crc), _XML)


def byte_range(text: bytes, size_bytes: int) -> tuple[int, int] | None:
    """Return start and end of ``bytes=...``, or None where it cannot be satisfied."""
    first, dash, last = text.removeprefix(b"bytes=").partition(b"-")
    try:
        if not dash or not (first or last):
            return None
        start = int(first) if first else max(0, size_bytes - int(last))
        stop = min(size_bytes, int(last) + 1) if first and last else size_bytes
    except ValueError:
        return None
    return (start, stop) if start < stop else None
