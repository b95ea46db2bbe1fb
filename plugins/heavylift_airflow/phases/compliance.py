"""The tasks that look for personal data and judge the rules, before anything moves."""

from __future__ import annotations

from airflow.sdk import BaseOperator, TaskGroup

from heavylift.spec import MigrationSpec, Phase
from heavylift.spec.sections_data import DatabaseEngine
from heavylift_airflow.operators.compliance import CheckComplianceOperator, ScanDatasetOperator
from heavylift_airflow.phases.gates import ArgumentsOf


def add_compliance(
    arguments: ArgumentsOf, phase: Phase, begin: BaseOperator, spec: MigrationSpec
) -> BaseOperator:
    """Add the tasks where the spec has rules; return what must be done before anything moves.

    A sync judges with the scans that there are: it comes every few minutes, and a scan may take hours.
    """
    rules = spec.compliance
    if rules is None:
        return begin
    check = CheckComplianceOperator(**arguments("check_compliance"))
    begin >> check
    if not rules.scan or phase is not Phase.TRANSFER:
        return check
    names = [dataset.name for dataset in spec.datasets]
    names += [each.name for each in spec.databases if each.source.engine is DatabaseEngine.POSTGRESQL]
    for name in names:
        with TaskGroup(group_id=f"compliance_{name}"):
            begin >> ScanDatasetOperator(**arguments("scan_data"), subject=name) >> check
    return check
