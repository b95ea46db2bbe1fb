"""COPY from server to server, as :mod:`heavylift.platforms.postgresql` streams it."""

from heavylift.platforms.postgresql.pipe import CHUNK, Piped, pipe

__all__ = ["CHUNK", "Piped", "pipe"]
