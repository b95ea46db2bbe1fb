"""Names that users chose become path segments that are safe, distinct and readable."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from heavylift.evidence import paths
from heavylift.evidence.records import RunKey

RUN = RunKey(migration="m", phase="transfer", run="r")


@given(st.text())
def test_every_text_becomes_one_allowed_segment(text: str) -> None:
    segment = paths.safe_segment(text)
    assert "/" not in segment
    assert paths.check_path(f"m/{segment}/x.json")
    assert paths.original_text(segment) in {text, None}


@given(st.text(max_size=20), st.text(max_size=20))
def test_different_texts_get_different_segments(one: str, other: str) -> None:
    assert (paths.safe_segment(one) == paths.safe_segment(other)) == (one == other)


def test_long_texts_are_cut_but_stay_distinct() -> None:
    one, other = paths.safe_segment("é" * 300 + "1"), paths.safe_segment("é" * 300 + "2")
    assert one != other
    assert len(one) == paths.MAX_SEGMENT
    assert paths.original_text(one) is None


def test_airflow_run_ids_stay_readable() -> None:
    segment = paths.safe_segment("scheduled__2026-11-22T00:00:00+00:00")
    assert segment == "scheduled__2026-11-22T00~3A00~3A00~2B00~3A00"


def test_a_dataset_called_like_a_folder_of_the_run_has_its_own_folder() -> None:
    assert paths.dataset_folder(RUN, "gates") == "m/transfer/r/~gates"
    assert paths.gate_path(RUN, "complete", 2) == "m/transfer/r/gates/complete/2.json"
    assert paths.plan_path(RUN, "train") == "m/transfer/r/train/plan.json"
    assert (
        paths.manifest_path(RUN, "train", 7, 2, 1) == "m/transfer/r/train/shards/00007/002/manifest-1.parquet"
    )
