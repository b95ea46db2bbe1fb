"""DAGs of each spec with a cutover: ``<migration>.cutover``, ``.rollback``, ``.finalise`` and ``.drill``.

Specs that cannot be used are shown by spec_errors.py; they keep no other DAG from loading.
"""

from __future__ import annotations

from heavylift.spec import Phase
from heavylift_airflow.phases.cutover import FINALISE, cutover_dag, finalise_dag, rollback_dag
from heavylift_airflow.phases.drills import DRILL, drill_dag
from heavylift_airflow.phases.specs import specs_to_build

for loaded in specs_to_build(Phase.CUTOVER, Phase.ROLLBACK.value, FINALISE, DRILL):
    for dag in (cutover_dag(loaded), rollback_dag(loaded), finalise_dag(loaded), drill_dag(loaded)):
        if dag is not None:
            globals()[dag.dag_id] = dag
