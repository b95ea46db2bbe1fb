"""What lines, tokens and registries do to images on their way; nothing wrong is ever kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from heavylift.errors import CredentialError, SpecError
from heavylift.platforms.pacing import Pacer
from tests.support.image_moves import between, moved, rows
from tests.support.made_images import Made, demand_whole, digest, image, index, layer, push
from tests.support.oci_server import Asked, OciServer

Small = Callable[..., OciServer]
LARGE = layer("large", bytes(range(256)) * 12_000)
"""Compresses to little; ``STORED`` does not, and is streamed."""
STORED = b"".join(bytes([number * 7 % 251]) * 16 + number.to_bytes(4, "big") for number in range(100_000))
SIGNATURE = "application/vnd.dev.cosign.artifact.sig.v1+json"


def made_of(*layers: bytes) -> Made:
    return index([image(list(layers)), image([*layers, b"other"], architecture="arm64")])


def once(method: str, part: str, *faults: str) -> Callable[[Asked], str]:
    """Return what deals ``faults`` out, in their order, to requests of a kind."""
    left = list(faults)

    def fault(asked: Asked) -> str:
        return left.pop(0) if left and asked.method == method and part in asked.path else ""

    return fault


def test_both_kinds_of_lists_of_referrers_lead_to_both(small: Small) -> None:
    for lists_here in (True, False):
        for lists_there in (True, False):
            source, target = small(lists_referrers=lists_here), small(lists_referrers=lists_there)
            made = made_of(b"layer")
            signature = image([b"signed"], subject=made, artifact=SIGNATURE)
            of_it = image([b"countersigned"], subject=signature, artifact=SIGNATURE)
            for each, subject in ((signature, made), (of_it, signature)):
                push(source, "ml/a", each)
                if not lists_here:
                    push(source, "ml/a", index([each]), f"sha256-{subject.digest[7:]}")
            push(source, "ml/a", made, "1")
            record = between(source, target, "ml")
            assert record.passed, record.rows
            assert record.rows[0].referrers == 2
            for each in (made, signature, of_it):
                demand_whole(target, "moved/ml/a", each)
            fallback = ("moved/ml/a", f"sha256-{made.digest[7:]}")
            assert (fallback in target.tags) is not lists_there
            assert between(source, target, "ml", "verify").passed
            count = len([each for each in target.asked if each.method not in {"GET", "HEAD"}])
            assert between(source, target, "ml").equal == 1
            assert len([each for each in target.asked if each.method not in {"GET", "HEAD"}]) == count
            # A list that lost an entry is no equal one.
            target.manifests.pop(("moved/ml/a", signature.digest))
            assert between(source, target, "ml", "verify").rows[0].outcome == "missing"
            assert not target.rejected


@pytest.mark.parametrize("fault", ["flip", "truncate", "short", "500"])
@pytest.mark.parametrize("blob", [STORED, b"small"])
def test_a_layer_that_is_spoilt_once_on_its_way_arrives_all_the_same(
    fault: str, blob: bytes, small: Small
) -> None:
    source, target = small(fault=once("GET", digest(blob), fault)), small()
    made = image([blob])
    push(source, "ml/a", made, "1")
    record = between(source, target, "ml")
    assert record.passed, record.rows
    demand_whole(target, "moved/ml/a", made, "1")
    assert not target.rejected
    assert not target.uploads


@pytest.mark.parametrize("blob", [STORED, b"small"])
def test_a_layer_that_its_registry_spoils_is_never_kept_and_the_tag_is_not_put(
    blob: bytes, small: Small
) -> None:
    wrong = digest(blob)
    source = small(fault=lambda asked: "flip" if asked.method == "GET" and wrong in asked.path else "")
    target = small()
    push(source, "ml/a", image([b"before", blob]), "1")
    push(source, "ml/b", image([b"fine"]), "1")
    record = between(source, target, "ml")
    row = rows(record)["ml/a:1"]
    assert (row.outcome, row.code, record.passed) == ("failed", "HL-9143", False)
    assert rows(record)["ml/b:1"].outcome == "copied"
    assert wrong not in target.blobs
    assert ("moved/ml/a", "1") not in target.tags
    # Not even offered: the target's own check is never what keeps it out.
    assert not target.rejected
    # What was only opened for another blob when this one failed holds nothing.
    assert not any(target.uploads.values())


def test_a_manifest_that_is_spoilt_is_not_taken_for_another(small: Small) -> None:
    source = small(
        fault=lambda asked: "flip" if "/manifests/" in asked.path and asked.method == "GET" else ""
    )
    target = small()
    push(source, "ml/a", image([b"x"]), "1")
    record = between(source, target, "ml")
    assert record.rows[0].code == "HL-9143"
    assert not target.blobs


def test_storms_of_429_pass(small: Small) -> None:
    for part, method in (("/blobs/uploads/", "POST"), ("/manifests/", "PUT"), (digest(STORED), "GET")):
        calm = once(method, part, *["429"] * 3)
        source, target = small(fault=calm), small(fault=calm)
        made = image([STORED])
        push(source, "ml/a", made, "1")
        assert between(source, target, "ml").passed
        demand_whole(target, "moved/ml/a", made, "1")


def test_a_stream_that_is_turned_away_is_sent_anew(small: Small) -> None:
    for fault in ("429", "500"):
        source, target = small(), small(fault=once("PATCH", "/blobs/uploads/", fault, fault))
        made = image([STORED])
        push(source, "ml/a", made, "1")
        assert between(source, target, "ml").passed
        demand_whole(target, "moved/ml/a", made, "1")
        assert not target.uploads


@pytest.mark.parametrize("chunk_mib", [0, 1])
@pytest.mark.parametrize("request_", [("PATCH", "/uploads/"), ("PUT", "/uploads/"), ("PUT", "/manifests/")])
def test_what_was_done_and_not_answered_is_found_done(
    request_: tuple[str, str], chunk_mib: int, small: Small
) -> None:
    source, target = small(), small(fault=once(*request_, "lost"))
    made = image([STORED, b"small"])
    push(source, "ml/a", made, "1")
    record = between(source, target, "ml", chunk_mib=chunk_mib)
    assert record.passed, record.rows
    demand_whole(target, "moved/ml/a", made, "1")


def test_blobs_in_pieces_arrive_whole(small: Small) -> None:
    source, target = small(), small()
    made = image([STORED])
    push(source, "ml/a", made, "1")
    assert between(source, target, "ml", chunk_mib=1).passed
    assert target.count("PATCH", "/uploads/") == -(-len(STORED) // 2**20)
    demand_whole(target, "moved/ml/a", made, "1")
    assert not target.rejected


def test_tokens_are_fetched_for_what_is_wanted_and_renewed_when_they_run_out(small: Small) -> None:
    source, target = small(tokens=True), small(tokens=True)
    made = image([STORED, b"small"])
    push(source, "ml/a", made, "1")

    def forget(asked: Asked) -> str:
        # In the middle of it all every token is void, once.
        if asked.method == "PATCH" and target.count("PATCH", "") == 1:
            target.valid.clear()
        return ""

    target.fault = forget
    record = between(source, target, "ml")
    assert record.passed, record.rows
    demand_whole(target, "moved/ml/a", made, "1")
    asked = [each.path for each in target.asked if each.path.startswith("/token")]
    assert "scope=repository%3Amoved%2Fml%2Fa%3Apull%2Cpush" in asked[0]
    assert len(asked) >= 2
    assert all("push" not in each.path for each in source.asked if each.path.startswith("/token"))
    for each in (*source.asked, *target.asked):
        basic = each.authorization.startswith("Basic")
        assert basic == each.path.startswith("/token"), each.path


def test_a_password_that_the_token_server_refuses_ends_it(small: Small) -> None:
    source, target = small(), small(tokens=True)
    push(source, "ml/a", image([b"x"]), "1")
    for pair in (("mover", "another word"), None):
        with pytest.raises(CredentialError) as refused:
            moved(
                (f"{source.host}/ml", source.connection("s")),
                (f"{target.host}/ml", target.connection("t", pair)),
            )
        assert "another word" not in str(refused.value)
    assert not target.blobs


def test_one_repository_that_is_denied_keeps_no_other_back(small: Small) -> None:
    for side, part in (("source", "/ml/b/"), ("target", "/ml/b/blobs/uploads/")):
        source, target = small(), small()
        for name in ("a", "b"):
            push(source, f"ml/{name}", image([name.encode()]), "1")
        here = source if side == "source" else target
        here.fault = lambda asked, part=part: "403" if part in asked.path else ""
        record = between(source, target, "ml")
        outcomes = {each.source.rpartition("/")[2].partition(":")[0]: each for each in record.rows}
        assert outcomes["a"].outcome == "copied"
        assert outcomes["b"].outcome in {"failed", "refused"}
        assert outcomes["b"].code == "HL-3003"
        assert "throw-away word" not in record.model_dump_json()


def test_a_registry_that_mounts_nothing_is_sent_everything(small: Small) -> None:
    source, target = small(), small()
    target.fault = lambda asked: "403" if "mount=" in asked.path else ""
    for name in ("a", "b"):
        push(source, f"ml/{name}", image([b"shared", name.encode()]), "1")
    record = between(source, target, "ml")
    assert (record.copied, sum(each.mounted for each in record.rows)) == (2, 0)


def test_a_realm_elsewhere_over_plain_http_gets_no_credential(small: Small) -> None:
    source, target = small(), small(tokens=True, realm="http://tokens.example/token")
    push(source, "ml/a", image([b"x"]), "1")
    with pytest.raises(CredentialError, match=r"HL-9147"):
        between(source, target, "ml")


def test_where_blobs_really_lie_nobody_is_told_who_we_are(small: Small) -> None:
    store, source, target = small(), small(tokens=True), small()
    made = image([STORED, b"small"])
    push(source, "ml/a", made, "1")
    # The object store: blobs by their digests, for whoever has the address.
    source.elsewhere = f"{store.url}/v2/store/blobs"
    for blob in made.blobs:
        store.put_blob("store", blob)
    assert between(source, target, "ml").passed
    demand_whole(target, "moved/ml/a", made, "1")
    assert store.asked
    assert not any(each.authorization for each in store.asked)
    assert any(each.authorization for each in source.asked)


def test_a_registry_that_sends_in_circles_is_left(small: Small) -> None:
    source, target = small(), small()
    push(source, "ml/a", image([b"x"]), "1")
    source.elsewhere = f"{source.url}/v2/ml/a/blobs"
    record = between(source, target, "ml")
    assert record.rows[0].code == "HL-9153"


def test_a_tag_that_moves_during_the_copy_is_what_it_was_when_it_was_planned(small: Small) -> None:
    source, target = small(), small()
    first, later = image([STORED]), image([b"later"])
    push(source, "ml/a", first, "1")
    push(source, "ml/a", later)

    def move(asked: Asked) -> str:
        if asked.method == "GET" and "/blobs/" in asked.path:
            source.tags["ml/a", "1"] = later.digest
        return ""

    source.fault = move
    record = between(source, target, "ml")
    assert (record.passed, record.rows[0].digest) == (True, first.digest)
    demand_whole(target, "moved/ml/a", first, "1")
    assert between(source, target, "ml", "verify").rows[0].outcome == "different"


def test_a_registry_that_tells_no_digests_is_read_instead(small: Small) -> None:
    source, target = small(tells_digests=False), small(tells_digests=False)
    made = made_of(b"layer")
    push(source, "ml/a", made, "1")
    assert between(source, target, "ml").passed
    demand_whole(target, "moved/ml/a", made, "1")


def test_a_comparison_sees_what_is_missing_and_a_deep_one_what_is_spoilt(small: Small) -> None:
    source, target = small(), small()
    made = made_of(b"layer", STORED)
    push(source, "ml/a", made, "1")
    between(source, target, "ml")
    target.blobs[digest(STORED)] = STORED[:-1] + b"?"
    assert between(source, target, "ml", "verify").passed  # as long as before, and only looked at
    assert between(source, target, "ml", "verify", deep=True).rows[0].code == "HL-9143"
    target.blobs[digest(STORED)] = STORED[:-1]
    assert between(source, target, "ml", "verify").rows[0].code == "HL-9158"
    target.held["moved/ml/a"].discard(digest(STORED))
    found = between(source, target, "ml", "verify").rows[0]
    assert (found.outcome, digest(STORED) in found.reason) == ("missing", True)
    # The next copy mends it.
    assert between(source, target, "ml").copied == 1
    assert between(source, target, "ml", "verify", deep=True).passed


def test_a_registry_without_a_catalogue_takes_names(small: Small) -> None:
    source, target = small(catalogue=False), small()
    push(source, "ml/a", image([b"x"]), "1")
    with pytest.raises(CredentialError):
        between(source, target, "ml")
    assert between(source, target, "ml", repositories=["a"]).copied == 1
    with pytest.raises(SpecError):
        between(source, target, "ml", repositories=["a"], exclude=["a"])


def test_all_pages_of_tags_are_read(small: Small) -> None:
    source, target = small(), small()
    for number in range(7):
        push(source, "ml/a", image([f"{number}".encode()]), f"t{number}")
    assert between(source, target, "ml").copied == 7


def test_what_is_read_is_held_to_a_bandwidth(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    booked: list[int] = []
    monkeypatch.setattr(Pacer, "delay", lambda self, size: booked.append(size) or 0.0)
    source, target = small(), small()
    push(source, "ml/a", image([STORED]), "1")
    assert between(source, target, "ml", max_bandwidth="1MiB/s").passed
    assert sum(booked) >= len(STORED)
    booked.clear()
    assert between(source, small(), "ml").passed
    assert not booked


def test_many_images_share_the_bound(small: Small) -> None:
    source, target = small(), small()
    shared = [STORED, *(f"shared {number}".encode() for number in range(5))]
    for number in range(6):
        push(source, f"ml/i{number}", image([*shared, f"{number}".encode()]), "1")
    record = between(source, target, "ml", parallel=2)
    assert record.copied == 6
    # Each layer crossed once, however many images have it.
    uploaded: Any = target.count("PUT", "/blobs/uploads/")
    assert uploaded == len(shared) + 6 + 1
    assert sum(each.mounted for each in record.rows) == 5 * (len(shared) + 1)
