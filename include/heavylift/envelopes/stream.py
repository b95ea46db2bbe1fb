"""The cipher of an envelope: Tink's AES-GCM-HKDF streaming, in segments of 1 MiB.

The form is published (https://developers.google.com/tink/streaming-aead/aes_gcm_hkdf_streaming) and that of
Tink's template ``AES256_GCM_HKDF_1MB``, so that Tink opens it, too, with the data key and the associated
data. Each segment is sealed under its number and whether it is the last: one that is missing, cut, moved or
from another object is found. Segments can be made in any order, and so can the parts of an upload.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from heavylift.checksums import Body

SEGMENT = 2**20
"""Bytes of a sealed segment; the first has the header in it."""
TAG = 16
KEY = 32
_SALT, _PREFIX = 32, 7
HEADER = 1 + _SALT + _PREFIX
_PLAIN = SEGMENT - TAG


class NotAuthenticError(Exception):
    """A segment is not what was sealed under this key, number and associated data."""


@dataclass(frozen=True)
class Layout:
    """Where things lie in a sealed object.

    :param size_bytes: of what was sealed.
    """

    size_bytes: int

    @property
    def segments(self) -> int:
        """How many segments there are; one where nothing was sealed."""
        return max(1, -(-(self.size_bytes + HEADER) // _PLAIN))

    @property
    def sealed_bytes(self) -> int:
        """Size of the sealed object."""
        return HEADER + self.size_bytes + TAG * self.segments

    def plain_start(self, segment: int) -> int:
        """Return where the plaintext of a segment begins; behind the last one: its end."""
        if segment == 0:
            return 0
        return min(segment * _PLAIN - HEADER, self.size_bytes)

    def ranges(self, segments_at_once: int) -> Iterator[range]:
        """Yield runs of segments, together all of them."""
        for first in range(0, self.segments, segments_at_once):
            yield range(first, min(first + segments_at_once, self.segments))


@dataclass(frozen=True)
class DataKey:
    """The key of one object, with the header that says how segments' keys and nonces come of it.

    A header and a key belong to one content: sealing another with them would break the cipher. So the
    associated data, from which the key of the segments is derived, names the very version that is sealed.

    :param associated: what is bound to it beside the bytes.
    """

    key: bytes = field(repr=False)
    header: bytes
    associated: bytes

    def segment_key(self) -> bytes:
        """Return the key of the segments."""
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        salt = self.header[1 : 1 + _SALT]
        return HKDF(SHA256(), KEY, salt=salt, info=self.associated).derive(self.key)


def new_key() -> bytes:
    """Return a fresh data key."""
    return os.urandom(KEY)


def new_header() -> bytes:
    """Return a fresh header."""
    return bytes([HEADER]) + os.urandom(_SALT + _PREFIX)


def is_header(data: Body) -> bool:
    """Tell whether bytes can be the beginning of a sealed object."""
    return len(data) == HEADER and data[0] == HEADER


class Cipher:
    """Seals and opens the segments of one object.

    :param segments: how many the object has: the last is sealed as the last.
    """

    def __init__(self, data_key: DataKey, segments: int) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._gcm = AESGCM(data_key.segment_key())
        self._header, self._segments = data_key.header, segments

    def seal(self, numbers: range, plain: Body, layout: Layout) -> bytes:
        """Return sealed segments, the header before the first; ``plain`` is theirs and no more."""
        view, start = memoryview(plain), layout.plain_start(numbers.start)
        pieces = [self._header] if numbers.start == 0 else []
        for number in numbers:
            begin, end = (layout.plain_start(each) - start for each in (number, number + 1))
            pieces.append(self._gcm.encrypt(self._nonce(number), view[begin:end], None))
        return b"".join(pieces)

    def open(self, numbers: range, sealed: Body) -> bytes:
        """Return the plaintext of whole sealed segments.

        :raises NotAuthenticError: one is not authentic.
        """
        from cryptography.exceptions import InvalidTag

        view, pieces = memoryview(sealed), []
        base = numbers.start * SEGMENT
        for number in numbers:
            begin = (HEADER if number == 0 else number * SEGMENT) - base
            piece = view[begin : (number + 1) * SEGMENT - base]
            try:
                pieces.append(self._gcm.decrypt(self._nonce(number), piece, None))
            except (InvalidTag, ValueError):
                raise NotAuthenticError(f"segment {number + 1} of {self._segments}") from None
        return b"".join(pieces)

    def _nonce(self, number: int) -> bytes:
        last = number == self._segments - 1
        return self._header[-_PREFIX:] + struct.pack(">IB", number, last)
