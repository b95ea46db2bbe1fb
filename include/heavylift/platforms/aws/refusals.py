"""What S3's refusals mean: one error for each situation, whatever code a server gives it."""

from __future__ import annotations

from heavylift.errors import (
    AlreadyExistsError,
    CredentialError,
    HeavyliftError,
    IntegrityError,
    NoRoomError,
    NotFoundError,
    PermanentError,
    PreconditionError,
    ServerUnavailableError,
    ThrottledError,
    UnsupportedError,
)

_UNCHANGED = "nothing was changed"


def throttled(what: str, got: str) -> HeavyliftError:
    """The server asks for less load."""
    return ThrottledError(
        what,
        got=got,
        expected="a server that keeps up",
        state=_UNCHANGED,
        remedy="lower the concurrency or wait",
        code="3120",
    )


def unavailable(what: str, got: str) -> HeavyliftError:
    """The server failed or gave up."""
    return ServerUnavailableError(
        what,
        got=got,
        expected="success",
        state="unknown whether the request had its effect; asking again is safe",
        remedy="run again later",
        code="3121",
    )


def no_key(what: str, got: str) -> HeavyliftError:
    """The bucket exists, the object does not."""
    return NotFoundError(
        what,
        got=got,
        expected="an existing object",
        state=_UNCHANGED,
        remedy="check that it was not deleted meanwhile",
        code="3122",
    )


def no_bucket(what: str, got: str) -> HeavyliftError:
    """The bucket does not exist."""
    return NotFoundError(
        what,
        got=got,
        expected="an existing bucket",
        state=_UNCHANGED,
        remedy="create the bucket, or correct the URL",
        code="3123",
    )


def no_upload(what: str, got: str) -> HeavyliftError:
    """The multipart upload is gone."""
    return NotFoundError(
        what,
        got=got,
        expected="a multipart upload in progress",
        state=_UNCHANGED,
        remedy="begin the upload again: this one was completed, aborted or has expired",
        code="3124",
    )


def denied(what: str, got: str, needed: str = "the permission that this act needs") -> HeavyliftError:
    """The identity is known and lacks a permission."""
    return CredentialError(
        what,
        got=got,
        expected="permission",
        state=_UNCHANGED,
        remedy=f"give the connection's identity {needed}, and see that no policy denies it",
        code="3125",
    )


def without_a_word(what: str, got: str) -> HeavyliftError:
    """Answers to a HEAD have no body: 400 is all that S3 says there of an expired token."""
    return CredentialError(
        what,
        got=f"{got}, which S3 does not explain in answer to a HEAD",
        expected="what S3 tells of the object",
        state=_UNCHANGED,
        remedy="renew the credentials if they are temporary; check the connection's region_name; where it is"
        " this object alone, it may be encrypted with a customer's own key, which Heavylift does not have",
        code="3147",
    )


def full(what: str, got: str) -> HeavyliftError:
    """No room, or a quota is used up: servers that speak S3's protocol say so; AWS has no such limit."""
    return NoRoomError(
        what,
        got=got,
        expected="room for the object",
        state=_UNCHANGED,
        remedy="free space or raise the quota, then run again",
        code="3148",
    )


def bad_keys(what: str, got: str) -> HeavyliftError:
    """The keys are wrong."""
    return CredentialError(
        what,
        got=got,
        expected="valid credentials",
        state=_UNCHANGED,
        remedy="correct login (access key id) and password (secret access key) of the connection",
        code="3126",
    )


def expired(what: str, got: str) -> HeavyliftError:
    """The session has run out and cannot renew itself."""
    return CredentialError(
        what,
        got=got,
        expected="a session that has not expired",
        state=_UNCHANGED,
        remedy="renew the session, or use a role or profile that renews itself",
        code="3127",
    )


def skewed_clock(what: str, got: str) -> HeavyliftError:
    """This machine's clock is wrong."""
    return CredentialError(
        what,
        got=got,
        expected="a clock within 15 minutes of the server's",
        state=_UNCHANGED,
        remedy="set this machine's clock, e.g. by NTP; the credentials may well be right",
        code="3128",
    )


def corrupt(what: str, got: str) -> HeavyliftError:
    """The bytes changed on their way."""
    return IntegrityError(
        what,
        got=got,
        expected="the bytes whose checksum was sent",
        state=_UNCHANGED,
        remedy="run again; if it repeats, look for a faulty proxy or faulty memory",
        code="3129",
    )


def elsewhere(what: str, got: str, region: str) -> HeavyliftError:
    """The bucket lives in another region."""
    return PermanentError(
        what,
        got=f"{got} (the bucket is in {region})" if region else got,
        expected="the bucket's own region",
        state=_UNCHANGED,
        remedy=f"set extra.region_name of the connection to {region or 'the region of the bucket'}",
        code="3130",
    )


def exists(what: str, got: str) -> HeavyliftError:
    """A create-only write found something there."""
    return AlreadyExistsError(
        what,
        got=got,
        expected="no object of that name",
        state=_UNCHANGED,
        remedy="leave it, or allow overwriting in the spec",
        code="3131",
    )


def changed(what: str, got: str) -> HeavyliftError:
    """The object is no longer the version that was pinned."""
    return PreconditionError(
        what,
        got=got,
        expected="the version that was listed",
        state=_UNCHANGED,
        remedy="run again: the new version is then found and moved",
        code="3132",
    )


def archived(what: str, got: str) -> HeavyliftError:
    """The object lies in an archive class."""
    return UnsupportedError(
        what,
        got=got,
        expected="an object that can be read at once",
        state=_UNCHANGED,
        remedy="restore it from its archive class, then run again",
        code="3133",
    )


def raced(what: str, got: str) -> HeavyliftError:
    """Somebody else writes or deletes the same key at this moment."""
    return ServerUnavailableError(
        what,
        got=got,
        expected="no other writer of this key",
        state=_UNCHANGED,
        remedy="run again once the other writer is done",
        code="3134",
    )


def not_implemented(what: str, got: str) -> HeavyliftError:
    """The server does not know this request."""
    return UnsupportedError(
        what,
        got=got,
        expected="a request that this server supports",
        state=_UNCHANGED,
        remedy="use a server with this part of S3's API",
        code="3135",
    )


def too_much_beside(what: str, got: str) -> HeavyliftError:
    """What goes in headers, metadata and tags above all, is over the server's limits or breaks its rules."""
    return UnsupportedError(
        what,
        got=got,
        expected="headers, metadata and tags within this server's limits",
        state=_UNCHANGED,
        remedy="shorten the object's metadata and tags on the source, or leave them behind on purpose:"
        " metadata.user_metadata or .tags of the dataset",
        code="9226",
    )


def customers_key(what: str, got: str) -> HeavyliftError:
    """The object is encrypted with a key that its owner keeps (SSE-C)."""
    return UnsupportedError(
        what,
        got=got,
        expected="an object that can be read without a customer's own key (SSE-C)",
        state=_UNCHANGED,
        remedy="copy the object onto itself under SSE-S3 or SSE-KMS, or exclude it and move it by hand",
        code="9228",
    )
