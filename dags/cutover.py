"""Airflow DAGs for each spec with a cutover: ``<migration>.cutover``, ``.rollback``, ``.finalise`` and
``.soak``.

Specs that cannot be used are shown by spec_errors.py; they keep no other DAG from loading.
"""

from __future__ import annotations

from heavylift.spec import Phase
from heavylift_airflow.phases.cutover import FINALISE, SOAK, cutover_dag, finalise_dag, rollback_dag, soak_dag
from heavylift_airflow.phases.specs import specs_to_build

for loaded in specs_to_build(Phase.CUTOVER, Phase.ROLLBACK.value, FINALISE, SOAK):
    for dag in (cutover_dag(loaded), rollback_dag(loaded), finalise_dag(loaded), soak_dag(loaded)):
        if dag is not None:
            globals()[dag.dag_id] = dag
