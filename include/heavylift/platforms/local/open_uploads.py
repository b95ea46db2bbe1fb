"""The uploads in parts that a folder still holds hidden folders of; see ``uploads``."""

from __future__ import annotations

import os
from collections.abc import Iterator

from heavylift.platforms.local.faults import read_faults
from heavylift.platforms.local.names import is_own_name
from heavylift.platforms.open_uploads import OpenUpload

_KIND = ".upload"


def open_uploads(root: str, prefix: str, what: str) -> Iterator[list[OpenUpload]]:
    """Yield the uploads below the folder that ``prefix`` leads to, folder by folder; follows no link.

    :raises CredentialError: a folder may not be read.
    """

    def refuse(error: OSError) -> None:
        raise error

    top = os.path.join(root, prefix.rpartition("/")[0])
    with read_faults(what):
        for folder, folders, _files in os.walk(top, onerror=refuse):
            hidden = [name for name in folders if is_own_name(name) and name.endswith(_KIND)]
            folders[:] = [name for name in folders if name not in hidden]
            if hidden:
                yield [_upload(root, folder, name) for name in hidden]


def _upload(root: str, folder: str, name: str) -> OpenUpload:
    token = name.removeprefix(".heavylift-").removesuffix(_KIND)
    return OpenUpload(token, os.path.relpath(os.path.join(folder, name), root))
