"""Objects drawn from a seed, written to a source by the vendors' own clients."""

from __future__ import annotations

import base64
import hashlib
import random
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.integration.objects.places import Servers

MIB = 2**20
PART = 5 * MIB


@dataclass(frozen=True)
class Drawn:
    """One object of a source.

    :param how: what its store shall say of its bytes: ``plain`` (what it says by itself), ``crc32c``,
        ``crc64nvme``, or ``parts``, ``parts-crc32c``: made of parts, whose ETag is no hash of the whole.
    """

    key: str
    size_bytes: int
    how: str
    seed: str

    @cached_property
    def body(self) -> bytes:
        """The object's bytes; the same for the same seed."""
        return random.Random(self.seed).randbytes(self.size_bytes)


@dataclass(frozen=True)
class Change:
    """A change of the source amid a round.

    :param at: the number of the request at which it happens.
    :param new: what replaces the object; None where it goes.
    """

    at: int
    old: Drawn
    new: Drawn | None

    def apply(self, servers: Servers, server: str, container: str) -> None:
        """Carry it out on the source."""
        if self.new is not None:
            write_objects(servers, server, container, [self.new])
        elif server == "file":
            Path(servers.folder, container, self.old.key).unlink()
        elif server == "gcp_target":
            servers.gcs(server).bucket(container).blob(self.old.key).delete()
        elif server == "azure_target":
            servers.azure(server).get_blob_client(container, self.old.key).delete_blob()
        else:
            servers.s3_as_asked(server).delete_object(Bucket=container, Key=self.old.key)


def draw_changes(dice: random.Random, objects: tuple[Drawn, ...]) -> list[Change]:
    """Return one to three changes of different objects, the largest among them more often than not."""
    chosen = {max(objects, key=lambda one: one.size_bytes), *dice.sample(objects, 2)}
    changes = []
    for one in sorted(chosen, key=lambda one: one.key)[: dice.randint(1, 3)]:
        grown = replace(one, size_bytes=one.size_bytes + dice.randint(0, 9), seed=f"{one.seed}:new")
        changes.append(Change(dice.randint(4, 70), one, grown if dice.random() < 0.7 else None))
    return changes


def sha256(one: Drawn) -> str:
    """Return the SHA-256 of an object's bytes."""
    return hashlib.sha256(one.body).hexdigest()


def draw_objects(dice: random.Random, seed: object, source: str) -> list[Drawn]:
    """Return empty, small and large objects, and some around the size of a part."""
    sizes = [0, 1, *(dice.randint(2, 200_000) for _ in range(dice.randint(3, 25)))]
    sizes += dice.sample([PART - 1, PART, PART + 1], dice.randint(0, 2))
    sizes += [dice.randint(2 * PART, 4 * PART) for _ in range(dice.choice((0, 1, 1, 1, 2)))]
    dice.shuffle(sizes)
    drawn = []
    for number, size in enumerate(sizes):
        how = dice.choice(("plain", "crc32c", "crc64nvme")) if source == "aws_source" else "plain"
        if (size > PART or not size) and source != "file" and dice.random() < 0.7:
            how = dice.choice(("parts", "parts-crc32c")) if source == "aws_source" else "parts"
        folder = dice.choice(("", "a/", "a/b c/", "é/"))
        drawn.append(Drawn(f"{folder}k{number:02d}", size, how, f"{seed}:{number}"))
    return drawn


def write_objects(servers: Servers, server: str, container: str, objects: list[Drawn]) -> None:
    """Write objects to a container that exists, each as it was drawn."""
    writers = {"file": _write_file, "gcp_target": _write_gcs, "azure_target": _write_azure}
    write = writers.get(server, _write_s3)
    for one in objects:
        write(servers, server, container, one)


def _write_file(servers: Servers, server: str, container: str, one: Drawn) -> None:
    path = Path(servers.folder, container, one.key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(one.body)


def _write_s3(servers: Servers, server: str, container: str, one: Drawn) -> None:
    client, body = servers.s3_as_asked(server), one.body
    if not one.how.startswith("parts"):
        sums = {} if one.how == "plain" else {"ChecksumAlgorithm": one.how.upper()}
        client.put_object(Bucket=container, Key=one.key, Body=body, **sums)
        return
    named = {"ChecksumAlgorithm": "CRC32C"} if one.how == "parts-crc32c" else {}
    upload = client.create_multipart_upload(Bucket=container, Key=one.key, **named)["UploadId"]
    where: dict[str, Any] = {"Bucket": container, "Key": one.key, "UploadId": upload}
    parts = []
    for number, start in enumerate(range(0, max(1, len(body)), PART), 1):
        told = client.upload_part(**where, PartNumber=number, Body=body[start : start + PART], **named)
        sums = {"ChecksumCRC32C": told["ChecksumCRC32C"]} if named else {}
        parts.append({"PartNumber": number, "ETag": told["ETag"], **sums})
    client.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})


def _write_gcs(servers: Servers, server: str, container: str, one: Drawn) -> None:
    servers.gcs(server).bucket(container).blob(one.key).upload_from_string(
        one.body, content_type="application/octet-stream"
    )


def _write_azure(servers: Servers, server: str, container: str, one: Drawn) -> None:
    from azure.storage.blob import BlobBlock

    blob, body = servers.azure(server).get_blob_client(container, one.key), one.body
    if one.how != "parts":
        blob.upload_blob(body, overwrite=True)
        return
    blocks = []
    for number, start in enumerate(range(0, len(body), PART)):
        name = base64.b64encode(f"{number:08d}".encode()).decode()
        blob.stage_block(name, body[start : start + PART])
        blocks.append(BlobBlock(name))
    blob.commit_block_list(blocks)
