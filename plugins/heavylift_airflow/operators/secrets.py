"""Operators of secrets: copy them to the target's store, compare both sides; neither shows any value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.base import HeavyliftOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.secret_records import SecretsRecord
    from heavylift.secrets.requests import SecretsRequest
    from heavylift_airflow.context import TaskFrame

MAX_NAMED = 20


class CopySecretsOperator(HeavyliftOperator):
    """Copies the secrets of the spec to the target's store, and compares each there.

    Idempotency: what is equal on both sides stays as it is; after a kill the next try does only the rest.
    Another value on the target that Heavylift did not write is left, unless ``secrets.conflict`` says
    new_version. A value stands in no log, XCom, error or file.

    :return: ``{"found", "created", "updated", "equal", "skipped", "failed", "planned", "digest"}``.
    :raises SpecError: the spec has no section ``secrets``.
    :raises CredentialError: a side refuses the credentials.
    :raises IncompleteError: a secret is not proved; the first are named.
    """

    writes = True

    def execute(self, context: Context) -> dict[str, Any]:
        """Copy, note it in the audit trail, and fail where a secret is not proved."""
        from heavylift.secrets.api import copy_secrets

        frame = self.moving_frame(context)
        if frame.options.destroy:
            raise AirflowSkipException("a run that destroys moves no secrets, and takes none away")
        return self._carried(frame, copy_secrets, "copy of secrets")

    def _carried(self, frame: TaskFrame, act: Any, title: str) -> dict[str, Any]:
        from heavylift.secrets.api import require_all

        record = self.work.run(self._kept(frame, act), title)
        for each in [each for each in record.rows if each.reason][:MAX_NAMED]:
            self.log.warning("%s: %s: %s. To fix: %s", each.source, each.outcome, each.reason, each.remedy)
        found = {**record.counts, "digest": record.digest}
        self.log.info("%s", found)
        require_all(record)
        return found

    async def _kept(self, frame: TaskFrame, act: Any) -> SecretsRecord:
        from heavylift.secrets.keeping import keep_secrets, note_begin

        async with self.evidence(frame) as store:
            attempt = {"attempt": frame.attempt, "run_started_by": frame.actor}
            if self.writes:
                await note_begin(store, frame.run, frame.task_actor, attempt)
            record: SecretsRecord = await act(secrets_request(frame))
            ref = await keep_secrets(store, record, frame.task_actor, attempt)
            self.evidence_path = ref.path
        return record


class VerifySecretsOperator(CopySecretsOperator):
    """Compares the secrets of the spec on both sides; changes nothing.

    Idempotency: each run of the task keeps a record of its own.

    :return: as :class:`CopySecretsOperator`.
    :raises IncompleteError: a secret differs or is missing.
    """

    writes = False

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare, note it in the audit trail, and fail where a secret differs."""
        from heavylift.secrets.api import verify_secrets

        return self._carried(self.frame(context), verify_secrets, "comparison of secrets")


def secrets_request(frame: TaskFrame) -> SecretsRequest:
    """Return the move that a task's spec means, its connections looked up."""
    from heavylift.secrets.requests import SecretsRequest, connections_of, section_of

    source, target = connections_of(frame.spec)
    return SecretsRequest(frame.run, look_up(source), look_up(target), section_of(frame.spec))
