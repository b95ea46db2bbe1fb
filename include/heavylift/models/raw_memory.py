"""Finds where a pickle has numpy take bytes for addresses of objects, which whoever loads it would follow.

An array over given bytes, and a type that holds objects and whose flags say that it holds none, are all that
is needed: no name in such a pickle does more than build data.
"""

from __future__ import annotations

from typing import Any

_ARRAY, _TYPE, _RECORD = "numpy.ndarray", "numpy.dtype", "numpy.record"
_LENGTHS = frozenset({8, 9})
"""Of what numpy keeps of a type."""
_ORDERS = frozenset({"|", "<", ">", "="})
_HAS_OBJECTS = 1
_MAX_DEPTH = 16


def is_over_bytes(what: Any, arguments: Any) -> bool:
    """Tell whether a call makes an array over bytes that it is given, not of a shape and a type alone."""
    if str(what) != _ARRAY:
        return False
    return not isinstance(arguments, (tuple, list)) or len(arguments) > 2


def hides_objects(made: Any, state: Any) -> bool:
    """Tell whether a state would have a type of numpy hold objects and say that it does not.

    :param made: what is given the state; a type that came from elsewhere is none that can be told.
    """
    if not isinstance(state, tuple) or len(state) not in _LENGTHS or state[1] not in _ORDERS:
        return str(made.what) == _TYPE and not isinstance(state, tuple)
    if type(state[7]) is int and state[7] & _HAS_OBJECTS:
        return False
    return str(made.what) != _TYPE or _kind_holds(made, 0) or _parts_hold(state, 0)


def _holds(kind: Any, depth: int) -> bool:
    """Tell whether a type holds objects, or may: what cannot be told counts."""
    if depth > _MAX_DEPTH or str(getattr(kind, "what", None)) != _TYPE:
        return True
    states = [each for each in kind.state if isinstance(each, tuple) and len(each) in _LENGTHS]
    return _kind_holds(kind, depth) or any(_parts_hold(each, depth) for each in states)


def _kind_holds(kind: Any, depth: int) -> bool:
    arguments = kind.arguments
    told = arguments[0] if isinstance(arguments, (tuple, list)) and arguments else None
    if str(told) == _RECORD:
        return False
    # Of several types in one text only numpy knows the flags, and sets them.
    return not isinstance(told, str) or "O" in told


def _parts_hold(state: tuple[Any, ...], depth: int) -> bool:
    inner, fields = state[2], state[4]
    if inner is not None and not (isinstance(inner, tuple) and inner and not _holds(inner[0], depth + 1)):
        return True
    if fields is None:
        return False
    if not isinstance(fields, dict):
        return True
    return any(
        not (isinstance(each, tuple) and each) or _holds(each[0], depth + 1) for each in fields.values()
    )
