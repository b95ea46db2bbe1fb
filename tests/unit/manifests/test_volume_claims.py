"""Which claims manifests make, and that no two of them share a Job."""

from __future__ import annotations

from pathlib import Path

import pytest

from heavylift.manifests.volumes import Claim, VolumeAsk, claims_of, job_of, migration_of

ASK = VolumeAsk("s3://b/p/", "image", "secret", migration="m")
SET = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db, namespace: ml}}
spec: {{{more} volumeClaimTemplates: [{{metadata: {{name: data}}, spec: {{accessModes: [ReadWriteOnce]}}}}]}}
"""


@pytest.mark.parametrize(
    ("more", "names", "refused"),
    [
        ("", ["data-db-0"], False),
        ("replicas: null,", ["data-db-0"], False),
        ("replicas: 2, ordinals: {start: 5},", ["data-db-5", "data-db-6"], False),
        ("replicas: 0,", ["data-db-*"], True),
        ("replicas: 1000000000,", ["data-db-*"], True),
    ],
)
def test_claims_of_a_stateful_set(tmp_path: Path, more: str, names: list[str], refused: bool) -> None:
    (tmp_path / "set.yaml").write_text(SET.format(more=more))
    found = claims_of([tmp_path])
    assert [each.name for each in found] == names
    assert [bool(each.refused) for each in found] == [refused] * len(names)


def test_claims_whose_names_begin_alike_or_differ_in_a_dot_get_jobs_of_their_own() -> None:
    long = "data-of-a-database-whose-name-somebody-has-chosen-with-much-care"
    claims = [Claim("ml", name) for name in (f"{long}-0", f"{long}-1", "a.b", "a-b", "models")]
    for names in (
        [job_of(each, ASK, restores=False)["metadata"]["name"] for each in claims],
        [job_of(each, ASK, restores=False)["metadata"]["labels"]["heavylift/claim"] for each in claims],
        [migration_of(each, ASK) for each in claims],
    ):
        assert len(set(names)) == len(claims)
        assert all(len(name) <= 63 and "." not in name for name in names)
    assert job_of(claims[-1], ASK, restores=True)["metadata"]["name"] == "heavylift-restore-models"
    assert migration_of(Claim("a-b", "c"), ASK) != migration_of(Claim("a", "b-c"), ASK)
