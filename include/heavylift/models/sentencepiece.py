"""Tells files of SentencePiece, as tokenizers keep their pieces: messages of known fields, data alone."""

from __future__ import annotations

from typing import BinaryIO

from heavylift.models.protobuf import fields

_PARTS = frozenset({1, 2, 3, 4, 5})
"""Pieces, how they were trained, two normalisers, and a test of itself."""
_PIECE = {1: 2, 2: 5, 3: 0}
"""Field of a piece → how it is packed: its text, its score, its type."""
_ENOUGH = 4_000_000


def is_sentencepiece(stream: BinaryIO, size: int) -> bool:
    """Tell whether a file is a model of SentencePiece from its first byte to its last."""
    stream.seek(0)
    if stream.read(1) != b"\x0a":
        return False
    try:
        pieces = 0
        for part in fields(stream, 0, size):
            if part.number not in _PARTS or part.wire != 2:
                return False
            if part.number == 1:
                pieces += 1
                inner = {each.number: each.wire for each in fields(stream, part.begin, part.end)}
                if pieces > _ENOUGH or not {1: 2}.items() <= inner.items() <= _PIECE.items():
                    return False
    except ValueError:
        return False
    return pieces > 0
