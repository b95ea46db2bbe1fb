"""What people need to know of error codes beyond their message: the part of Heavylift, and notes by hand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Area:
    """A part of Heavylift.

    :param prefix: of the files that it covers; the longest that fits counts.
    :param more: the command that tells more.
    :param page: under ``docs``.
    """

    prefix: str
    title: str
    more: str
    page: str


_LIB, _PLUGIN = "include/heavylift", "plugins/heavylift_airflow"
_DOCTOR = "heavylift doctor MIGRATION --spec FILE"

AREAS = (
    Area(f"{_LIB}/errors.py", "Any part", _DOCTOR, "reference/night-shift.md"),
    Area(f"{_LIB}/spec/", "The migration spec", "heavylift spec check FILE", "reference/spec.md"),
    Area(f"{_LIB}/connections.py", "Connections", _DOCTOR, "reference/production.md"),
    Area(f"{_LIB}/environments.py", "Helper programs and environments", _DOCTOR, "reference/production.md"),
    Area(f"{_LIB}/fencing.py", "Turns and epochs", "heavylift cutover status SPEC", "runbooks/cutover.md"),
    Area(f"{_LIB}/locations.py", "URLs of stores", "heavylift spec check FILE", "reference/spec.md"),
    Area(f"{_LIB}/patterns.py", "Patterns", "heavylift spec check FILE", "reference/spec.md"),
    Area(f"{_LIB}/evidence/", "Evidence and audit trail", "heavylift audit verify MIGRATION", "reference/evidence.md"),
    Area(f"{_LIB}/gates/", "Gates", "heavylift status MIGRATION", "runbooks/transfer.md"),
    Area(f"{_LIB}/platforms/", "Clouds, stores and servers", _DOCTOR, "reference/production.md"),
    Area(f"{_LIB}/platforms/aws/", "AWS", _DOCTOR, "reference/production.md"),
    Area(f"{_LIB}/platforms/gcp/", "Google Cloud", _DOCTOR, "reference/production.md"),
    Area(f"{_LIB}/platforms/azure/", "Azure", _DOCTOR, "reference/production.md"),
    Area(f"{_LIB}/platforms/kubernetes/", "Kubernetes", _DOCTOR, "reference/inventory.md"),
    Area(f"{_LIB}/platforms/local/", "Folders", _DOCTOR, "reference/production.md"),
    Area(f"{_LIB}/platforms/mysql/", "MySQL and MariaDB", "heavylift tables status", "reference/tables-mysql.md"),
    Area(f"{_LIB}/platforms/postgresql/", "PostgreSQL", "heavylift tables status", "reference/tables.md"),
    Area(f"{_LIB}/kafka/", "Kafka", "heavylift streams status", "reference/streams.md"),
    Area(f"{_LIB}/objects/", "Objects", "heavylift status MIGRATION", "runbooks/transfer.md"),
    Area(f"{_LIB}/datasets/", "Checks of tables in files", "heavylift status MIGRATION", "reference/dataset-checks.md"),
    Area(f"{_LIB}/tables/", "Databases", "heavylift tables status", "reference/tables.md"),
    Area(f"{_LIB}/streams/", "Streams", "heavylift streams status", "reference/streams.md"),
    Area(f"{_LIB}/registry/", "Registries and feature stores", "heavylift status MIGRATION", "reference/registry.md"),
    Area(f"{_LIB}/mirror/", "Registries that are followed", "heavylift registry status", "reference/registry.md"),
    Area(f"{_LIB}/models/", "Models", "heavylift status MIGRATION", "reference/models.md"),
    Area(f"{_LIB}/inventory/", "Inventory", "heavylift inventory", "reference/inventory.md"),
    Area(f"{_LIB}/assess/", "Assessment and plan", "heavylift assess SPEC", "reference/assess.md"),
    Area(f"{_LIB}/baselines/", "Baselines", "heavylift baseline", "reference/baselines.md"),
    Area(f"{_LIB}/utilisation/", "Use of machines", "heavylift baseline SPEC", "reference/utilisation.md"),
    Area(f"{_LIB}/quotas/", "Quotas", "heavylift quotas SPEC", "reference/quotas-and-prices.md"),
    Area(f"{_LIB}/pricing/", "Price lists", "heavylift prices refresh", "reference/quotas-and-prices.md"),
    Area(f"{_LIB}/load/", "Load on endpoints", "heavylift baseline", "reference/baselines.md"),
    Area(f"{_LIB}/scoring/", "Golden inputs and scoring servers", "heavylift baseline", "reference/baselines.md"),
    Area(f"{_LIB}/optimize/", "Optimisation", "heavylift status MIGRATION", "reference/optimize.md"),
    Area(f"{_LIB}/facts/", "Prices and devices", "heavylift plan SPEC --explain", "reference/planning.md"),
    Area(f"{_LIB}/infra/", "Infrastructure", "heavylift infra validate", "reference/infra.md"),
    Area(f"{_LIB}/access/", "Permissions", "heavylift access translate SPEC", "reference/access.md"),
    Area(f"{_LIB}/alerts/queries/", "Log queries", "heavylift alerts queries compare", "reference/log-queries.md"),
    Area(f"{_LIB}/alerts/", "Alerts", "heavylift alerts list FILE", "reference/alerts.md"),
    Area(f"{_LIB}/secrets/", "Secrets", "heavylift secrets verify SPEC", "reference/secrets.md"),
    Area(f"{_LIB}/endpoints/", "Endpoints", "heavylift endpoints plan SPEC", "reference/endpoints.md"),
    Area(f"{_LIB}/images/", "Container images", "heavylift images verify SPEC", "reference/images.md"),
    Area(f"{_LIB}/platforms/oci/", "Container registries", "heavylift images verify SPEC", "reference/images.md"),
    Area(f"{_LIB}/compliance/", "Compliance", "heavylift compliance check SPEC", "reference/compliance.md"),
    Area(f"{_LIB}/envelopes/", "Envelopes", "heavylift envelopes verify", "reference/envelopes.md"),
    Area(f"{_LIB}/pipelines/", "Pipelines", "heavylift pipelines check", "reference/pipelines.md"),
    Area(f"{_LIB}/manifests/", "Manifests", "heavylift manifests check", "reference/manifests.md"),
    Area(f"{_LIB}/training/", "Training jobs", "heavylift training check", "reference/training.md"),
    Area(f"{_LIB}/autoscaling/", "Autoscaling", "heavylift scaling simulate", "reference/training.md"),
    Area(f"{_LIB}/cutover/", "The switch", "heavylift cutover status SPEC", "runbooks/cutover.md"),
    Area(f"{_LIB}/switching/", "The switch", "heavylift cutover status SPEC", "runbooks/cutover.md"),
    Area(f"{_LIB}/decommission/", "Giving the source up", "heavylift decommission status SPEC", "runbooks/decommission.md"),
    Area(f"{_LIB}/workload/", "Tests of the workload", "heavylift workload test SPEC", "reference/workload-tests.md"),
    Area(f"{_LIB}/monitor/", "Monitoring", "heavylift monitor series MIGRATION", "reference/monitor.md"),
    Area(f"{_LIB}/notify/", "Notifications", _DOCTOR, "reference/night-shift.md"),
    Area(f"{_LIB}/report/", "Reports, status and doctor", "heavylift status MIGRATION", "reference/night-shift.md"),
    Area(f"{_LIB}/cli/", "The command line", "the command with --help", "reference/night-shift.md"),
    Area(f"{_PLUGIN}/", "Tasks in Airflow", _DOCTOR, "reference/night-shift.md"),
    Area("sandbox/", "The sandbox and the demo", "./dev --help", "reference/dev.md"),
)  # fmt: skip

FAMILIES = {
    "TransientError": (
        "It may go away by itself: Airflow tries again with growing delays. When the retries are used up,"
        " clear the task once what did not answer is back."
    ),
    "ThrottledError": (
        "The other side asks for less load: Airflow tries again later. Where it comes often, lower the limits"
        " in `defaults.limits` or ask the provider for a higher quota."
    ),
    "ServerUnavailableError": (
        "The other side did not answer: Airflow tries again with growing delays. Look whether the server, the"
        " network and the proxy are up; then clear the task."
    ),
    "WindowClosedError": "Nothing is wrong: the work goes on when the spec's time windows open.",
    "PermanentError": "It stays until somebody acts. Mend what the message names, then clear the task.",
    "SpecError": "Correct the place that the message names, run `heavylift spec check FILE`, start again.",
    "ConnectionConfigError": (
        "Correct the connection in Airflow (or `AIRFLOW_CONN_<ID>`), then clear the task: connections are"
        " read anew by each attempt."
    ),
    "CredentialError": (
        "Give the identity of the connection the permission that the message names, or renew its key; then"
        " clear the task. `heavylift access` tells which permissions a migration needs."
    ),
    "NotFoundError": "Look whether the name is right and the thing was deleted; restore it or correct the name.",
    "AlreadyExistsError": "Something is there that this run did not write: nothing was overwritten. Look whose it is.",
    "ConflictError": "Something there is not Heavylift's, or somebody else acted: find out who, before anything else.",
    "PreconditionError": "It changed meanwhile. Clear the task: it looks at what is there now.",
    "IntegrityError": (
        "Bytes differ from what was promised. Clear the task once; if it comes again, look for a broken disk,"
        " cable or proxy, and leave the target alone until that is found."
    ),
    "UnsupportedError": "This cannot be done here; take the other way that the message names.",
    "IncompleteError": "A part is not done: the message counts it. Mend the first failure, then clear the task.",
    "AuditError": "Find out who wrote to the evidence store; restore the file from its versions or a backup.",
    "NoRoomError": "Make room or raise the quota, then clear the task: only the rest is done.",
    "HeavyliftError": "Mend what the message names, then run it again.",
}
"""What to do about each class of error, where the message itself has no remedy or besides it."""

BY_CODE = {
    "3374": "NotFoundError",
    "5020": "IncompleteError",
    "5021": "ServerUnavailableError",
    "5041": "ServerUnavailableError",
    "5042": "IncompleteError",
    "5732": "IncompleteError",
    "5733": "ServerUnavailableError",
    "5740": "IncompleteError",
    "5741": "ServerUnavailableError",
    "7658": "CredentialError",
    "8511": "PermanentError",
    "8520": "PermanentError",
}
"""The class of codes whose place in the source chooses it while it runs."""

NOTES = {
    "2003": "A token that ran out during a long task is renewed by the next attempt; a revoked key is not.",
    "4031": "No gate opens and no approval counts until the entry is restored.",
    "8030": "Kill by the kernel for memory is the usual cause: look at the worker's `dmesg`, lower"
    " `limits.memory_budget`. Clearing is safe: what was finished is kept.",
    "8031": "Clear once. A second time it is a defect of Heavylift or of a library: report it with the traceback.",
    "8963": "A task's own time limit, or the time that a waiting task may wait, was over; nothing was lost.",
    "8511": "Answers 429 and 5xx of this code are of a class that Airflow retries by itself.",
    "8520": "Throttling and server faults of this code are of a class that Airflow retries by itself.",
    "8701": "A later cutover or rollback has taken over. This run must do nothing more: do not clear it.",
    "8703": "A later cutover or rollback has taken over. This run must do nothing more: trigger a new one.",
    "8720": "`heavylift cutover ready SPEC` lists every item. Nothing was moved.",
}
"""What experience adds, by code."""
