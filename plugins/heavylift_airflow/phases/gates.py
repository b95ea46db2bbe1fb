"""The tasks of a gate, at the end of every phase that has one: judge it, wait for it, ask a person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, TaskGroup, TriggerRule

from heavylift.spec import Gate
from heavylift_airflow.operators.gates import EvaluateGateOperator, GateApprovalOperator
from heavylift_airflow.sensors.gate import GateSensor

ArgumentsOf = Callable[[str], dict[str, Any]]
"""From a task's name to the arguments that all tasks of the DAG have."""


def add_gate(
    arguments: ArgumentsOf,
    proved: Any,
    gate: Gate,
    kind: type[EvaluateGateOperator] = EvaluateGateOperator,
    asking: type[GateApprovalOperator] = GateApprovalOperator,
) -> BaseOperator:
    """Add one gate's tasks to the DAG that is being defined, and return the last of them.

    :param proved: what comes before it: a task, a group, or several.
    :param kind: judges it, for the phase's own subjects.
    :param asking: asks the person.
    """
    # No dataset can be called so: their names have no underscore.
    with TaskGroup(group_id=f"gate_{gate.name}", tooltip=gate.description):
        evaluate = kind(**arguments("evaluate"), gate=gate.name, trigger_rule=TriggerRule.ALL_DONE)
        opened = GateSensor(**arguments("wait"), gate=gate.name)
        evaluate.set_upstream(proved)
        evaluate >> opened
        if not gate.approval.required:
            return opened
        approve = asking(
            **arguments("approve"),
            gate=gate.name,
            response_timeout=timedelta(seconds=gate.approval.timeout),
            assigned_users=[{"id": user, "name": user} for user in gate.approval.assigned_users] or None,
        )
        opened >> approve
        return approve
