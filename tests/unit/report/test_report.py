"""The report tells the truth about a run, loads nothing, and lets no key act."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from heavylift.cli.objects_text import renewed
from heavylift.evidence import paths
from heavylift.evidence.records import (
    Finding,
    PlanRecord,
    ProgressSample,
    Severity,
    ShardResult,
    ShardSummary,
    Tally,
    VerificationRecord,
)
from heavylift.evidence.run_evidence import Counts
from heavylift.evidence.store import EvidenceStore
from heavylift.report.build import build_report, render_report
from heavylift.report.scale import byte_step, elapsed, time_step
from heavylift.report.story import read_story
from heavylift.report.text import visible
from heavylift.report.throughput import throughput_of
from heavylift.report.timeline import Bar, Lane, Mark, draw_lanes, merge_bars, place_bars
from heavylift.report.verdict import Standing, headline_of
from heavylift.report.view import adds_up, view_of
from tests.unit.evidence.memory_store import MemoryStore
from tests.unit.report.rich_run import HOSTILE, RUN, RichRun

MIB = 1024 * 1024


class Page(HTMLParser):
    """What a browser would make of the page: tags, attributes and text."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag in self.open, f"</{tag}> closes nothing"
        while self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def objects() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def store(objects: MemoryStore) -> EvidenceStore:
    return EvidenceStore(objects)


@pytest.fixture
def rich(store: EvidenceStore) -> RichRun:
    return RichRun(store)


async def test_a_good_run_is_told_as_passed(store: EvidenceStore, rich: RichRun) -> None:
    summary = await rich.write()
    assert summary.passed, summary.reasons
    page = Page(await render_report(store, RUN))
    assert "Everything the source had is on the target" in page.text
    assert "101,240 objects, 19.9 GiB, in 3 datasets were proved equal" in page.text
    assert "The counts add up" in page.text
    assert "Approved by Ada Lovelace <ada@example.org>" in page.text
    assert "target read back, multipart MD5 equal to the source's own" in page.text
    story = await read_story(store, RUN)
    assert story.trail.head in page.text
    assert f"heavylift audit verify fraud-scoring --head {story.trail.head}" in page.text
    approval = story.gates[0].approvals[0].record
    assert approval.gate_result.sha256 in page.text


async def test_a_broken_run_is_told_with_every_reason(store: EvidenceStore, rich: RichRun) -> None:
    summary = await rich.write(broken=True)
    assert not summary.passed
    page = Page(await render_report(store, RUN))
    assert "Everything the source had" not in page.text
    assert "This run is not complete and proved" in page.text
    for reason in summary.reasons:
        assert reason in page.text
    for part in ("HTTP 503", "nothing of this object is on the target", "run again later", "HL-3002"):
        assert part in page.text


async def test_the_page_runs_and_loads_nothing(store: EvidenceStore, rich: RichRun) -> None:
    await rich.write(broken=True)
    html = await render_report(store, RUN)
    page = Page(html)
    assert not {"script", "img", "link", "iframe", "object", "base", "form", "image"} & set(page.tags)
    assert [value for _tag, name, value in page.attributes if name in {"src", "srcset", "xlink:href"}] == []
    assert all(value.startswith("#") for _tag, name, value in page.attributes if name == "href")
    assert not [name for _tag, name, _value in page.attributes if name.startswith("on")]
    assert b"url(" not in html
    assert b"@import" not in html
    policy = next(value for tag, name, value in page.attributes if tag == "meta" and "default-src" in value)
    assert policy.startswith("default-src 'none'")


async def test_hostile_keys_are_shown_and_do_nothing(store: EvidenceStore, rich: RichRun) -> None:
    await rich.write(broken=True)
    html = await render_report(store, RUN)
    page = Page(html)
    assert b"<script" not in html
    assert visible(HOSTILE) in page.text
    assert "\\u202e" in page.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", html.decode())


async def test_the_size_of_the_page_does_not_grow_with_the_objects(store: EvidenceStore) -> None:
    await RichRun(store, objects=100_000_000).write()
    assert len(await render_report(store, RUN)) < 100_000


async def test_each_report_is_kept_beside_the_earlier_ones(store: EvidenceStore, rich: RichRun) -> None:
    await rich.write()
    first = await build_report(store, RUN)
    second = await build_report(store, RUN)
    assert (first.path, second.path) == (paths.report_path(RUN, 1), paths.report_path(RUN, 2))
    assert (await store.read_verified(first)).startswith(b"<!doctype html>")


async def test_without_a_summary_nothing_is_called_passed(
    store: EvidenceStore, objects: MemoryStore, rich: RichRun
) -> None:
    await rich.write()
    del objects.objects[f"root/{paths.summary_path(RUN, 1)}"]
    story = await read_story(store, RUN)
    assert {each.dataset for each in story.datasets} == set(rich.datasets)
    assert headline_of(story).standing is Standing.OPEN
    assert "This run has not ended with a summary" in Page(await render_report(store, RUN)).text


async def test_a_summary_that_the_evidence_contradicts_is_not_believed(
    store: EvidenceStore, rich: RichRun
) -> None:
    await rich.write()
    good = await store.read_record(paths.verification_path(RUN, "embeddings", 1), VerificationRecord)
    bad = good.model_copy(update={"passed": False, "missing": 4, "verified_at": datetime.now(UTC)})
    await store.write_json(paths.verification_path(RUN, "embeddings", 2), bad)
    headline = headline_of(await read_story(store, RUN))
    assert headline.standing is Standing.FAILED
    assert headline.reasons == ("embeddings: a later verification failed",)


async def test_a_damaged_trail_is_told(store: EvidenceStore, objects: MemoryStore, rich: RichRun) -> None:
    await rich.write()
    key = "root/fraud-scoring/audit/000000000003.json"
    objects.objects[key] = objects.objects[key].replace(b"shard 0", b"shard 9")
    headline = headline_of(await read_story(store, RUN))
    assert headline.reasons == ("the audit trail is damaged",)
    assert "HL-4031" in Page(await render_report(store, RUN)).text


async def test_objects_that_stayed_behind_change_the_headline(store: EvidenceStore, rich: RichRun) -> None:
    await rich.write()
    plan = await store.read_record(paths.plan_path(RUN, "embeddings"), PlanRecord)
    story = await read_story(store, RUN)
    one = Tally(objects=1, size_bytes=1)
    refused = plan.model_copy(update={"refused": one, "found": plan.found + one})
    changed = [
        each if each.dataset != "embeddings" or not each.plan
        else type(each)(**vars(each) | {"plan": type(each.plan)(each.plan.ref, refused)})
        for each in story.datasets
    ]  # fmt: skip
    headline = headline_of(type(story)(**vars(story) | {"datasets": tuple(changed)}))
    assert headline.title == "Moved and proved, except for 1 object that the spec lets stay behind"


async def test_a_dry_run_has_moved_nothing(store: EvidenceStore) -> None:
    found = Tally(objects=7, size_bytes=7 * MIB)
    blocker = Finding(rule="key-too-long", severity=Severity.BLOCKER, subject="s3://b/k", detail="too long")
    plan = PlanRecord(
        run=RUN, dataset="d", source_url="s3://b/", target_url="gs://b/", dry_run=True,
        found=found + Tally(objects=1), to_copy=found, unchanged=Tally(), refused=Tally(objects=1),
        only_on_target=Tally(), findings=(blocker,), finding_count=1,
        shards=(ShardSummary(index=0, objects=7, size_bytes=7 * MIB),),
    )  # fmt: skip
    await store.write_json(paths.plan_path(RUN, "d"), plan)
    headline = headline_of(await read_story(store, RUN))
    assert headline.label == "Dry run"
    assert (
        headline.sentence == "7 objects, 7.0 MiB, would be moved. 1 object would not; the findings say why."
    )


async def test_a_dry_run_does_not_call_moved_what_it_would_only_ask_again(store: EvidenceStore) -> None:
    found, again = Tally(objects=7, size_bytes=7 * MIB), Tally(objects=5, size_bytes=5 * MIB)
    plan = PlanRecord(
        run=RUN, dataset="d", source_url="s3://b/", target_url="gs://b/", dry_run=True,
        found=found, to_copy=found, unchanged=Tally(), refused=Tally(), only_on_target=Tally(),
        actions={"recheck": again, "copy": Tally(objects=2, size_bytes=2 * MIB)},
    )  # fmt: skip
    await store.write_json(paths.plan_path(RUN, "d"), plan)
    assert headline_of(await read_story(store, RUN)).sentence == (
        "2 objects, 2.0 MiB, would be moved. The attributes of 5 objects would be compared."
    )


async def test_books_that_do_not_add_up_are_told(store: EvidenceStore, rich: RichRun) -> None:
    await rich.write()
    story = await read_story(store, RUN)
    assert all(row.adds_up for row in view_of(story).rows)
    one = Tally(objects=1, size_bytes=5)
    assert adds_up(Counts(found=one, vanished=one))
    assert not adds_up(Counts(found=one, moved=Tally(objects=1, size_bytes=4)))


async def test_the_throughput_plot_holds_every_byte(store: EvidenceStore, rich: RichRun) -> None:
    await rich.write()
    story = await read_story(store, RUN)
    throughput = throughput_of(story)
    assert throughput is not None
    counted = sum(
        kept.record.samples[-1].size_bytes
        for each in story.datasets
        for tries in each.attempts.values()
        for kept in tries
    )
    assert throughput.total_bytes == pytest.approx(counted, rel=1e-6)


async def test_a_shard_without_samples_counts_by_its_total(store: EvidenceStore) -> None:
    began = datetime(2026, 11, 22, tzinfo=UTC)
    tally = Tally(objects=1, size_bytes=10 * MIB)
    result = ShardResult(
        run=RUN, dataset="d", shard=0, attempt=1, started_at=began, ended_at=began + timedelta(seconds=10),
        found=tally, moved=tally, unchanged=Tally(), failed=Tally(),
        samples=(ProgressSample(seconds=0, objects=0, size_bytes=0),),
    )  # fmt: skip
    await store.write_json(paths.shard_result_path(RUN, "d", 0, 1), result)
    throughput = throughput_of(await read_story(store, RUN))
    assert throughput is not None
    assert throughput.rates == pytest.approx([MIB] * 20)


async def test_objects_that_were_copied_for_their_attributes_are_counted(store: EvidenceStore) -> None:
    began, tally = datetime(2026, 11, 22, tzinfo=UTC), Tally(objects=2, size_bytes=10)
    result = ShardResult(
        run=RUN, dataset="d", shard=0, attempt=1, started_at=began, ended_at=began + timedelta(seconds=10),
        found=tally, moved=tally, unchanged=Tally(), failed=Tally(), renewed=1,
    )  # fmt: skip
    await store.write_json(paths.shard_result_path(RUN, "d", 0, 1), result)
    told = Page(await render_report(store, RUN)).text
    assert "1 object of the moved had new attributes alone and was copied again whole." in told
    assert renewed([result, result]) == ["  new attributes             2 objects, copied again whole"]
    assert renewed([result.model_copy(update={"renewed": 0})]) == []


def _bar(start: int, end: int, kind: str = "copy") -> Bar:
    began = datetime(2026, 11, 22, tzinfo=UTC)
    return Bar(kind, began + timedelta(seconds=start), began + timedelta(seconds=end), f"{start}-{end}")


def test_bars_that_overlap_get_rows_and_others_the_whole_lane() -> None:
    bars = (_bar(0, 5, "plan"), _bar(6, 20), _bar(7, 12), _bar(12, 30), _bar(31, 40, "proof"))
    places = {bar.title: (place.row, place.of) for bar, place in place_bars(bars).items()}
    assert places == {"0-5": (0, 1), "6-20": (0, 2), "7-12": (1, 2), "12-30": (1, 2), "31-40": (0, 1)}


def test_thousands_of_bars_become_few() -> None:
    bars = tuple(_bar(second, second + 3) for second in range(5_000))
    assert [bar.title for bar in merge_bars(bars)] == ["copy, many at once"]
    assert merge_bars(bars[:10]) == bars[:10]


def test_axes_have_round_ticks() -> None:
    assert [time_step(seconds) for seconds in (0.7, 8, 100, 700, 90_000, 10 * 86_400)] == [
        0.1, 1, 15, 120, 21_600, 172_800,
    ]  # fmt: skip
    assert [elapsed(*each) for each in ((0, 5), (15, 60), (75, 120), (3900, 9000), (86_400, 900_000))] == [
        "0", "15 s", "1:15 min", "1:05 h", "1 d",
    ]  # fmt: skip
    assert byte_step(500 * MIB) == 128 * MIB
    assert byte_step(3) == 1


def test_words_about_a_late_answer_end_before_the_mark_of_an_early_one() -> None:
    start = datetime(2026, 11, 30, tzinfo=UTC)
    work = Lane("plan", (Bar("plan", start, start + timedelta(seconds=60), "Plan"),))

    def words_at(*seconds: int) -> float:
        marks = tuple(Mark("good", start + timedelta(seconds=each), "passed") for each in seconds)
        drawn = draw_lanes([work, Lane("gate", marks=marks)])
        assert drawn is not None
        (x,) = re.findall(r'<text x="([0-9.]+)" y="[0-9.]+" class="later">', drawn.svg)
        return float(x)

    assert words_at(62, 4000) < words_at(10, 4000)
