"""The tasks of one envelope: seal it, and open it again to prove it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperator, TaskGroup

from heavylift_airflow.operators.envelopes import SealEnvelopeOperator, VerifyEnvelopeOperator

if TYPE_CHECKING:
    from heavylift.spec.sections_envelopes import Envelope
    from heavylift_airflow.phases.gates import ArgumentsOf


def add_envelope(arguments: ArgumentsOf, before: BaseOperator, envelope: Envelope) -> BaseOperator:
    """Add the tasks of one envelope and return the last of them."""
    with TaskGroup(group_id=f"envelope_{envelope.name}", tooltip=envelope.description):
        seal = SealEnvelopeOperator(**arguments("seal"), envelope=envelope.name)
        verify = VerifyEnvelopeOperator(**arguments("verify_sealed"), envelope=envelope.name)
        before >> seal >> verify
    return verify
