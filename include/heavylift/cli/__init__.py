"""The command line: ``python -m heavylift`` or ``heavylift``.

Every command lies in a module of its own, which is imported only when the command is used, so
that ``heavylift spec check`` does not pay for what ``heavylift objects copy`` needs.
"""

from __future__ import annotations

from heavylift.cli.lazy import Subcommand, lazy_app

SUBCOMMANDS = (
    Subcommand("spec", "Check migration specs; print their JSON Schema and their fields."),
    Subcommand("objects", "Copy, sync, verify and compare objects between stores."),
    Subcommand("appliance", "Move objects on devices: plan, load, ship, reconcile."),
    Subcommand("tables", "Move tables while they are written to."),
    Subcommand("streams", "Mirror topics, verify them, translate consumer groups."),
    Subcommand("registry", "Copy, sync and verify experiments and registered models."),
    Subcommand("features", "Copy and verify feature stores."),
    Subcommand("models", "Check and compare models."),
    Subcommand("inventory", "List the components of a platform.", single=True),
    Subcommand("graph", "Show what depends on what.", single=True),
    Subcommand("baseline", "Measure the source before anything moves.", single=True),
    Subcommand("quotas", "Read what the platforms allow.", single=True),
    Subcommand("prices", "Read today's prices for the tables of a plan."),
    Subcommand("assess", "Find what stands in the way.", single=True),
    Subcommand("plan", "Plan what moves how, when and at what cost.", single=True),
    Subcommand("infra", "Translate, plan and apply infrastructure."),
    Subcommand("pipelines", "Translate training pipelines."),
    Subcommand("training", "Translate distributed training jobs; check and rehearse them."),
    Subcommand("scaling", "Translate autoscaling; simulate both sides at the same load."),
    Subcommand("manifests", "Translate Kubernetes manifests; check them for a version."),
    Subcommand("access", "Translate identities and permissions."),
    Subcommand("alerts", "Translate alert rules, and replay them beside their source."),
    Subcommand("secrets", "Copy secrets from store to store, and compare them."),
    Subcommand("images", "Copy container images by digest, and compare them."),
    Subcommand("endpoints", "Bring endpoints up on the target, verify and remove them."),
    Subcommand("compliance", "Scan for personal data; check the rules."),
    Subcommand("envelopes", "Encrypt objects here before they are sent; open and verify them."),
    Subcommand("cutover", "Switch the live workload to the target, and back."),
    Subcommand("optimize", "Find better settings, sizes and purchases; propose them."),
    Subcommand("workload", "Test the moved workload: answers, speed, security, loss of the target."),
    Subcommand("decommission", "Give the source up: plan, disable, restore, delete, certify."),
    Subcommand("monitor", "Watch data, predictions, latency and error budgets."),
    Subcommand("status", "Show where a migration stands.", single=True),
    Subcommand("doctor", "Say what is wrong with a migration and what to do.", single=True),
    Subcommand("explain", "Say what an error code means and what to do.", single=True),
    Subcommand("report", "Write a migration's report.", single=True),
    Subcommand("audit", "Verify the audit trail."),
)
"""Every command, in the order of the help. A command is there when its module
``heavylift.cli.<name>`` is; the module holds ``app``, a :class:`typer.Typer`. With ``single``
that app has one command and takes its arguments directly."""

app = lazy_app(SUBCOMMANDS)
