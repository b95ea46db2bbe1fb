"""Heavylift in Airflow: operators, sensors, triggers, hooks and the DAGs built of them.

It holds no migration logic: an operator makes a request, calls one function of ``heavylift``,
notes the act in the audit trail and returns a few numbers.
"""
