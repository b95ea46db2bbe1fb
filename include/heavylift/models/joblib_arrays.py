"""Where in a pickle joblib has put the bare bytes of an array, and how many there are.

joblib's loader goes past them, and pickle's would carry them out: only what is certain is stepped over, and
whatever would make joblib count differently is not certain.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, BinaryIO

from heavylift.models.tokens import VALUE, UnreadableError

WRAPPER = "ArrayWrapper"
"""Part of the names of the classes whose objects joblib takes for an array's place."""
_KINDS = frozenset("biufcSUmMV?")
_BY_STATE = frozenset("SUV")
_HAS_OBJECTS = 1
_MAX_DEPTH = 8


@dataclass(frozen=True)
class Element:
    """What numpy says of one element: of ``bytes`` bytes, or an object, which is a pickle of its own."""

    bytes: int
    is_object: bool = False


class Places:
    """Follows the objects that joblib takes for an array's place, and tells them from all others.

    joblib asks for an object's class alone: one that was changed into such a place, or came out of a call, is
    one as well, and the bytes behind it would be stepped over there and carried out here, or the other way
    round. So each time that the class is named it must make such an object at once, and each of these must
    stay where it was made until it is filled.
    """

    def __init__(self) -> None:
        self._named = 0
        self._made: dict[int, Any] = {}
        self._waiting: list[Any] = []

    def named(self, name: str) -> None:
        """Take note that a global was named, or fetched from the memo."""
        self._named += WRAPPER in name

    def made(self, place: Any, arguments: Any) -> None:
        """Take note of a new place.

        :raises UnreadableError: it was made of something, and so has more than its state will tell.
        """
        base = arguments[1:] if isinstance(arguments, tuple) else None
        bare = base is not None and len(base) == 2 and str(base[0]).endswith(".object") and base[1] is None
        if not (bare or arguments in ((), [])):
            raise UnreadableError("an array's place that is more than its state")
        self._made[id(place)] = place
        self._waiting.append(place)

    def fetched(self, item: Any, name: str) -> None:
        """Take note of something that came once more."""
        self.named(name)
        if id(item) in self._made:
            raise UnreadableError("an object that stands for an array is there twice")

    def is_one(self, built: Any, stack: list[Any]) -> bool:
        """Tell whether what is given its state is a place.

        :raises UnreadableError: that is not certain.
        """
        if self._named != len(self._made):
            raise UnreadableError("an object that may stand for an array")
        if any(built is each for each in self._waiting):
            self._waiting = [each for each in self._waiting if each is not built]
            return True
        if not all(any(each is item for item in stack) for each in self._waiting):
            raise UnreadableError("an object that may stand for an array")
        return False


def step_over(stream: BinaryIO, size: int, state: Any, element: Element) -> None:
    """Go past the bytes of the array whose wrapper has this state.

    :raises UnreadableError: joblib might count otherwise.
    """
    shape = state.get("shape")
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise UnreadableError("an array whose size is not told")
    count = 1
    for length in shape:
        count *= length
    aligned = state.get("numpy_array_alignment_bytes")
    if aligned is not None:
        if type(aligned) is not int:
            raise UnreadableError("an array that lies nobody knows where")
        padding = stream.read(1)
        stream.seek(padding[0] if padding else 0, io.SEEK_CUR)
    if stream.tell() + count * element.bytes > size:
        raise UnreadableError("an array that is longer than the file")
    stream.seek(count * element.bytes, io.SEEK_CUR)


def element_of(state: Any) -> Element:
    """Return what the elements of a wrapper's array are.

    :raises UnreadableError: that cannot be told for certain.
    """
    if not isinstance(state, dict) or VALUE in state:
        raise UnreadableError("an array wrapper without a readable state")
    found = _element(state.get("dtype"), 0)
    if found is None:
        raise UnreadableError("an array whose elements are not told")
    return found


def _element(dtype: Any, depth: int) -> Element | None:
    what, arguments = getattr(dtype, "what", None), getattr(dtype, "arguments", None)
    if str(what) != "numpy.dtype" or not isinstance(arguments, tuple) or not arguments or depth > _MAX_DEPTH:
        return None
    text = arguments[0]
    if not isinstance(text, str):
        return None
    text = text.lstrip("<>|=")
    if text in {"O", "O8"}:
        sound = all(_flags(state) == _HAS_OBJECTS for state in dtype.state)
        return Element(0, is_object=True) if sound else None
    if text[:1] not in _KINDS or not (text[1:].isascii() and text[1:].isdigit()):
        return None
    size = int(text[1:]) * (4 if text[0] == "U" else 1)
    sound = all(_agrees(state, text[0], size, depth) for state in dtype.state)
    return Element(size) if sound else None


def _flags(state: Any) -> int | None:
    """Return the flag of objects in what numpy keeps of a type; None where it cannot be read."""
    if not isinstance(state, tuple) or len(state) < 8 or type(state[7]) is not int:
        return None
    return int(state[7]) & _HAS_OBJECTS


def _agrees(state: Any, kind: str, size: int, depth: int) -> bool:
    """Tell whether the state of a type leaves it at the size that its name tells, and without objects."""
    if _flags(state) != 0:
        return False
    subtype, fields, told = state[2], state[4], state[5]
    if kind in _BY_STATE and told != size:
        return False
    if subtype is not None and kind != "V":
        return False
    if subtype is not None and not (isinstance(subtype, tuple) and subtype and _plain(subtype[0], depth)):
        return False
    if fields is None:
        return True
    if not isinstance(fields, dict) or VALUE in fields:
        return False
    return all(isinstance(each, tuple) and each and _plain(each[0], depth) for each in fields.values())


def _plain(dtype: Any, depth: int) -> bool:
    found = _element(dtype, depth + 1)
    return found is not None and not found.is_object
