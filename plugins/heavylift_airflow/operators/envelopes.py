"""Operators of envelopes: objects are encrypted before they are sent, and opened again to prove it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavylift_airflow.operators.base import HeavyliftOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.envelope_records import Act, EnvelopeRecord
    from heavylift_airflow.context import TaskFrame


class _EnvelopeOperator(HeavyliftOperator):
    """One act on one envelope of the spec.

    :param envelope: its name.
    """

    act: Act

    def __init__(self, *, envelope: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.envelope = envelope

    def execute(self, context: Context) -> dict[str, Any]:
        """Carry the act out, keep its evidence, and fail where an object failed."""
        frame = self.moving_frame(context)
        record = self.work.run(self._acted(frame), f"{self.act} of envelope {self.envelope}")
        figures = {name: getattr(record, name) for name in ("found", "done", "equal", "failed", "sent_bytes")}
        self.log.info("%s, wrapped by %s", record.statement, record.key)
        if not record.passed:
            raise _refused(record, self.evidence_path or "")
        return {"envelope": self.envelope, **figures}

    async def _acted(self, frame: TaskFrame) -> EnvelopeRecord:
        from heavylift.envelopes.from_spec import envelope_request
        from heavylift.envelopes.keeping import act_on
        from heavylift_airflow.hooks.object_store import look_up

        asked = next(each for each in frame.spec.envelopes if each.name == self.envelope)
        request = envelope_request(frame.spec, asked, look_up, frame.options.bandwidth_bytes_per_second)
        async with self.evidence(frame) as store:
            record, ref = await act_on(store, request, self.act, frame.task_actor, self.log.info)
            self.evidence_path = ref.path if ref else None
        return record


class SealEnvelopeOperator(_EnvelopeOperator):
    """Encrypts every object of an envelope on this worker, and sends it to the target.

    Writes to the target alone; the source is read. Idempotency: what is sealed of the same version is left;
    parts that a killed attempt has sent are not sent again. Nothing that is no sealed object is overwritten.

    :param envelope: name of the envelope in the spec.
    :return: ``{"envelope", "found", "done", "equal", "failed", "sent_bytes"}``.
    :raises IncompleteError: an object could not be sealed; the first are named.
    :raises CredentialError: a store or the key refuses.
    """

    act = "seal"


class VerifyEnvelopeOperator(_EnvelopeOperator):
    """Opens every object of an envelope on the target in memory, and compares it with what was sealed.

    The source is not read and nothing is written but evidence. Idempotency: each run adds a record.

    :param envelope: name of the envelope in the spec.
    :return: ``{"envelope", "found", "done", "equal", "failed", "sent_bytes"}``.
    :raises IncompleteError: an object is missing, altered, or does not open; the first are named.
    :raises CredentialError: the store or the key refuses.
    """

    act = "verify"


def _refused(record: EnvelopeRecord, path: str) -> Exception:
    from heavylift.errors import IncompleteError

    return IncompleteError(
        f"{record.act} of envelope {record.name}",
        got=f"{record.statement}; first {record.failures[0]}" if record.failures else record.statement,
        expected=f"every object below {record.source or record.target}",
        state=f"what is sealed stays; {path} has every object",
        remedy="mend what the first one says, then clear the task: what is done is found",
        code="9362",
    )
