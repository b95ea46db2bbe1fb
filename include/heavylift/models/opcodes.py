"""Reads a pickle's instructions without carrying any of them out.

A pickle is a program. What it can do to whoever loads it is decided by the globals that it names and by
what it calls; both can be read off its opcodes. Values are followed just far enough to know every name,
also where it is put together from texts that lie in the memo, and to step over the bare bytes of arrays
that joblib writes between the opcodes.
"""

from __future__ import annotations

import pickletools
import re
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from heavylift.models.joblib_arrays import WRAPPER, Places, element_of, step_over
from heavylift.models.raw_memory import hides_objects, is_over_bytes
from heavylift.models.tokens import VALUE as _VALUE
from heavylift.models.tokens import UnreadableError, tokens

_RECONSTRUCTOR = "_reconstructor"
_LONGEST_NAME = 1000
_TORCH_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_TORCH_PROGRAMS = 5
"""So many pickles stand before the tensors' bytes in a file of PyTorch before 1.6."""
_IDENTIFIER = re.compile(r"[A-Za-z_][\w.]*\Z")
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
    :param rest: bytes after the last of them, which nobody has read.
    :param arrays: of joblib that were stepped over.
    """

    names: list[Global] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    problem: str = ""
    programs: int = 0
    opcodes: int = 0
    rest: int = 0
    arrays: int = 0

    @property
    def acts(self) -> bool:
        """It names what could be imported, and calls it."""
        return bool(self.calls) and any(_IDENTIFIER.match(each.module) for each in self.names)


_MARK = object()


def read_program(stream: BinaryIO, size: int) -> PickleProgram:
    """Read all pickles from where ``stream`` stands; nothing of them is imported or called.

    Where joblib has put arrays between the opcodes, pickle itself would carry their bytes out: both ways are
    read.

    :param size: of the whole stream, in bytes.
    """
    begin = stream.tell()
    found = _read_all(stream, size, joblib=True)
    if found.arrays:
        stream.seek(begin)
        _add(found, _read_all(stream, size, joblib=False))
    return found


def _add(found: PickleProgram, other: PickleProgram) -> None:
    """Add what another reading of the same bytes has met, as far as it can be the name of anything."""
    known = set(found.names)
    found.names += [
        each
        for each in other.names
        if each not in known and _IDENTIFIER.match(each.module) and _IDENTIFIER.match(each.name)
    ]


def _read_all(stream: BinaryIO, size: int, *, joblib: bool) -> PickleProgram:
    found = PickleProgram()
    begin = stream.tell()
    of_torch = stream.read(len(_TORCH_MAGIC)) == _TORCH_MAGIC
    stream.seek(begin)
    while stream.tell() < size and not found.problem:
        found.problem = _read_one(stream, size, found, joblib)
        if found.problem:
            break
        found.programs += 1
        if of_torch and found.programs == _TORCH_PROGRAMS:
            break
        at = stream.tell()
        following = stream.read(64)
        stream.seek(at)
        # Whoever loads the file may load it more than once.
        if following[:1] != b"\x80":
            found.rest = size - at if following.strip() else 0
            behind = PickleProgram()
            _read_one(stream, size, behind, joblib)
            if behind.acts:
                _add(found, behind)
            break
    return found


def _read_one(stream: BinaryIO, size: int, found: PickleProgram, joblib: bool) -> str:
    """Read one pickle; return why it could not be read to its end, or nothing."""
    try:
        _Reader(stream, size, found, joblib).read()
    except UnreadableError as error:
        return str(error)
    # Bad input is refused by whatever its parts happen to raise.
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {str(error)[:120]}"
    return ""


class _Reader:
    """Follows one pickle from its first opcode to its STOP."""

    def __init__(self, stream: BinaryIO, size: int, found: PickleProgram, joblib: bool) -> None:
        self._joblib = joblib
        self._stream = stream
        self._size = size
        self._found = found
        self._stack: list[Any] = []
        self._memo: dict[Any, Any] = {}
        self._places = Places()

    def read(self) -> None:
        """Read to STOP."""
        for name, argument in tokens(self._stream, self._size):
            self._found.opcodes += 1
            if self._found.opcodes > _MAX_OPCODES:
                raise UnreadableError(f"more than {_MAX_OPCODES} opcodes")
            self._take(name, argument)

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
            raise UnreadableError("an opcode takes more than the stack has")
        return self._stack.pop()

    def _top(self) -> Any:
        if not self._stack:
            raise UnreadableError("an opcode looks at an empty stack")
        return self._stack[-1]

    def _to_mark(self) -> list[Any]:
        items: list[Any] = []
        while (item := self._pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def _name(self, module: Any, name: Any) -> Global:
        parts = (module, name)
        known = Global(
            *(each if isinstance(each, str) and len(each) <= _LONGEST_NAME else "?" for each in parts)
        )
        self._found.names.append(known)
        self._places.named(known.name)
        return known

    def _call(self, what: Any, arguments: Any) -> None:
        self._found.calls.append(str(what) if isinstance(what, Global) else "?")
        if is_over_bytes(what, arguments):
            self._found.calls.append(f"{what} (its bytes are set)")
        self._stack.append(Called(what, arguments))
        if self._kind_of(what, arguments):
            self._places.made(self._top(), arguments)

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
        self._again(self._top())

    def _again(self, item: Any) -> None:
        self._places.fetched(item, item.name if isinstance(item, Global) else "")
        self._stack.append(item)

    def _on_global(self, argument: tuple[Any, Any]) -> None:
        module, name = argument
        self._stack.append(self._name(module, name))

    def _on_stack_global(self, _argument: Any) -> None:
        name, module = self._pop(), self._pop()
        self._stack.append(self._name(module, name))

    def _on_inst(self, argument: tuple[Any, Any]) -> None:
        module, name = argument
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
        named = self._pop()
        arguments, what = self._pop(), self._pop()
        # What has a name may stand in any place.
        self._call(what, arguments if named == {} else _VALUE)

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

    def _on_none(self, _argument: Any) -> None:
        self._stack.append(None)

    def _on_build(self, _argument: Any) -> None:
        state, made = self._pop(), self._top()
        if isinstance(made, Called):
            if hides_objects(made, state):
                self._found.calls.append("numpy.dtype (its flags are set)")
            made.state.append(state)
            if self._joblib and self._places.is_one(made, self._stack):
                self._step_over_array(state)
                # From here on joblib has the array there.
                self._stack[-1] = Called(_VALUE, ())
        elif isinstance(made, Global):
            # The attributes of an imported thing itself would be changed.
            self._found.calls.append(f"{made} (its attributes are set)")

    @staticmethod
    def _kind_of(what: Any, arguments: Any) -> bool:
        """Tell whether a call makes what joblib takes for an array's place."""
        if isinstance(what, Global) and what.name == _RECONSTRUCTOR:
            what = arguments[0] if isinstance(arguments, tuple) and arguments else None
        return isinstance(what, Global) and WRAPPER in what.name

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

    def _on_dict(self, _argument: Any) -> None:
        items = self._to_mark()
        self._stack.append({})
        self._keep(self._top(), items)

    def _on_setitem(self, _argument: Any) -> None:
        value, key = self._pop(), self._pop()
        self._keep(self._top(), [key, value])

    def _on_setitems(self, _argument: Any) -> None:
        items = self._to_mark()
        self._keep(self._top(), items)

    @staticmethod
    def _keep(known: Any, items: list[Any]) -> None:
        if isinstance(known, dict):
            # A key that is not known may be any.
            pairs = zip(items[::2], items[1::2], strict=False)
            known.update({k if isinstance(k, str) else _VALUE: v for k, v in pairs})

    def _on_memoize(self, _argument: Any) -> None:
        self._memo[len(self._memo)] = self._top()

    def _on_put(self, argument: Any) -> None:
        self._memo[argument] = self._top()

    _on_binput = _on_put
    _on_long_binput = _on_put

    def _on_get(self, argument: Any) -> None:
        if argument not in self._memo:
            raise UnreadableError(f"the memo has no entry {argument}")
        self._again(self._memo[argument])

    _on_binget = _on_get
    _on_long_binget = _on_get

    def _step_over_array(self, state: Any) -> None:
        """Go past the bytes of the array that joblib writes after a wrapper's state."""
        self._found.arrays += 1
        element = element_of(state)
        if element.is_object:
            # The array's elements follow as a pickle of their own, which joblib has pickle read.
            _Reader(self._stream, self._size, self._found, joblib=False).read()
        else:
            step_over(self._stream, self._size, state, element)
