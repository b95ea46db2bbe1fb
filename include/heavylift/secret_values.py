"""Values of secrets in memory: a type that shows nothing of itself, and a comparison that leaves no trace."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Any, Never

_HIDDEN = "SecretValue(hidden)"


class SecretValue:
    """The value of one secret. It can be asked for by :meth:`reveal` alone.

    ``repr``, ``str`` and formatting show one word; pickling, copying and JSON refuse; ``==`` is the
    identity, so that no ``assert`` shows two values; and there is no ``__dict__`` to look into.

    :param data: the bytes.
    :param text: whether they are text, which some stores tell apart from bytes.
    """

    __slots__ = ("__data", "text")

    def __init__(self, data: bytes, *, text: bool) -> None:
        self.__data = data
        self.text = text

    @classmethod
    def of_text(cls, value: str) -> SecretValue:
        """Return a value that is text."""
        return cls(value.encode(), text=True)

    @classmethod
    def of_bytes(cls, value: bytes) -> SecretValue:
        """Return a value of a store that tells no text from bytes: text where it is UTF-8."""
        try:
            value.decode()
        except UnicodeDecodeError:
            return cls(value, text=False)
        return cls(value, text=True)

    def reveal(self) -> bytes:
        """Return the bytes: for the request that writes them, and for nothing else."""
        return self.__data

    @property
    def size(self) -> int:
        """How many bytes; what is written down of it is whether they fit, never the number."""
        return len(self.__data)

    @property
    def characters(self) -> int:
        """How many UTF-16 units a text has, as stores count that limit texts by characters."""
        return len(self.__data.decode().encode("utf-16-le")) // 2 if self.text else self.size

    def __repr__(self) -> str:
        return _HIDDEN

    def __str__(self) -> str:
        return _HIDDEN

    def __format__(self, spec: str) -> str:
        return _HIDDEN

    def __reduce_ex__(self, protocol: Any) -> Never:
        raise TypeError("the value of a secret is not written down")

    def __copy__(self) -> Never:
        raise TypeError("the value of a secret is not copied")

    def __deepcopy__(self, memo: Any) -> Never:
        raise TypeError("the value of a secret is not copied")


class Comparer:
    """Compares values by a keyed digest; the key is random and never leaves the process.

    A plain digest of a short password can be guessed from a list; one with a key that nobody has cannot.
    Not even these digests are written down.
    """

    __slots__ = ("__key",)

    def __init__(self) -> None:
        self.__key = os.urandom(32)

    def equal(self, one: SecretValue, other: SecretValue) -> bool:
        """Tell whether two values are the same bytes, in a time that does not depend on them."""
        return hmac.compare_digest(self._digest(one), self._digest(other))

    def _digest(self, value: SecretValue) -> bytes:
        return hmac.new(self.__key, value.reveal(), hashlib.sha256).digest()

    def __repr__(self) -> str:
        return "Comparer(hidden)"

    def __reduce_ex__(self, protocol: Any) -> Never:
        raise TypeError("the key of a comparison does not leave its process")
