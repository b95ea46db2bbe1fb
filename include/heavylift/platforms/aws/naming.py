"""Keys and URLs of S3: the exact path of every key, and the keys that S3 cannot hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlencode, urlsplit

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, UnsupportedError
from heavylift.locations import Location
from heavylift.platforms.aws.settings import endpoint_setting, s3_option

MAX_KEY_BYTES = 1024
_UNRESERVED = re.compile(r"[A-Za-z0-9_.~/-]*")


@dataclass(frozen=True)
class BucketAddress:
    """Where the bucket of a location answers.

    :param base: URL up to the bucket, without a slash at the end.
    :param path_base: the same in path style; S3 takes the key ``soap`` only that way.
    """

    base: str
    path_base: str

    def object_url(self, key: str, **query: str) -> str:
        """Return the exact URL of ``key``; no byte of it is normalised away."""
        base = self.path_base if key == "soap" else self.base
        return f"{base}/{encode_key(key)}" + (f"?{_query(query)}" if query else "")

    def bucket_url(self, **query: str) -> str:
        """Return the URL of the bucket itself."""
        return f"{self.base}/?{_query(query)}"


def _query(query: dict[str, str]) -> str:
    # Percent-encoded and sorted, as the signature's canonical form wants it.
    return urlencode(sorted(query.items()), quote_via=quote, safe="")


def bucket_address(location: Location, connection: Connection, region: str) -> BucketAddress:
    """Return the address of ``location``'s bucket.

    A connection with an ``endpoint_url`` gets path style, unless its
    ``config_kwargs.s3.addressing_style`` says ``virtual``; AWS itself gets virtual-hosted style,
    save for bucket names with dots, which no wildcard certificate covers.

    :raises ConnectionConfigError: the endpoint is no plain http(s) URL.
    :raises UnsupportedError: a directory bucket (S3 Express), whose sessions are not supported.
    """
    bucket = location.container
    if bucket.endswith("--x-s3"):
        raise UnsupportedError(
            f"opening {location}",
            got="an S3 directory bucket",
            expected="a general purpose bucket",
            state="nothing was touched",
            remedy="copy it to a general purpose bucket first",
            code="3101",
        )
    given = endpoint_setting(connection, "s3")
    endpoint = _checked(given, connection) if given else f"https://{aws_host(region)}"
    scheme, _, host = endpoint.partition("://")
    path_base = f"{endpoint}/{quote(bucket, safe='')}"
    style = s3_option(connection, "addressing_style") or ("path" if given else "virtual")
    virtual = style != "path" and "." not in bucket
    return BucketAddress(f"{scheme}://{bucket}.{host}" if virtual else path_base, path_base)


def _checked(endpoint: str, connection: Connection) -> str:
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
        raise ConnectionConfigError(
            f"reading endpoint_url of connection {connection.conn_id!r}",
            got="no plain http:// or https:// URL",
            expected="scheme://host:port",
            state="nothing was touched",
            remedy="write endpoint_url as https://host or http://host:port, without credentials",
            code="3102",
        )
    return endpoint.rstrip("/")


@lru_cache(maxsize=32)
def aws_host(region: str) -> str:
    """Return AWS's S3 host of a region, in whichever partition it lies."""
    import botocore.session
    from botocore.config import Config

    config = Config(ignore_configured_endpoint_urls=True, s3={"us_east_1_regional_endpoint": "regional"})
    none = "-"  # without any keys it would look for real ones; it sends nothing
    client = botocore.session.Session().create_client(
        "s3", region_name=region, aws_access_key_id=none, aws_secret_access_key=none, config=config
    )
    host = urlsplit(client.meta.endpoint_url).netloc
    client.close()
    return str(host)


def encode_key(key: str) -> str:
    """Percent-encode every byte of ``key`` but the unreserved ones and ``/``.

    :raises UnsupportedError: the key is no valid UTF-8 text.
    """
    if _UNRESERVED.fullmatch(key):
        return key
    try:
        return quote(key, safe="/")
    except UnicodeEncodeError:
        raise UnsupportedError(
            f"naming the object {key!r}",
            got="a key that is not valid UTF-8",
            expected="Unicode text",
            state="nothing was touched",
            remedy="rename the object at the source",
            code="3103",
        ) from None


def key_problem(key: str) -> str | None:
    """Return why S3's documented rules cannot hold ``key``, or None.

    The rules are those of "Naming Amazon S3 objects"
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html): UTF-8 of 1 to
    1,024 bytes, and, read from left to right, never more ``..`` elements than others before
    them. Control characters are allowed; listings ask for URL encoding because XML 1.0 could
    not carry them.
    """
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "not valid Unicode: S3 keys are UTF-8"
    if size == 0:
        return "empty: S3 keys have at least one byte"
    if size > MAX_KEY_BYTES:
        return f"{size} bytes: S3 keys have at most {MAX_KEY_BYTES}"
    if ".." in key and _climbs_out(key):
        return "its '..' elements lead above the bucket, which S3 refuses"
    return None


def _climbs_out(key: str) -> bool:
    depth = 0
    for element in key.split("/"):
        depth += -1 if element == ".." else int(element not in {"", "."})
        if depth < 0:
            return True
    return False
