"""One Airflow DAG ``<migration>.sync`` for each migration spec: moves what changed since.

It runs on the spec's schedule and is paused until somebody switches it on. Specs that cannot
be used are shown by spec_errors.py; they keep no other DAG from loading.
"""

from __future__ import annotations

from heavylift.spec import Phase
from heavylift_airflow.phases.movement import movement_dag
from heavylift_airflow.phases.specs import specs_to_build

for loaded in specs_to_build(Phase.SYNC):
    dag = movement_dag(loaded, Phase.SYNC)
    if dag is not None:
        globals()[dag.dag_id] = dag
