"""Reads a pickle's instructions without carrying any of them out.

A pickle is a program. What it can do to whoever loads it is decided by the globals that it names and by
what it calls; both can be read off its opcodes. Values are followed just far enough to know every name,
also where it is put together from texts that lie in the memo, and to step over the bare bytes of arrays
that joblib writes between the opcodes.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

_JOBLIB_WRAPPER = "NumpyArrayWrapper"
_ARRAY_KINDS = frozenset("biufcSUmMV?")
_TEXTS = frozenset(
    {
        "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE",
        "BINUNICODE8",
    }
)  # fmt: skip
_PLAIN = frozenset(
    {
        "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
        "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
    }
)  # fmt: skip
_MAX_OPCODES = 20_000_000
_BY_NAME = {each.name: each for each in pickletools.opcodes}


@dataclass(frozen=True)
class Global:
    """A name that a pickle imports: ``module.name``."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class Called:
    """What a call would have given: only what was called with what is known."""

    what: Any
    arguments: Any
    state: list[Any] = field(default_factory=list, compare=False, hash=False)


@dataclass
class PickleProgram:
    """What a pickle names and calls.

    :param names: every global that it imports.
    :param calls: those of them that it calls, or makes objects of.
    :param problem: why it could not be read to its end; empty where it was.
    :param programs: pickles in the file, one after the other.
    """

    names: list[Global] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    problem: str = ""
    programs: int = 0
    opcodes: int = 0

    @property
    def acts(self) -> bool:
        """It names or calls something, so it is more than plain values."""
        return bool(self.names or self.calls)


class _UnknownError(Exception):
    """The stack does not hold what an opcode needs."""


_MARK = object()
_VALUE = object()
"""Some value that is of no interest."""


def read_program(stream: BinaryIO, size: int) -> PickleProgram:
    """Read all pickles from where ``stream`` stands; nothing of them is imported or called.

    :param size: of the whole stream, in bytes.
    """
    found = PickleProgram()
    while stream.tell() < size:
        try:
            _Reader(stream, size, found).read()
        except _UnknownError as error:
            found.problem = str(error)
        # pickletools refuses bad input by whatever its parts happen to raise.
        except Exception as error:  # noqa: BLE001
            found.problem = f"{type(error).__name__}: {str(error)[:120]}"
        if found.problem:
            break
        found.programs += 1
        if not _begins_again(stream):
            break
    return found


def _begins_again(stream: BinaryIO) -> bool:
    """Tell whether another pickle follows: whoever loads the file may load it more than once."""
    at = stream.tell()
    following = stream.read(1)
    stream.seek(at)
    return following == b"\x80"


class _Reader:
    """Follows one pickle from its first opcode to its STOP."""

    def __init__(self, stream: BinaryIO, size: int, found: PickleProgram) -> None:
        self._stream = stream
        self._size = size
        self._found = found
        self._stack: list[Any] = []
        self._memo: dict[Any, Any] = {}

    def read(self) -> None:
        """Read to STOP."""
        for opcode, argument, _position in self._opcodes():
            self._found.opcodes += 1
            if self._found.opcodes > _MAX_OPCODES:
                raise _UnknownError(f"more than {_MAX_OPCODES} opcodes")
            self._take(opcode.name, argument)

    def _opcodes(self) -> Iterator[tuple[Any, Any, Any]]:
        return pickletools.genops(self._stream)

    def _take(self, name: str, argument: Any) -> None:
        act = getattr(self, f"_on_{name.lower()}", None)
        if act is not None:
            act(argument)
        elif name in _TEXTS:
            self._stack.append(argument)
        elif name in _PLAIN:
            self._stack.append(argument if isinstance(argument, int) else _VALUE)
        else:
            self._generic(name)

    def _generic(self, name: str) -> None:
        """Do to the stack what pickletools says that the opcode does."""
        opcode = _BY_NAME[name]
        before = [kind.name for kind in opcode.stack_before]
        if "mark" in before:
            self._to_mark()
            for _ in range(before.index("mark")):
                self._pop()
        else:
            for _ in before:
                self._pop()
        self._stack += [_VALUE for _ in opcode.stack_after]

    def _pop(self) -> Any:
        if not self._stack:
            raise _UnknownError("an opcode takes more than the stack has")
        return self._stack.pop()

    def _top(self) -> Any:
        if not self._stack:
            raise _UnknownError("an opcode looks at an empty stack")
        return self._stack[-1]

    def _to_mark(self) -> list[Any]:
        items: list[Any] = []
        while (item := self._pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def _name(self, module: Any, name: Any) -> Global:
        known = Global(*(each if isinstance(each, str) else "?" for each in (module, name)))
        self._found.names.append(known)
        return known

    def _call(self, what: Any, arguments: Any) -> None:
        self._found.calls.append(str(what) if isinstance(what, Global) else "?")
        self._stack.append(Called(what, arguments))

    # One method for each opcode that names, calls or remembers something.

    def _on_proto(self, _argument: Any) -> None:
        return None

    _on_frame = _on_proto
    _on_stop = _on_proto

    def _on_mark(self, _argument: Any) -> None:
        self._stack.append(_MARK)

    def _on_pop(self, _argument: Any) -> None:
        self._pop()

    def _on_pop_mark(self, _argument: Any) -> None:
        self._to_mark()

    def _on_dup(self, _argument: Any) -> None:
        self._stack.append(self._top())

    def _on_global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._stack.append(self._name(module, name))

    def _on_stack_global(self, _argument: Any) -> None:
        name, module = self._pop(), self._pop()
        self._stack.append(self._name(module, name))

    def _on_inst(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        arguments = self._to_mark()
        self._call(self._name(module, name), arguments)

    def _on_obj(self, _argument: Any) -> None:
        items = self._to_mark()
        self._call(items[0] if items else "?", items[1:])

    def _on_reduce(self, _argument: Any) -> None:
        arguments, what = self._pop(), self._pop()
        self._call(what, arguments)

    _on_newobj = _on_reduce

    def _on_newobj_ex(self, _argument: Any) -> None:
        self._pop()
        arguments, what = self._pop(), self._pop()
        self._call(what, arguments)

    def _on_ext1(self, argument: Any) -> None:
        # A number that stands for a name in a registry of the reading process: not known here.
        self._stack.append(self._name("copyreg", f"?extension {argument}"))

    _on_ext2 = _on_ext1
    _on_ext4 = _on_ext1

    def _on_persid(self, _argument: Any) -> None:
        self._stack.append(_VALUE)

    def _on_binpersid(self, _argument: Any) -> None:
        self._pop()
        self._stack.append(_VALUE)

    def _on_build(self, _argument: Any) -> None:
        state, made = self._pop(), self._top()
        if isinstance(made, Called):
            made.state.append(state)
            if isinstance(made.what, Global) and made.what.name == _JOBLIB_WRAPPER:
                self._step_over_array(state)
        elif isinstance(made, Global):
            # The attributes of an imported thing itself would be changed.
            self._found.calls.append(f"{made} (its attributes are set)")

    def _on_tuple(self, _argument: Any) -> None:
        self._stack.append(tuple(self._to_mark()))

    def _on_empty_tuple(self, _argument: Any) -> None:
        self._stack.append(())

    def _on_tuple1(self, _argument: Any) -> None:
        self._stack.append((self._pop(),))

    def _on_tuple2(self, _argument: Any) -> None:
        last, first = self._pop(), self._pop()
        self._stack.append((first, last))

    def _on_tuple3(self, _argument: Any) -> None:
        third, second, first = self._pop(), self._pop(), self._pop()
        self._stack.append((first, second, third))

    def _on_empty_dict(self, _argument: Any) -> None:
        self._stack.append({})

    def _on_setitem(self, _argument: Any) -> None:
        value, key = self._pop(), self._pop()
        self._keep(self._top(), [key, value])

    def _on_setitems(self, _argument: Any) -> None:
        items = self._to_mark()
        self._keep(self._top(), items)

    @staticmethod
    def _keep(known: Any, items: list[Any]) -> None:
        if isinstance(known, dict):
            known.update({k: v for k, v in zip(items[::2], items[1::2], strict=False) if isinstance(k, str)})

    def _on_memoize(self, _argument: Any) -> None:
        self._memo[len(self._memo)] = self._top()

    def _on_put(self, argument: Any) -> None:
        self._memo[argument] = self._top()

    _on_binput = _on_put
    _on_long_binput = _on_put

    def _on_get(self, argument: Any) -> None:
        if argument not in self._memo:
            raise _UnknownError(f"the memo has no entry {argument}")
        self._stack.append(self._memo[argument])

    _on_binget = _on_get
    _on_long_binget = _on_get

    def _step_over_array(self, state: Any) -> None:
        """Go past the bytes of the array that joblib writes after a wrapper's state."""
        if not isinstance(state, dict):
            raise _UnknownError("an array wrapper without a readable state")
        kind, size = _element(state.get("dtype"))
        shape = state.get("shape")
        if kind == "O":
            # The array's elements follow as a pickle of their own.
            _Reader(self._stream, self._size, self._found).read()
            return
        if size is None or not isinstance(shape, tuple) or not all(isinstance(n, int) for n in shape):
            raise _UnknownError("an array whose size is not told")
        count = 1
        for length in shape:
            count *= length
        if isinstance(state.get("numpy_array_alignment_bytes"), int):
            padding = self._stream.read(1)
            self._stream.seek(padding[0] if padding else 0, io.SEEK_CUR)
        if self._stream.tell() + count * size > self._size:
            raise _UnknownError("an array that is longer than the file")
        self._stream.seek(count * size, io.SEEK_CUR)


def _element(dtype: Any) -> tuple[str, int | None]:
    """Return the kind and the size in bytes of a dtype, as far as its pickle tells."""
    if not (isinstance(dtype, Called) and isinstance(dtype.arguments, tuple) and dtype.arguments):
        return "", None
    text = dtype.arguments[0]
    if not isinstance(text, str):
        return "", None
    text = text.lstrip("<>|=")
    if text[:1] == "O":
        return "O", None
    if text[:1] in _ARRAY_KINDS and text[1:].isdigit():
        return text[0], int(text[1:]) * (4 if text[0] == "U" else 1)
    return "", None
