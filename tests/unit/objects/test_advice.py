"""Who had best move a dataset: the rule, case by case."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift.evidence.estimates import AdviceRecord, Option
from heavylift.objects.advice import MoveCase, advise, limit, online_days
from heavylift.objects.wording import advice_lines

PB = 10**15
HUGE = MoveCase("aws", "gcp", objects=10**7, size_bytes=PB, needs_tags=False, days=7)


def option(advice: AdviceRecord, way: str) -> Option:
    return next(each for each in advice.options if each.way == way)


def test_a_small_move_is_for_our_workers_who_keep_everything() -> None:
    advice = advise(MoveCase("aws", "gcp", objects=10_000, size_bytes=10**12))
    assert advice.recommended == "heavylift"
    assert option(advice, "heavylift").workers == 1
    assert "tags" in option(advice, "heavylift").keeps


@pytest.mark.parametrize(
    ("source", "target", "way"),
    [
        ("aws", "gcp", "storage-transfer-service"),
        ("azure", "gcp", "storage-transfer-service"),
        ("gcp", "aws", "datasync"),
        ("azure", "aws", "datasync"),
        ("aws", "azure", "azcopy"),
        ("gcp", "azure", "heavylift"),
    ],
)
def test_what_the_line_cannot_do_in_time_is_for_the_receiving_clouds_service(
    source: str, target: str, way: str
) -> None:
    assert advise(replace(HUGE, source=source, target=target)).recommended == way


def test_tags_that_have_to_arrive_rule_out_the_services_that_lose_them() -> None:
    advice = advise(replace(HUGE, needs_tags=True))
    assert advice.recommended == "heavylift"
    assert "does not keep tags" in option(advice, "storage-transfer-service").against
    within = advise(replace(HUGE, target="aws", needs_tags=True))
    assert within.recommended == "datasync"


def test_nobody_moves_older_versions_and_it_is_said() -> None:
    advice = advise(replace(HUGE, needs_versions=True))
    for way in ("storage-transfer-service", "datasync", "azcopy"):
        assert "older versions are not moved" in option(advice, way).against
    assert option(advice, "heavylift").against == ("older versions are not moved",)


def test_a_device_is_for_much_data_of_ones_own_on_a_slow_line() -> None:
    case = MoveCase("kubernetes", "gcp", objects=10**6, size_bytes=500 * 10**12, link_bits_per_second=1e8)
    assert advise(case).recommended == "appliance"
    assert advise(replace(case, size_bytes=10**13)).recommended == "heavylift"
    assert advise(replace(case, link_bits_per_second=1e10)).recommended == "heavylift"
    # AWS takes no new customers for its devices.
    assert advise(replace(case, target="aws")).recommended == "heavylift"


def test_the_limits_of_datasync_come_from_the_table() -> None:
    long = advise(replace(HUGE, source="azure", target="aws", longest_key_bytes=4097))
    against = " ".join(option(long, "datasync").against)
    assert limit("AWS DataSync", "max path length").split()[0] in against
    with pytest.raises(KeyError):
        limit("AWS DataSync", "no such limit")


def test_keys_that_name_folders_are_told_to_stay_with_our_workers() -> None:
    advice = advise(replace(HUGE, folder_keys=12))
    assert any("12 keys that end in /" in loss for loss in option(advice, "storage-transfer-service").loses)


@given(st.integers(0, 10**17), st.integers(0, 10**10), st.floats(1e6, 1e12), st.integers(1, 64))
def test_more_workers_or_a_faster_line_never_take_longer(
    size: int, objects: int, line: float, workers: int
) -> None:
    days = online_days(size, objects, line, workers)
    assert online_days(size, objects, line * 2, workers) <= days
    assert online_days(size, objects, line, workers + 1) <= days
    assert online_days(size + 10**12, objects, line, workers) >= days


@given(
    st.sampled_from(["aws", "gcp", "azure", "kubernetes"]),
    st.sampled_from(["aws", "gcp", "azure", "kubernetes"]),
    st.integers(0, 10**9),
    st.integers(0, 10**17),
    st.sampled_from([None, True, False]),
    st.booleans(),
)
def test_whatever_is_recommended_is_possible_and_every_way_has_its_reason(
    source: str, target: str, objects: int, size: int, tags: bool | None, versions: bool
) -> None:
    case = MoveCase(source, target, objects, size, needs_tags=tags, needs_versions=versions)
    advice = advise(case)
    assert option(advice, advice.recommended).possible
    assert all(each.reasons for each in advice.options)
    assert all(each.possible is not bool(each.against) for each in advice.options if each.way != "heavylift")
    text = "\n".join(advice_lines(advice))
    assert advice.recommended in text
    assert "assumed" in text
