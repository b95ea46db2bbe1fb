"""Random policies: the target never allows what the source does not, and what is not reported is kept."""

from __future__ import annotations

import random

import pytest

from heavylift.access.api import AccessRequest, translate_access
from heavylift.access.model import Names, Place
from heavylift.access.platforms import SourceJudge, writer_for
from heavylift.access.table import load_table
from heavylift.evidence.records import RunKey
from tests.support.longer import first_then_long
from tests.support.random_policies import PROBES, contexts, identity

RUN = RunKey(migration="m", phase="provision", run="r")
SOURCE = Place("aws", "111122223333", region="us-east-1")
ROLE = "arn:aws:iam::111122223333:role/train"
GROUP = "/subscriptions/s/resourceGroups/g"
AZURE = Place(
    "azure",
    GROUP,
    storage=f"{GROUP}/providers/Microsoft.Storage/storageAccounts/a",
    vault=f"{GROUP}/providers/Microsoft.KeyVault/vaults/v",
)
TARGETS = {
    "gcp": Names(
        SOURCE, Place("gcp", "p", number="42"), {ROLE: "serviceAccount:train@p.iam.gserviceaccount.com"}
    ),
    "azure": Names(SOURCE, AZURE, {ROLE: "11111111-1111-1111-1111-111111111111"}),
    "kubernetes": Names(SOURCE, Place("kubernetes", "ml")),
}


def check(seed: int, names: Names) -> tuple[int, int]:
    """Translate one random identity; return how many questions were yes before, and after."""
    rng = random.Random(seed)
    bundle = {"identities": [identity(rng)]}
    outcome = translate_access(AccessRequest(RUN, names, [("bundle", bundle)]))
    table, writer = load_table(), writer_for(names, load_table())
    record = outcome.record
    reported = {name for gap in record.untranslated for name in gap.permission.split(", ")}
    target, yes, kept = writer.identity(ROLE), 0, 0
    asked, judge = contexts(rng), SourceJudge(bundle_of(bundle), SOURCE)
    for operation in table.operations:
        kind = table.kinds[operation.kind]
        regional = "{region}" in kind.templates["aws"]
        for name in PROBES.get(
            kind.name, ["*"] if kind.name == "account" else ["us-east-1/n" if regional else "n"]
        ):
            native = writer.native(kind, name)
            if native is None:
                continue
            for context in asked:
                before = any(
                    all(judge.allows(ROLE, a, kind, name, context) for a in way)
                    for way in operation.ways["aws"]
                )
                after = any(
                    all(writer.allows(record.documents, target, p, native, context) for p in way)
                    for way in operation.ways.get(writer.platform, ())
                )
                where = (seed, operation.name, name, context)
                assert before or not after, where
                if before and not after and operation.ways.get(writer.platform):
                    used = {a for way in operation.ways["aws"] for a in way}
                    assert reported & used or "all permissions" in reported, where
                yes, kept = yes + before, kept + after
    assert record.matrix.excess == 0, record.failures
    return yes, kept


def bundle_of(bundle: dict[str, object]) -> dict[str, object]:
    from heavylift.access.aws_bundle import aws_bundle

    return aws_bundle([("bundle", bundle)])


@pytest.mark.parametrize("seeds", first_then_long([range(14), range(14, 60)]), ids=str)
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_random_policies_are_never_widened(target: str, seeds: range) -> None:
    totals = [check(seed, TARGETS[target]) for seed in seeds]
    # The test would prove nothing if nearly nothing were translated.
    assert sum(kept for _, kept in totals) > (5 if target == "kubernetes" else 100)


@pytest.mark.parametrize("middle", ["azure", "gcp"])
def test_what_was_translated_is_read_again_and_never_widened(middle: str) -> None:
    kept = 0
    for seed in range(8):
        first = translate_access(
            AccessRequest(RUN, TARGETS[middle], [("b", {"identities": [identity(random.Random(seed))]})])
        ).record
        documents = {
            key: value for key, value in first.documents.items() if key not in ("platform", "project")
        }
        for target in (Place("aws", "999988887777", region="eu-central-1"), TARGETS["gcp"].target, AZURE):
            if target.platform != middle:
                names = Names(TARGETS[middle].target, target)
                matrix = translate_access(AccessRequest(RUN, names, [("b", documents)])).record.matrix
                assert matrix.excess == 0, (seed, target)
                kept += matrix.kept
    assert kept > 20
