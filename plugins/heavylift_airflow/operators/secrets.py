"""Operators of secrets: copy them to the target's store, compare both sides; neither shows any value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.moved import MovedOperator, Moving

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.secrets.requests import SecretsRequest
    from heavylift_airflow.context import TaskFrame


class CopySecretsOperator(MovedOperator):
    """Copies the secrets of the spec to the target's store, and compares each there.

    Idempotency: what is equal on both sides stays as it is; after a kill the next try does only the rest.
    Another value on the target that Heavylift did not write is left, unless ``secrets.conflict`` says
    new_version. A value stands in no log, XCom, error or file.

    :return: ``{"found", "created", "updated", "equal", "skipped", "failed", "planned", "digest"}``.
    :raises SpecError: the spec has no section ``secrets``.
    :raises CredentialError: a side refuses the credentials.
    :raises IncompleteError: a secret is not proved; the first are named.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Copy, note it in the audit trail, and fail where a secret is not proved."""
        from heavylift.secrets.api import copy_secrets

        frame = self.moving_frame(context)
        if frame.options.destroy:
            raise AirflowSkipException("a run that destroys moves no secrets, and takes none away")
        return self._carried(frame, copy_secrets, "copy of secrets")

    def moving(self) -> Moving:
        """Return what the library does for secrets."""
        from heavylift.secrets.api import require_all
        from heavylift.secrets.keeping import keep_secrets, note_begin

        return Moving(secrets_request, note_begin, keep_secrets, require_all)


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
