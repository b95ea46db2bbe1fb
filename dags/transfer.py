"""One Airflow DAG ``<migration>.transfer`` for each migration spec: moves its datasets once.

Specs that cannot be used are shown by spec_errors.py; they keep no other DAG from loading.
"""

from __future__ import annotations

from heavylift.spec import Phase
from heavylift_airflow.phases.movement import movement_dag
from heavylift_airflow.phases.specs import specs_to_build

for loaded in specs_to_build(Phase.TRANSFER):
    dag = movement_dag(loaded, Phase.TRANSFER)
    if dag is not None:
        globals()[dag.dag_id] = dag
