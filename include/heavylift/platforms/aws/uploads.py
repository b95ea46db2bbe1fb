"""Multipart uploads to S3, and what the server then vouches for.

CRC32C of each part is sent and checked by the server. The upload asks for a checksum of the
whole object (type FULL_OBJECT). A server that only does COMPOSITE answers with the CRC32C of
the parts' CRC32Cs; where that equals our own, it has confirmed every part and their order, so
that the CRC32C of the whole, combined from the parts', is as good as reported by it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from heavylift.checksums import Algorithm, Body, Checksums, combine_crc32c, digest, hex_to_base64
from heavylift.errors import (
    AlreadyExistsError,
    HeavyliftError,
    IntegrityError,
    NotFoundError,
    PermanentError,
    TransientError,
)
from heavylift.platforms.aws.headers import attribute_headers, etag_checksum, unquoted, whole_checksum
from heavylift.platforms.aws.wire import BucketWire, not_s3
from heavylift.platforms.aws.xml import Element, MalformedXmlError, completion, parse
from heavylift.platforms.http import Request, Response
from heavylift.platforms.ports import ObjectAttributes, PartReceipt, PutReceipt, Upload

FULL_OBJECT = "FULL_OBJECT"


class Uploads:
    """The multipart uploads of one bucket."""

    def __init__(self, wire: BucketWire) -> None:
        self._wire = wire
        self._full_object = True
        self._whole: dict[str, bool] = {}

    async def begin(self, key: str, attributes: ObjectAttributes) -> Upload:
        """Begin an upload with its attributes and tags, asking for a whole-object CRC32C."""
        headers = attribute_headers(attributes) | {"x-amz-checksum-algorithm": "CRC32C"}
        if self._full_object:
            try:
                return await self._create(key, headers | {"x-amz-checksum-type": FULL_OBJECT})
            except PermanentError as error:
                if type(error) is not PermanentError:
                    raise
            upload = await self._create(key, headers)
            self._full_object = False
            return upload
        return await self._create(key, headers)

    async def _create(self, key: str, headers: dict[str, str]) -> Upload:
        request = self._wire.request("POST", "begin of the upload of", key, headers, b"", uploads="")
        response = await self._wire.send(request)
        upload_id = _read(request, response).get("UploadId")
        if not upload_id:
            raise not_s3(request.what, "no upload id")
        self._whole[upload_id] = response.headers.get("x-amz-checksum-type") == FULL_OBJECT
        return Upload(key, upload_id)

    async def put(self, upload: Upload, number: int, body: Body, crc32c: str) -> PartReceipt:
        """Send one part; the server checks its CRC32C."""
        headers = {"x-amz-checksum-crc32c": hex_to_base64(crc32c)}
        request = self._wire.request(
            "PUT",
            f"part {number} of the upload of",
            upload.key,
            headers,
            body,
            partNumber=str(number),
            uploadId=upload.upload_id,
        )
        response = await self._wire.send(request)
        md5 = etag_checksum(response.headers).get(Algorithm.MD5, "")
        return PartReceipt(number, len(body), crc32c, unquoted(response.headers.get("ETag", "")), md5)

    async def finished(self, upload: Upload) -> dict[int, PartReceipt] | None:
        """Return the parts that the server has, or None where the upload is gone."""
        parts: dict[int, PartReceipt] = {}
        marker = ""
        while True:
            query = {"uploadId": upload.upload_id} | ({"part-number-marker": marker} if marker else {})
            request = self._wire.request("GET", "parts of the upload of", upload.key, None, b"", **query)
            try:
                page = _read(request, await self._wire.send(request))
            except NotFoundError:
                return None
            if page.get("ChecksumType"):
                self._whole[upload.upload_id] = page.get("ChecksumType") == FULL_OBJECT
            for part in map(_part, page.all("Part")):
                parts[part.number] = part
            following = page.get("NextPartNumberMarker")
            if page.get("IsTruncated") != "true" or following in ("", marker):
                return parts
            marker = following

    async def complete(
        self, upload: Upload, parts: Sequence[PartReceipt], checksums: Checksums, *, create_only: bool
    ) -> PutReceipt:
        """Join the parts and return what the server then says of the whole object."""
        ordered = sorted(parts, key=lambda part: part.number)
        headers = {"if-none-match": "*"} if create_only else {}
        headers["x-amz-mp-object-size"] = str(sum(part.size_bytes for part in ordered))
        crc = checksums.get(Algorithm.CRC32C)
        if crc and self._whole.get(upload.upload_id):
            headers |= {"x-amz-checksum-type": FULL_OBJECT, "x-amz-checksum-crc32c": hex_to_base64(crc)}
        request = self._wire.request(
            "POST",
            "completion of the upload of",
            upload.key,
            headers | {"content-type": "application/xml"},
            completion((p.number, p.token, hex_to_base64(p.crc32c) if p.crc32c else "") for p in ordered),
            uploadId=upload.upload_id,
        )
        receipt = await self._join(request, upload, ordered)
        self._whole.pop(upload.upload_id, None)
        if crc and receipt.checksums.get(Algorithm.CRC32C, crc) != crc:
            raise _joined_wrongly(request.what, receipt.checksums[Algorithm.CRC32C], crc)
        return receipt

    async def _join(self, request: Request, upload: Upload, parts: Sequence[PartReceipt]) -> PutReceipt:
        failures: list[TransientError] = []

        def hidden_error(response: Response) -> HeavyliftError | None:
            # S3 answers 200 at once, to keep the connection, and may tell an error afterwards.
            if _read(request, response).name == "Error":
                return self._wire.read_error(request, 200, response.headers, bytes(response.body))
            return None

        try:
            response = await self._wire.send(request, check=hidden_error, failures=failures)
        except (AlreadyExistsError, NotFoundError):
            # Only where an earlier attempt of ours went unanswered can that be our own object.
            mine = await self._joined_before(upload.key, parts) if failures else None
            if mine is None:
                raise
            return mine
        root = _read(request, response)
        value, kind = root.get("ChecksumCRC32C"), root.get("ChecksumType")
        vouched = _vouched(request.what, value, kind, parts)
        told = None if vouched else await self._joined_before(upload.key, parts)
        return told or PutReceipt(unquoted(root.get("ETag")), vouched)

    async def _joined_before(self, key: str, parts: Sequence[PartReceipt]) -> PutReceipt | None:
        """Return what a HEAD tells of the object, if its ETag says that it is made of ``parts``."""
        request = self._wire.request("HEAD", "check of", key, {"x-amz-checksum-mode": "ENABLED"})
        try:
            headers = (await self._wire.send(request)).headers
        except NotFoundError:
            return None
        etag = unquoted(headers.get("ETag", ""))
        if etag != multipart_etag(parts):
            return None
        value, kind = headers.get("x-amz-checksum-crc32c", ""), headers.get("x-amz-checksum-type", "")
        return PutReceipt(etag, _vouched(request.what, value, kind, parts))

    async def abort(self, upload: Upload) -> None:
        """Drop the upload and its parts."""
        self._whole.pop(upload.upload_id, None)
        request = self._wire.request(
            "DELETE", "abort of the upload of", upload.key, uploadId=upload.upload_id
        )
        try:
            await self._wire.send(request)
        except NotFoundError:
            return


def _read(request: Request, response: Response) -> Element:
    try:
        return parse(response.body.strip())
    except MalformedXmlError as error:
        raise not_s3(request.what, error) from None


def _part(element: Element) -> PartReceipt:
    return PartReceipt(
        number=int(element.get("PartNumber")),
        size_bytes=int(element.get("Size")),
        crc32c=whole_checksum(element.get("ChecksumCRC32C")),
        token=unquoted(element.get("ETag")),
    )


def multipart_etag(parts: Sequence[PartReceipt]) -> str:
    """Return the ETag of an unencrypted object of ``parts``: MD5 of their MD5s; or nothing."""
    try:
        joined = b"".join(bytes.fromhex(part.token) for part in parts)
    except ValueError:
        return ""
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(parts)}"


def composite_crc32c(parts: Sequence[PartReceipt]) -> str:
    """Return S3's composite CRC32C of ``parts`` in base64, without its ``-<parts>``."""
    joined = b"".join(bytes.fromhex(part.crc32c) for part in parts)
    return hex_to_base64(digest(joined, Algorithm.CRC32C)[Algorithm.CRC32C])


def _vouched(what: str, value: str, kind: str, parts: Sequence[PartReceipt]) -> dict[Algorithm, str]:
    """Return what a server's CRC32C of a joined object proves of the whole.

    :raises IntegrityError: it is the composite of other parts than ours.
    """
    plain, dash, _ = value.partition("-")
    if not plain or not all(part.crc32c for part in parts):
        return {Algorithm.CRC32C: whole_checksum(value)} if plain and kind == FULL_OBJECT else {}
    if kind == "COMPOSITE" or dash:
        if plain != composite_crc32c(parts):
            raise _joined_wrongly(what, f"composite {value}", composite_crc32c(parts))
        return {Algorithm.CRC32C: combine_crc32c((part.crc32c, part.size_bytes) for part in parts)}
    return {Algorithm.CRC32C: whole_checksum(value)} if kind == FULL_OBJECT else {}


def _joined_wrongly(what: str, got: str, expected: str) -> IntegrityError:
    return IntegrityError(
        what,
        got=f"CRC32C {got}",
        expected=expected,
        state="the object is visible at the target and its bytes are not those of the source",
        remedy="delete the object at the target, then run again",
        code="3141",
    )
