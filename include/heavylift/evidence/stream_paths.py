"""Where the evidence about streams lies in a run's folder.

A stream and a dataset may have the same name, so streams have a folder of their own; its name is none
that a dataset can have, since ``~`` in a name is encoded.
"""

from __future__ import annotations

from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import RunKey

STREAMS_FOLDER = "~streams"


def stream_folder(run: RunKey, stream: str) -> str:
    """Return the folder of one stream in a run."""
    return f"{run.folder}/{STREAMS_FOLDER}/{safe_segment(stream)}"


def stream_plan_path(run: RunKey, stream: str, number: int) -> str:
    """Return the path of a stream's ``number``-th :class:`StreamPlanRecord`, from 1."""
    return f"{stream_folder(run, stream)}/plan-{number}.json"


def stream_mirror_path(run: RunKey, stream: str, number: int) -> str:
    """Return the path of the :class:`StreamMirrorRecord` of a stream's ``number``-th attempt, from 1."""
    return f"{stream_folder(run, stream)}/mirror-{number}.json"


def stream_verification_path(run: RunKey, stream: str, number: int) -> str:
    """Return the path of a stream's ``number``-th :class:`StreamVerificationRecord`, from 1."""
    return f"{stream_folder(run, stream)}/stream-verification-{number}.json"


def stream_groups_path(run: RunKey, stream: str, number: int) -> str:
    """Return the path of a stream's ``number``-th :class:`StreamGroupsRecord`, from 1."""
    return f"{stream_folder(run, stream)}/groups-{number}.json"
