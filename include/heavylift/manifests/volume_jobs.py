"""Jobs of a cluster that copy what claims hold: made where they are not there, and looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import CredentialError, HeavyliftError, NotFoundError, PreconditionError
from heavylift.evidence.canonical import canonical_json, sha256_hex
from heavylift.manifests.volumes import Claim
from heavylift.platforms.kubernetes.changing import kubernetes_changes
from heavylift.spec.secrets import holds_secret

DIGEST = "heavylift/digest"
_SHOWN = 400


class JobState(StrEnum):
    """Where a Job stands."""

    MISSING = "missing"
    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True)
class SeenJob:
    """A Job as its cluster tells of it.

    :param why: of one that failed: what its condition and its last container say.
    """

    namespace: str
    name: str
    state: JobState
    why: str = ""


class ClusterJobs:
    """The Jobs of one cluster; close it when done.

    :param side: ``source`` or ``target``, for messages.
    """

    def __init__(self, connection: Connection, side: str) -> None:
        self._api = kubernetes_changes(connection)
        self._side, self._conn_id = side, connection.conn_id

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def look(self, job: Mapping[str, Any]) -> SeenJob:
        """Return where a Job stands that :meth:`start` made, or will make.

        :raises PreconditionError: a Job of its name is there that is not this one.
        :raises CredentialError: the connection may not look.
        """
        namespace, name = _names(job)
        try:
            found = await self._ask("GET", f"apis/batch/v1/namespaces/{namespace}/jobs/{name}")
        except NotFoundError:
            return SeenJob(namespace, name, JobState.MISSING)
        marks = (found.get("metadata") or {}).get("annotations") or {}
        if marks.get(DIGEST) != digest_of(job):
            raise _another(self._side, namespace, name)
        return await self._seen(namespace, name, found)

    async def start(self, job: Mapping[str, Any], claim: Claim) -> SeenJob:
        """Create a Job whose claim is there, and return where it stands; one that is there stays as it is.

        :raises NotFoundError: its claim is not there: a Job would wait for it in silence.
        :raises CredentialError: the connection may not create it.
        """
        namespace, name = _names(job)
        try:
            await self._ask("GET", f"api/v1/namespaces/{namespace}/persistentvolumeclaims/{claim.name}")
        except NotFoundError:
            raise _no_claim(self._side, claim) from None
        meta = {**job["metadata"], "annotations": {DIGEST: digest_of(job)}}
        try:
            await self._ask("POST", f"apis/batch/v1/namespaces/{namespace}/jobs", {**job, "metadata": meta})
        except PreconditionError:
            # Somebody was faster, or the answer to our own request got lost.
            return await self.look(job)
        return SeenJob(namespace, name, JobState.RUNNING)

    async def _seen(self, namespace: str, name: str, found: Mapping[str, Any]) -> SeenJob:
        for each in (found.get("status") or {}).get("conditions") or ():
            if each.get("status") != "True":
                continue
            if each.get("type") == "Complete":
                return SeenJob(namespace, name, JobState.COMPLETE)
            if each.get("type") == "Failed":
                told = " ".join(str(each.get(key) or "") for key in ("reason", "message")).strip()
                why = f"{told}; {await self._last_words(namespace, name)}"
                return SeenJob(namespace, name, JobState.FAILED, why)
        return SeenJob(namespace, name, JobState.RUNNING)

    async def _last_words(self, namespace: str, name: str) -> str:
        try:
            answer = await self._api.get(
                f"api/v1/namespaces/{namespace}/pods", {"labelSelector": f"job-name={name}"}
            )
        except CredentialError:
            return "its pods may not be listed: no log"
        except HeavyliftError as error:
            return f"its pods could not be listed (HL-{error.code}): no log"
        ended = [
            state["terminated"]
            for pod in answer.get("items") or ()
            for each in (pod.get("status") or {}).get("containerStatuses") or ()
            if isinstance(state := each.get("state"), Mapping) and state.get("terminated")
        ]
        if not ended:
            return "no container of it has ended"
        last = max(ended, key=lambda each: str(each.get("finishedAt") or ""))
        words = " ".join(str(last.get("message") or last.get("reason") or "").split())[-_SHOWN:]
        # What other programs print is not ours to trust.
        words = "(its log's end looks like a secret and is not shown)" if holds_secret(words) else words
        return f"exit code {last.get('exitCode')}: {words}"

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        try:
            if body is None:
                return await self._api.get(path)
            return await self._api.change(method, path, body)
        except CredentialError as error:
            raise _may_not(self._side, self._conn_id, f"{method} {path}", error.got) from None


async def is_running(connection: Connection, job: str) -> bool:
    """Tell whether a Job, as ``namespace/name``, has neither ended nor been deleted.

    :raises CredentialError: the connection may not look.
    """
    namespace, _, name = job.partition("/")
    api = kubernetes_changes(connection)
    try:
        found = await api.get(f"apis/batch/v1/namespaces/{namespace}/jobs/{name}")
    except NotFoundError:
        return False
    finally:
        await api.close()
    conditions = (found.get("status") or {}).get("conditions") or ()
    return not any(
        each.get("type") in ("Complete", "Failed") and each.get("status") == "True" for each in conditions
    )


def digest_of(job: Mapping[str, Any]) -> str:
    """Return what tells a Job from another of its name."""
    return sha256_hex(canonical_json({"spec": job["spec"]}))[:32]


def _names(job: Mapping[str, Any]) -> tuple[str, str]:
    return str(job["metadata"]["namespace"]), str(job["metadata"]["name"])


def _another(side: str, namespace: str, name: str) -> HeavyliftError:
    return PreconditionError(
        f"looking at the Job {namespace}/{name} of the {side}",
        got="a Job of that name with other content: made by hand, or before image, bucket or user changed",
        expected="the Job that the spec makes now, or none",
        state="it was left as it is",
        remedy="see that it has ended, delete it (kubectl delete job), and clear this task",
        code="9371",
    )


def _no_claim(side: str, claim: Claim) -> HeavyliftError:
    return NotFoundError(
        f"copying the claim {claim.namespace}/{claim.name} of the {side}",
        got="no such claim in that cluster",
        expected="the claim, for a Job without it waits for ever",
        state="no Job was made for it; those of other claims go on",
        remedy="apply the manifest that makes the claim, or take it out, and clear this task",
        code="9372",
    )


def _may_not(side: str, conn_id: str, act: str, got: str) -> HeavyliftError:
    return CredentialError(
        f"{act} on the cluster of the {side}, with connection {conn_id!r}",
        got=got,
        expected="get and create of jobs (batch), get of persistentvolumeclaims and list of pods in the"
        " namespaces of the claims",
        state="nothing was changed by this request; Jobs that were made go on",
        remedy="give the connection's identity a Role with these verbs, and clear this task",
        code="9373",
    )
