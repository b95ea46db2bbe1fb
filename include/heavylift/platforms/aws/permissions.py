"""Which permissions a request to S3 needs, for the message of one that was refused.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from heavylift.platforms.http import Request

_BY_QUERY: tuple[tuple[str, str, str], ...] = (
    ("GET", "list-type", "s3:ListBucket"),
    ("GET", "versions", "s3:ListBucketVersions"),
    ("GET", "versioning", "s3:GetBucketVersioning"),
    ("GET", "object-lock", "s3:GetBucketObjectLockConfiguration"),
    ("GET", "encryption", "s3:GetEncryptionConfiguration"),
    ("GET", "acl", "s3:GetBucketAcl"),
    ("GET", "ownershipControls", "s3:GetBucketOwnershipControls"),
    ("GET", "policy", "s3:GetBucketPolicy"),
    ("PUT", "policy", "s3:PutBucketPolicy"),
    ("DELETE", "policy", "s3:DeleteBucketPolicy"),
    ("GET", "uploads", "s3:ListBucketMultipartUploads"),
    ("GET", "uploadId", "s3:ListMultipartUploadParts"),
    ("DELETE", "uploadId", "s3:AbortMultipartUpload"),
    ("DELETE", "versionId", "s3:DeleteObjectVersion"),
    ("GET", "tagging", "s3:GetObjectTagging"),
)
_BY_METHOD: Mapping[str, str] = {
    "GET": "s3:GetObject",
    "HEAD": "s3:GetObject",
    "PUT": "s3:PutObject",
    "POST": "s3:PutObject",
    "DELETE": "s3:DeleteObject",
}
_KEY_ACTS: Mapping[str, str] = {"s3:GetObject": "kms:Decrypt", "s3:PutObject": "kms:GenerateDataKey"}


def permission_of(request: Request) -> str:
    """Return in words what a request needs, as a policy spells it."""
    action = _action(request)
    if action == "s3:GetObjectTagging":
        return f"{action} (or leave tags behind on purpose: metadata.tags of the dataset)"
    if "x-amz-tagging" in request.headers:
        return f"{action} and s3:PutObjectTagging (or leave tags behind: metadata.tags of the dataset)"
    key_act = _KEY_ACTS.get(action)
    return f"{action}, with {key_act} where the key is in KMS" if key_act else action


def _action(request: Request) -> str:
    address = urlsplit(request.url)
    query = dict(parse_qsl(address.query, keep_blank_values=True))
    if request.method == "GET" and "acl" in query and not address.path.endswith("/"):
        return "s3:GetObjectAcl"
    for method, name, action in _BY_QUERY:
        if request.method == method and name in query:
            return action
    return _BY_METHOD[request.method]
