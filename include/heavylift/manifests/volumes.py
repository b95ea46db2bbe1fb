"""What a claim of Kubernetes holds, copied by Jobs: to a bucket on the source, from the bucket on the target.

Made, not run: a claim can be read only where its cluster mounts it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from heavylift.errors import SpecError
from heavylift.manifests.reading import find_files, objects_in, read_file

MOUNT, WORK = "/volume", "/work"
VOLUME_CONNECTION, BUCKET_CONNECTION = "volume", "bucket"
_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_URL = re.compile(r"(?:s3|gs|az)://[^\s/]+(?:/[^\s]*)?")
_MOST_NAME, _MARK = 63, 8
_NOT_LABEL = re.compile(r"[^a-z0-9-]+")
CLAIMS, EVIDENCE = "claims/", "evidence/"
"""Below the bucket's prefix: what claims hold, and what proves it."""
_USER = 65532
_MOST_REPLICAS = 10_000
_NO_REPLICA = "its replicas do not tell how many claims it has had: set the number that it had"
_ONE_NODE = ("ReadWriteOnce", "ReadWriteOncePod")


@dataclass(frozen=True)
class VolumeAsk:
    """What the Jobs are made of.

    :param bucket: where data rests between the two: a prefix for each claim is made below it.
    :param image: a container image with Heavylift; of its registry both clusters must be able to pull.
    :param secret: name of the Secret whose key ``connection`` has the bucket's connection, as Airflow's JSON.
    :param user: numeric user that owns the files; the Job reads and writes as this one.
    """

    bucket: str
    image: str
    secret: str
    user: int = _USER
    migration: str = "volumes"


@dataclass(frozen=True)
class Claim:
    """A claim that manifests make.

    :param modes: its access modes.
    :param refused: why its data cannot be copied so.
    """

    namespace: str
    name: str
    modes: tuple[str, ...] = ()
    refused: str = ""

    @property
    def note(self) -> str:
        """What whoever applies its Job must know."""
        if self.refused or not any(each in _ONE_NODE for each in self.modes):
            return ""
        return "one node or pod alone may mount it: scale what uses it to zero before"


@dataclass
class VolumeJobs:
    """Jobs by file name, and what they are about.

    :param datasets: as a spec has them: bucket to bucket, between the clouds.
    """

    copies: dict[str, str] = field(default_factory=dict)
    restores: dict[str, str] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every claim got its Jobs."""
        return bool(self.claims) and not any(each.refused for each in self.claims)

    def as_document(self) -> dict[str, Any]:
        """Return what was made as plain JSON."""
        return {
            "passed": self.passed,
            "claims": [{**asdict(each), "note": each.note} for each in self.claims],
            "copies": sorted(self.copies),
            "restores": sorted(self.restores),
        }


def volume_jobs(paths: Sequence[Path], source: VolumeAsk, target: VolumeAsk) -> VolumeJobs:
    """Return the Jobs for every claim in the manifests below ``paths``; writes nothing.

    :param source: for the Jobs of the source's cluster, ``target`` for those of the target's.
    :raises SpecError: a manifest cannot be read, or what was asked for cannot be put into a Job.
    """
    for each in (source, target):
        demand_fit(each)
    done = VolumeJobs()
    for claim in claims_of(paths):
        done.claims.append(claim)
        if claim.refused:
            continue
        file = f"{claim.namespace}.{claim.name}.yaml"
        done.copies[file] = as_text(job_of(claim, source, restores=False))
        done.restores[file] = as_text(job_of(claim, target, restores=True))
    return done


def claims_of(paths: Sequence[Path]) -> list[Claim]:
    """Return every claim in manifests, those that stateful sets make included, each once, sorted.

    :raises SpecError: a manifest cannot be read.
    """
    found: dict[tuple[str, str], Claim] = {}
    for path, name in find_files(list(paths)):
        for chunk in read_file(path, name):
            for _, each in objects_in(chunk.data):
                for claim in _claims(each):
                    found.setdefault((claim.namespace, claim.name), claim)
    return [found[key] for key in sorted(found)]


def _claims(found: Mapping[str, Any]) -> Iterator[Claim]:
    metadata = _mapping(found.get("metadata"))
    namespace, name = str(metadata.get("namespace") or "default"), str(metadata.get("name") or "")
    spec = _mapping(found.get("spec"))
    if found.get("kind") == "PersistentVolumeClaim":
        yield _claim(namespace, name, spec)
    if found.get("kind") == "StatefulSet":
        replicas = spec.get("replicas")
        count = replicas if isinstance(replicas, int) else 1
        first = _mapping(spec.get("ordinals")).get("start")
        first = first if isinstance(first, int) else 0
        for template in spec.get("volumeClaimTemplates") or ():
            base = str(_mapping(_mapping(template).get("metadata")).get("name") or "")
            if not 0 < count <= _MOST_REPLICAS:
                yield Claim(namespace, f"{base}-{name}-*", refused=_NO_REPLICA)
                continue
            for number in range(first, first + count):
                # The names that Kubernetes gives them.
                yield _claim(namespace, f"{base}-{name}-{number}", _mapping(_mapping(template).get("spec")))


def _claim(namespace: str, name: str, spec: Mapping[str, Any]) -> Claim:
    modes = tuple(str(each) for each in spec.get("accessModes") or ())
    refused = ""
    if spec.get("volumeMode") == "Block":
        refused = "it is a raw device without a file system: copy a snapshot of its disk"
    elif not _LABEL.fullmatch(namespace) or not all(_LABEL.fullmatch(each) for each in name.split(".")):
        refused = "its name or namespace is none of Kubernetes'"
    return Claim(namespace, name, modes, refused)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def job_of(claim: Claim, asked: VolumeAsk, *, restores: bool) -> dict[str, Any]:
    """Return the Job that copies a claim to the bucket, or from there; the same claim gives the same Job."""
    word = "restore" if restores else "copy"
    place = place_of(claim, asked)
    volume = {"name": "volume", "persistentVolumeClaim": {"claimName": claim.name, "readOnly": not restores}}
    container = {
        "name": word,
        "image": asked.image,
        # The end of its log is then part of the pod's status, for whoever asks why it failed.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "command": command(claim, asked, place, restores=restores),
        "workingDir": WORK,
        "env": [
            {"name": "HOME", "value": WORK},
            {"name": "AIRFLOW_CONN_VOLUME", "value": json.dumps({"conn_type": "file"})},
            {
                "name": "AIRFLOW_CONN_BUCKET",
                "valueFrom": {"secretKeyRef": {"name": asked.secret, "key": "connection"}},
            },
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [
            {"name": "volume", "mountPath": MOUNT, "readOnly": not restores},
            {"name": "work", "mountPath": WORK},
            {"name": "temporary", "mountPath": "/tmp"},  # noqa: S108 - in a container of its own
        ],
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": _user(asked.user, restores=restores),
        "containers": [container],
        "volumes": [
            volume,
            {"name": "work", "emptyDir": {}},
            {"name": "temporary", "emptyDir": {}},
        ],
    }
    labels = {"app.kubernetes.io/managed-by": "heavylift", "heavylift/claim": _short(claim.name)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": _short(f"heavylift-{word}-{claim.name}"),
            "namespace": claim.namespace,
            "labels": labels,
        },
        # A pod that ends early is followed by another: it does only the rest.
        "spec": {"backoffLimit": 6, "template": {"metadata": {"labels": dict(labels)}, "spec": pod}},
    }


def _user(user: int, *, restores: bool) -> dict[str, Any]:
    profile = {"type": "RuntimeDefault"}
    found: dict[str, Any] = {"runAsUser": user, "runAsGroup": user, "seccompProfile": profile}
    if user:
        found["runAsNonRoot"] = True
    if restores and user:
        found["fsGroup"] = user
    return found


def command(claim: Claim, asked: VolumeAsk, place: str, *, restores: bool) -> list[str]:
    """Return what a Job's container runs: the object mover, from the volume or into it."""
    sides = (place, f"file://{MOUNT}/") if restores else (f"file://{MOUNT}/", place)
    conns = (BUCKET_CONNECTION, VOLUME_CONNECTION)
    source, target = conns if restores else (conns[1], conns[0])
    return [
        *("python", "-m", "heavylift", "objects", "copy", *sides),
        *("--source-conn", source, "--target-conn", target),
        *("--evidence", f"{asked.bucket.rstrip('/')}/{EVIDENCE}", "--evidence-conn", BUCKET_CONNECTION),
        *("--migration", migration_of(claim, asked)),
        # What ext4 makes in the root of a file system; nobody but root may read it.
        *("--exclude", "/lost+found/**", "--no-wait"),
        # Programs in a volume shall stay such. Only root may give files to others.
        *("--posix", "time", "--posix", "mode", *(() if asked.user else ("--posix", "owner"))),
    ]


def place_of(claim: Claim, asked: VolumeAsk) -> str:
    """Return where below the bucket a claim's content rests."""
    return f"{asked.bucket.rstrip('/')}/{CLAIMS}{claim.namespace}/{claim.name}/"


def migration_of(claim: Claim, asked: VolumeAsk) -> str:
    """Return the migration under which the copies of a claim keep their evidence below the bucket."""
    # A namespace has no dot: no two claims share a name, however they are cut up.
    return _short(f"{asked.migration}.{claim.namespace}.{claim.name}")


def _short(name: str) -> str:
    """Return a label that tells two names apart, also where both begin alike or differ in a dot."""
    fitting = _NOT_LABEL.sub("-", name.lower()).strip("-")
    if fitting == name and len(name) <= _MOST_NAME:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:_MARK]
    return f"{fitting[: _MOST_NAME - _MARK - 1].strip('-')}-{mark}"


def as_text(document: Mapping[str, Any]) -> str:
    """Return a document as YAML."""
    return yaml.safe_dump(dict(document), sort_keys=False, width=200)


def demand_fit(asked: VolumeAsk) -> None:
    """Demand that a Job can be made of what was asked for.

    :raises SpecError: it cannot.
    """
    wrong = ""
    if not _URL.fullmatch(asked.bucket):
        wrong = f"{asked.bucket!r:.120} as a bucket; s3://, gs:// or az:// with a prefix"
    elif not asked.image or re.search(r"\s", asked.image):
        wrong = f"{asked.image!r:.120} as an image; the name of a container image with Heavylift"
    elif not _LABEL.fullmatch(asked.secret):
        wrong = f"{asked.secret!r:.120} as the name of a Secret; small letters, digits and -"
    if wrong:
        got, _, expected = wrong.partition("; ")
        raise SpecError(
            "making Jobs for volumes",
            got=got,
            expected=expected,
            state="nothing was written",
            remedy="correct the option",
            code="9176",
        )
