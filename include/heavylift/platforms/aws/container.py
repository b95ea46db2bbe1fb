"""What a bucket's own settings tell: versioning, object lock, default encryption, access list."""

from __future__ import annotations

from heavylift.errors import HeavyliftError, NotFoundError, TransientError
from heavylift.platforms.aws.wire import BucketWire
from heavylift.platforms.aws.xml import Element, MalformedXmlError, parse
from heavylift.platforms.containers import ContainerTrait, encrypted, locked, shared, unknown, versioned


async def describe(wire: BucketWire) -> list[ContainerTrait]:
    """Ask for each setting; four requests
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html).
    """
    found: list[ContainerTrait] = []
    for setting, read in (
        ("versioning", _versioning),
        ("object-lock", _lock),
        ("encryption", _encryption),
        ("acl", _acl),
    ):
        try:
            response = await wire.send(wire.request("GET", f"{setting} of", None, None, b"", **{setting: ""}))
            found += read(parse(response.body))
        except TransientError:
            raise
        except NotFoundError:
            continue  # S3's way of saying that nothing is set.
        except (HeavyliftError, MalformedXmlError) as error:
            why = error.got if isinstance(error, HeavyliftError) else "an answer that is no XML"
            found.append(unknown(setting, why))
    return found


def _versioning(answer: Element) -> list[ContainerTrait]:
    return [versioned()] if answer.get("Status") in {"Enabled", "Suspended"} else []


def _lock(answer: Element) -> list[ContainerTrait]:
    on = answer.get("ObjectLockEnabled") == "Enabled"
    return [locked("the bucket has an object lock")] if on else []


def _encryption(answer: Element) -> list[ContainerTrait]:
    defaults = [
        each.get("SSEAlgorithm")
        for rule in answer.all("Rule")
        for each in rule.all("ApplyServerSideEncryptionByDefault")
    ]
    keys = [name for name in defaults if name.startswith("aws:kms")]
    return [encrypted(f"the bucket encrypts by {keys[0]}")] if keys else []


def _acl(answer: Element) -> list[ContainerTrait]:
    grants = [grant for grants in answer.all("AccessControlList") for grant in grants.all("Grant")]
    return [shared(f"the bucket's access list has {len(grants)} grants")] if len(grants) > 1 else []
