"""The tasks of one stream in the DAGs that move data: mirror what is new, prove it, translate groups."""

from __future__ import annotations

from airflow.sdk import BaseOperator, TaskGroup

from heavylift.spec.sections_data import Stream
from heavylift_airflow.operators.streams import (
    MirrorStreamOperator,
    TranslateGroupsOperator,
    VerifyStreamOperator,
)
from heavylift_airflow.phases.parts import ArgumentsOf


def add_stream(arguments: ArgumentsOf, begin: BaseOperator, stream: Stream) -> BaseOperator:
    """Add one stream's tasks to the DAG that is being defined, and return the last of them.

    A first mirror and a later one are the same act: the map on the target tells what is there.
    """
    name = stream.name
    with TaskGroup(group_id=f"stream_{name}", tooltip=stream.description):
        mirror = MirrorStreamOperator(**arguments("mirror_stream"), stream=name)
        verify = VerifyStreamOperator(**arguments("verify_stream"), stream=name)
        groups = TranslateGroupsOperator(**arguments("translate_groups"), stream=name)
        begin >> mirror >> verify >> groups
    return groups
