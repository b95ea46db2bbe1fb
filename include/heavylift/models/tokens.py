"""Cuts a pickle into opcodes and their arguments, never more strictly than whoever loads it.

Python's own ``pickletools`` refuses some arguments that ``pickle`` takes, such as ``I0x10``: what stopped
here and went on there would hide all that follows. So an argument that cannot be read is a value that is
not known. Long bytes and texts are passed by, and never held.
"""

from __future__ import annotations

import codecs
import io
import pickletools
import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

VALUE = object()
"""Some value that is of no interest, or not known."""
MOST_TEXT = 2**16
"""Bytes of a text that is held: no name is longer."""
_BY_CODE = {each.code.encode("latin-1"): each for each in pickletools.opcodes}


class UnreadableError(Exception):
    """The pickle cannot be followed any further."""


def tokens(stream: BinaryIO, size: int) -> Iterator[tuple[str, Any]]:
    """Yield the name and the argument of each opcode up to STOP.

    :param size: of the whole stream, in bytes.
    :raises UnreadableError: what comes next is no opcode, or the file ends.
    """
    while True:
        code = stream.read(1)
        opcode = _BY_CODE.get(code)
        if opcode is None:
            raise UnreadableError(f"no opcode begins with byte {code.hex()}" if code else "it has no end")
        argument = None
        if opcode.name in _LINES:
            argument = _LINES[opcode.name](stream)
        elif opcode.name in _LONG:
            argument = _long(stream, size, *_LONG[opcode.name])
        elif opcode.arg is not None:
            try:
                argument = opcode.arg.reader(stream)
            except (ValueError, OverflowError) as error:
                raise UnreadableError(f"{opcode.name}: {str(error)[:100]}") from error
        yield opcode.name, argument
        if opcode.name == "STOP":
            return


def _line(stream: BinaryIO) -> bytes | None:
    """Return a line without its end; None where it is too long to be held."""
    line = stream.readline(MOST_TEXT)
    if line.endswith(b"\n"):
        return line[:-1]
    longer = bool(line)
    while line and not line.endswith(b"\n"):
        line = stream.readline(MOST_TEXT)
    return None if longer else b""


def _number(stream: BinaryIO) -> Any:
    line = _line(stream)
    for base in (0, 10):
        try:
            return int((line or b"").strip().rstrip(b"L"), base)
        except ValueError:
            continue
    return VALUE


def _anything(stream: BinaryIO) -> Any:
    _line(stream)
    return VALUE


def _quoted(stream: BinaryIO) -> Any:
    line = (_line(stream) or b"").strip()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in {b"'", b'"'}:
        return VALUE
    try:
        # What pickle does with the text between the quotes.
        return codecs.escape_decode(line[1:-1])[0].decode("latin-1")
    except ValueError:
        return VALUE


def _escaped(stream: BinaryIO) -> Any:
    line = _line(stream)
    try:
        return VALUE if line is None else str(line, "raw-unicode-escape")
    except ValueError:
        return VALUE


def _pair(stream: BinaryIO) -> tuple[Any, Any]:
    module, name = _line(stream), _line(stream)
    return tuple(VALUE if each is None else each.decode("utf-8", "replace") for each in (module, name))  # type: ignore[return-value]


_LINES: dict[str, Callable[[BinaryIO], Any]] = {
    "INT": _number, "LONG": _number, "GET": _number, "PUT": _number, "FLOAT": _anything, "STRING": _quoted,
    "UNICODE": _escaped, "PERSID": _anything, "GLOBAL": _pair, "INST": _pair,
}  # fmt: skip
_LONG = {
    "BINBYTES": ("<I", ""), "BINBYTES8": ("<Q", ""), "BYTEARRAY8": ("<Q", ""), "SHORT_BINBYTES": ("<B", ""),
    "BINSTRING": ("<i", "latin-1"), "SHORT_BINSTRING": ("<B", "latin-1"),
    "BINUNICODE": ("<I", "utf-8"), "BINUNICODE8": ("<Q", "utf-8"), "SHORT_BINUNICODE": ("<B", "utf-8"),
    "LONG4": ("<i", ""),
}  # fmt: skip
"""Opcode → how its length is packed, and the encoding of a text."""


def _long(stream: BinaryIO, size: int, form: str, encoding: str) -> Any:
    width = struct.calcsize(form)
    packed = stream.read(width)
    if len(packed) < width:
        raise UnreadableError("it has no end")
    (length,) = struct.unpack(form, packed)
    if length < 0 or stream.tell() + length > size:
        raise UnreadableError("a value that is longer than the file")
    if not encoding or length > MOST_TEXT:
        stream.seek(length, io.SEEK_CUR)
        return VALUE
    try:
        return stream.read(length).decode(encoding, "surrogatepass" if encoding == "utf-8" else "strict")
    except ValueError as error:
        raise UnreadableError("a text that is none") from error
