"""DAGs of a cutover: ``<migration>.cutover`` and ``.rollback``, ``.finalise``, ``.soak``, ``.drill``.

Specs that cannot be used are shown by spec_errors.py; they keep no other DAG from loading.
"""

from __future__ import annotations

from heavylift.spec import Phase
from heavylift_airflow.phases.cutover import FINALISE, SOAK, cutover_dag, finalise_dag, rollback_dag, soak_dag
from heavylift_airflow.phases.drills import DRILL, drill_dag
from heavylift_airflow.phases.specs import specs_to_build

_BUILDERS = (cutover_dag, rollback_dag, finalise_dag, soak_dag, drill_dag)

for loaded in specs_to_build(Phase.CUTOVER, Phase.ROLLBACK.value, FINALISE, SOAK, DRILL):
    for dag in (build(loaded) for build in _BUILDERS):
        if dag is not None:
            globals()[dag.dag_id] = dag
