"""What a spec says of the analysis, as a request."""

from __future__ import annotations

from typing import Any

from heavylift.connections import Connection
from heavylift.cutover.canary.from_spec import canary_request
from heavylift.evidence.records import RunKey
from heavylift.spec.model import MigrationSpec

RUN = RunKey(migration="churn", phase="cutover", run="r")


def spec_with(**analysis: Any) -> MigrationSpec:
    return MigrationSpec.model_validate(
        {
            "apiVersion": "heavylift/v1",
            "migration": "churn",
            "owner": "growth-ml",
            "source": {"platform": "aws", "connection": "aws_source"},
            "target": {"platform": "gcp", "connection": "gcp_target"},
            "cutover": {
                "runbook_owner": "somebody",
                "traffic": {"adapter": "envoy", "connection": "proxy", "shadow": "2m", "steps": [5, 100]},
                "analysis": {
                    "requests": "s3://golden/requests.jsonl",
                    "source_connection": "scoring_a",
                    "target_connection": "scoring_b",
                    "business": {
                        "name": "conversions",
                        "connection": "prometheus",
                        "source_query": "a",
                        "target_query": "b",
                    },
                    **analysis,
                },
            },
        }
    )


def connection(name: str) -> Connection:
    return Connection(name, "http", host="http://127.0.0.1:1")


def test_a_step_is_watched_to_its_end_and_the_shadow_knows_no_business():
    step = canary_request(spec_with(probe_rate=50), RUN, connection, "5")
    assert step.seconds == 600
    assert 500 < step.at_least_seconds < 600
    assert step.limits.steps == 3
    assert step.probes is not None
    assert (step.probes.rate, step.probes.source.conn_id, step.probes.target.conn_id) == (
        50,
        "scoring_a",
        "scoring_b",
    )
    assert step.business is not None
    shadow = canary_request(spec_with(), RUN, connection, "shadow")
    assert (shadow.seconds, shadow.business) == (120, None)


def test_without_both_endpoints_there_are_no_pairs():
    assert canary_request(spec_with(target_connection=None), RUN, connection, "5").probes is None
