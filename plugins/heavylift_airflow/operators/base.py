"""The base of the operators."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator

from heavylift_airflow.task import HeavyliftTask


class HeavyliftOperator(HeavyliftTask, BaseOperator):
    """Does one act of the library's; see :class:`heavylift_airflow.task.HeavyliftTask`."""

    template_fields = HeavyliftTask.template_fields
    operator_extra_links = HeavyliftTask.operator_extra_links

    # Airflow finds the arguments of a mapped operator in the operators' own __init__ only.
    def __init__(self, *, spec_path: str, phase: str, **kwargs: Any) -> None:
        super().__init__(spec_path=spec_path, phase=phase, **kwargs)
