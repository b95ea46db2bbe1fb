"""The mounted device: the right folder, the right device, nobody else at it.

At its root lies ``heavylift/``: ``device.json`` says which device of which run this is and which
filling, ``lock`` keeps a second process away, ``load.json`` and ``load-manifest.parquet`` travel
with the objects, which lie in the data folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from heavylift.errors import ConflictError, NotFoundError, PermanentError
from heavylift.locations import Location, parse_location
from heavylift.objects.appliances.requests import ApplianceRequest
from heavylift.platforms.local.names import is_own_name
from heavylift.spec.appliances import OWN_FOLDER

MARKER, LOCK, LOAD, MANIFEST = "device.json", "lock", "load.json", "load-manifest.parquet"


@dataclass(frozen=True)
class Mount:
    """A device that is mounted here.

    :param root: the mount point.
    :param data: the folder that the provider ingests.
    :param load_id: of this filling of the device.
    """

    root: Path
    data: Path
    load_id: str

    @property
    def own(self) -> Path:
        """The folder of what Heavylift keeps on the device beside the objects."""
        return self.root / OWN_FOLDER

    @property
    def location(self) -> Location:
        """The data folder as a place in a store."""
        return Location("file", str(self.data))


def mount_point(request: ApplianceRequest, mounted_at: str) -> Path:
    """Return where a device is mounted: one plain name below the spec's ``mount``.

    :raises PermanentError: the name leads elsewhere.
    """
    name = mounted_at.strip()
    if name in {"", ".", ".."} or "/" in name or "\0" in name or len(name.encode()) > 255:
        raise PermanentError(
            f"looking for the device below {request.appliance.mount}",
            got=f"the name {mounted_at[:100]!r}",
            expected="the name of one folder directly below the spec's mount",
            state="nothing was touched",
            remedy="mount the device below the spec's mount and give that folder's name",
            code="5720",
        )
    return Path(parse_location(request.appliance.mount).container) / name


@contextmanager
def mounted(
    request: ApplianceRequest, device: str, serial: str, mounted_at: str, *, fill: bool = False
) -> Iterator[Mount]:
    """Make sure that the device is there and is the one meant, and hold it for the block.

    :param fill: a device that is new is marked as this one; otherwise that is an error.
    :raises NotFoundError: nothing is mounted there, or a device without a marker.
    :raises ConflictError: it is another device, or another process works on it.
    """
    root = mount_point(request, mounted_at)
    _demand_mount(request, root)
    own = root / OWN_FOLDER
    if fill:
        own.mkdir(exist_ok=True)
    try:
        lock = os.open(own / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except FileNotFoundError as error:
        raise _no_marker(root, device) from error
    try:
        _hold(lock, root)
        load_id = _identify(request, device, serial, own, fill=fill)
        data = root / request.appliance.folder
        if fill:
            data.mkdir(parents=True, exist_ok=True)
        yield Mount(root, data, load_id)
    finally:
        os.close(lock)


def free_bytes(mount: Mount) -> int:
    """Return the bytes that an ordinary user can still write to the device."""
    found = os.statvfs(mount.root)
    return found.f_bavail * found.f_frsize


def write_beside(mount: Mount, name: str, content: Path | bytes) -> None:
    """Put a file into the device's own folder, whole or not at all, replacing an older one."""
    draft = mount.own / f"{name}.{uuid.uuid4().hex}.tmp"
    try:
        if isinstance(content, bytes):
            draft.write_bytes(content)
        else:
            shutil.copyfile(content, draft)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(mount.own / name)
    finally:
        draft.unlink(missing_ok=True)


def clean_leftovers(mount: Mount) -> int:
    """Delete what killed writers left below the data folder, and return how many there were.

    A provider would ingest such files as objects. Only for who holds the device.
    """
    found = 0
    for folder, folders, files in os.walk(mount.data, followlinks=False):
        for name in [name for name in folders if is_own_name(name)]:
            shutil.rmtree(Path(folder) / name)
            folders.remove(name)
            found += 1
        for name in filter(is_own_name, files):
            (Path(folder) / name).unlink()
            found += 1
    return found


def _demand_mount(request: ApplianceRequest, root: Path) -> None:
    if root.is_symlink() or not root.is_dir():
        got, code = "no folder there", "5721"
    elif request.appliance.require_mount_point and not os.path.ismount(root):
        got, code = "a folder that is no mount point, so a part of this machine's own disk", "5722"
    else:
        return
    raise NotFoundError(
        f"looking for the device at {root}",
        got=got,
        expected="the mounted device",
        state="nothing was touched",
        remedy="mount the device there; a folder that stands for one needs require_mount_point: false",
        code=code,
    )


def _hold(lock: int, root: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConflictError(
            f"work on the device at {root}",
            got="another process of Heavylift at work on it",
            expected="one at a time",
            state="this process did nothing; the other goes on",
            remedy="let the other one finish, or end it; then run again",
            code="5723",
        ) from error


def _identify(request: ApplianceRequest, device: str, serial: str, own: Path, *, fill: bool) -> str:
    meant = {
        "migration": request.run.migration,
        "run": request.run.run,
        "dataset": request.dataset,
        "device": device,
        "serial": serial,
    }
    marker = own / MARKER
    if not marker.is_file():
        if not fill:
            raise _no_marker(own.parent, device)
        draft = own / f"{MARKER}.{uuid.uuid4().hex}.tmp"
        draft.write_text(json.dumps({**meant, "load_id": uuid.uuid4().hex}, indent=2), encoding="utf-8")
        draft.replace(marker)
    found = _read_marker(marker)
    there = {name: found.get(name) for name in meant}
    if there == meant and str(found.get("load_id", "")).isalnum():
        return str(found["load_id"])
    raise ConflictError(
        f"work on the device at {own.parent}",
        got=f"a device that says that it is {there}",
        expected=f"{meant}",
        state="nothing on the device was touched",
        remedy=f"mount the right device; if this one is to be used anew, empty it, {OWN_FOLDER}/ too",
        code="5724",
    )


def _read_marker(marker: Path) -> dict[str, object]:
    try:
        found = json.loads(marker.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _no_marker(root: Path, device: str) -> NotFoundError:
    return NotFoundError(
        f"looking for device {device} at {root}",
        got=f"no {OWN_FOLDER}/{MARKER}",
        expected="the device as it was loaded",
        state="nothing was touched",
        remedy="mount the device that was loaded",
        code="5725",
    )
