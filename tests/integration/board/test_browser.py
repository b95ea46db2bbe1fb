"""The board in a real browser: by keyboard, in both themes, live, and without barriers."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from heavylift.evidence.base import Record
from heavylift.evidence.paths import database_path
from heavylift.evidence.table_records import SyncRecord
from sandbox import node
from tests.integration.board.conftest import Airflow
from tests.support.board_place import AT, Place

pytestmark = pytest.mark.long

Open = Callable[..., Any]
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(autouse=True, scope="module")
def migrations(airflow: Airflow) -> None:
    """Make thirty migrations: one that waits, one that failed and is damaged, one with hostile names."""
    place = airflow.place
    for number in range(27):
        place.spec(f"m-{number:02d}", owner=f"team {number % 3}")
    place.spec("waits")
    place.spec("damaged")
    place.spec("hostile", description=HOSTILE, owner="<b>me</b>")
    place.gate(place.run(name="waits"))
    place.plan(place.run(name="waits"))
    for number, lag in enumerate((9.0, 4.0, 0.5), 1):
        _write_sync(place, "waits", number, lag)
    summary = place.summary(place.run(name="damaged"))
    (place.evidence / summary.path).write_text("{")
    place.summary(place.run(name="hostile"), passed=False, reasons=(HOSTILE,))


def _write_sync(place: Place, name: str, number: int, lag: float) -> Record:
    record = SyncRecord(
        run=place.run("sync", name), database="db", direction="forward", engine="changes", started_at=AT,
        ended_at=AT + timedelta(minutes=number), from_position="0/1", upto_position="0/2",
        applied_position="0/2", caught_up=True, lag_seconds=lag, lag_bytes=number * 10,
    )  # fmt: skip
    place.write(database_path(place.run("sync", name), "db", "sync", number), record)
    return record


def show(page: Any, path: str = "/heavylift/board") -> Any:
    """Open a page and wait until it has looked at what is new."""
    page.goto(path)
    page.locator("#live", has_text="looked at").wait_for()
    if path == "/heavylift/board":
        page.locator("a.row", has_text="damaged").wait_for()
        page.locator(".badge.unreadable").wait_for()
    return page


def focused(page: Any) -> str:
    return str(page.locator(":focus").get_attribute("id") or page.locator(":focus").inner_text())


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["", "/m/waits", "/m/damaged"])
@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_stands_in_anybodys_way(open_page: Open, theme: str, path: str, width: int) -> None:
    viewport = {"width": width, "height": 850}
    opened = open_page("admin", color_scheme=theme, bypass_csp=True, viewport=viewport)
    page = show(opened, f"/heavylift/board{path}")
    for summary in page.locator("details > summary").all():
        if summary.is_visible():
            summary.click()
    page.evaluate(node.axe().read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    told = [(each["id"], each["impact"], each["nodes"][0]["html"][:200]) for each in found["violations"]]
    assert [each for each in told if each[1] in ("serious", "critical")] == []
    assert found["passes"], "axe has looked at something"


@pytest.mark.parametrize("path", ["", "/m/waits", "/m/damaged"])
def test_a_telephone_shows_it_without_moving_sideways(open_page: Open, path: str) -> None:
    page = show(open_page("admin", viewport={"width": 400, "height": 850}), f"/heavylift/board{path}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    wide = "[...document.querySelectorAll('.scroll')].filter((each) => each.scrollWidth > each.clientWidth)"
    assert page.evaluate(f"{wide}.map((each) => each.getAttribute('aria-label'))") == []
    cell = page.locator("tbody td:visible").first
    column = cell.evaluate("(cell) => getComputedStyle(cell, '::before').content")
    assert column in ('"State"', '"Latest run"')
    assert cell.evaluate("(cell) => cell.closest('tr').querySelector('th').offsetTop < cell.offsetTop")


def test_the_checker_would_find_a_barrier(open_page: Open) -> None:
    page = show(open_page(bypass_csp=True))
    page.evaluate("document.querySelector('.brand').style.color = '#e8e8e8'")
    page.evaluate(node.axe().read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert "color-contrast" in [each["id"] for each in found["violations"]]


def test_the_list_is_used_by_keyboard_alone(open_page: Open) -> None:
    page = show(open_page())
    page.keyboard.press("j")
    assert focused(page) == "m-damaged"
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    assert focused(page) == "m-waits"
    page.keyboard.press("k")
    assert focused(page) == "m-hostile"
    page.keyboard.press("n")
    page.locator("text=Page 2 of 2").wait_for()
    page.keyboard.press("p")
    page.locator("text=Page 1 of 2").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("wait")
    page.keyboard.press("Enter")
    page.locator("text=Page 1 of 1").wait_for()
    page.locator("#live", has_text="looked at").wait_for()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.locator("h1", has_text="waits").wait_for()
    page.keyboard.press("j")
    assert focused(page) == "h-approvals"
    page.keyboard.press("?")
    page.locator("dialog[open]").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("u")
    page.locator("#lines").wait_for()


def test_what_changes_appears_by_itself_and_keeps_the_focus(open_page: Open, airflow: Airflow) -> None:
    place = airflow.place
    place.spec("moving")
    place.gate(place.run(name="moving"))
    page = show(open_page(), "/heavylift/board/m/moving")
    page.locator("#g-transfer-proved > summary").click()
    page.locator("text=gate proved passed and waits for approval").first.wait_for()
    place.answer(place.run(name="moving"), place.gate(place.run(name="moving")))
    page.locator("text=gate proved was approved by Ada").first.wait_for(timeout=60_000)
    assert page.locator("#g-transfer-proved[open]").count() == 1
    assert "proved" in focused(page)
    assert page.locator("text=Nobody is asked anything").count() == 1


def test_hostile_names_are_shown_and_do_nothing(open_page: Open) -> None:
    page = show(open_page(), "/heavylift/board/m/hostile")
    assert page.locator(".lead").inner_text() == HOSTILE
    assert page.title() == "hostile · Heavylift"
    assert page.locator("main img, main script, main b").count() == 0


def test_a_damaged_record_is_told_on_its_page(open_page: Open) -> None:
    page = show(open_page(), "/heavylift/board/m/damaged")
    told = page.locator(".alarm").all_inner_texts()
    assert any("summary-1.json cannot be read" in each for each in told)
    assert page.locator("#trail").is_visible()


def test_the_lag_is_a_curve_and_a_table(open_page: Open) -> None:
    page = show(open_page(), "/heavylift/board/m/waits")
    assert page.locator("#lag canvas").count() == 1
    page.locator("#lag summary").click()
    assert page.locator("#lag details tbody tr").count() == 3


def test_inside_airflow_it_takes_its_theme_and_its_links_leave_the_frame(open_page: Open) -> None:
    page = open_page("admin", color_scheme="light")
    page.goto("/plugin/heavylift-board")
    board = page.frame_locator("iframe")
    board.locator("a.row", has_text="waits").wait_for(timeout=60_000)
    dark = page.evaluate("document.documentElement.classList.contains('dark')")
    themed = board.locator(f"html[data-theme={'dark' if dark else 'light'}]")
    themed.wait_for(state="attached")
    page.evaluate("document.documentElement.classList.toggle('dark')")
    board.locator(f"html[data-theme={'light' if dark else 'dark'}]").wait_for(state="attached")
    board.locator("a.row", has_text="waits").click()
    board.locator("#phases a[data-top]").first.click()
    page.wait_for_url("**/dags/waits.transfer/runs/**")


def test_a_run_is_started_with_the_readers_own_login_and_is_seen_at_work(
    open_page: Open, airflow: Airflow
) -> None:
    _register("waits", airflow.place)
    assert show(open_page("viewer"), "/heavylift/board/m/waits").locator("button.start").count() == 0
    page = show(open_page("admin"), "/heavylift/board/m/waits")
    page.locator("button.start[data-dag='waits.transfer']").click()
    # A new DAG is paused: a run of it would wait for ever, and nobody would be told why.
    assert page.get_by_label("switch the DAG on").is_checked()
    page.locator("dialog[open] button", has_text="Start").click()
    page.locator("dialog[open]", has_text="Started: ").wait_for()
    run_id = page.locator("dialog[open] [role=status]").inner_text().removeprefix("Started: ")
    assert page.request.get("/api/v2/dags/waits.transfer").json()["is_paused"] is False
    page.keyboard.press("Escape")
    _work(page, run_id)
    running = page.locator("#running", has_text="begin_run")
    running.wait_for(timeout=60_000)
    page.locator("#running", has_text="1.0 MiB of 4.0 MiB, 512.0 KiB/s, 6 s left").wait_for(timeout=60_000)


def test_a_run_of_a_dag_that_is_paused_says_what_it_waits_for(open_page: Open, airflow: Airflow) -> None:
    _register("m-00", airflow.place)
    page = show(open_page("admin"), "/heavylift/board/m/m-00")
    page.locator("button.start[data-dag='m-00.transfer']").click()
    page.get_by_label("switch the DAG on").uncheck()
    page.locator("dialog[open] button", has_text="Start").click()
    page.locator("dialog[open]", has_text="Started: ").wait_for()
    page.keyboard.press("Escape")
    told = page.locator("#running", has_text="the DAG is paused")
    told.wait_for(timeout=60_000)
    assert "m-00.transfer" in told.inner_text()


def test_who_may_start_but_not_edit_a_paused_dag_is_told_what_is_missing(
    open_page: Open, airflow: Airflow
) -> None:
    _register("m-01", airflow.place)
    page = show(open_page("admin", refused=True), "/heavylift/board/m/m-01")
    # The simple auth manager has no user who may trigger and not edit.
    refused = {"status": 403, "content_type": "application/json", "body": '{"detail": "Forbidden"}'}
    page.route(
        "**/api/v2/dags/m-01.transfer?**",
        lambda route: route.fulfill(**refused) if route.request.method == "PATCH" else route.continue_(),
    )
    page.locator("button.start[data-dag='m-01.transfer']").click()
    assert page.get_by_label("switch the DAG on").is_checked()
    go = page.locator("dialog[open] button", has_text="Start")
    go.click()
    page.locator("dialog[open]", has_text="that needs the right to edit it. Nothing was started.").wait_for()
    assert not page.get_by_label("switch the DAG on").is_checked()
    go.click()
    page.locator("dialog[open]", has_text="Started: ").wait_for()
    assert page.request.get("/api/v2/dags/m-01.transfer").json()["is_paused"] is True


def test_who_may_not_start_at_all_is_told_so(open_page: Open, airflow: Airflow) -> None:
    _register("m-02", airflow.place)
    page = show(open_page("admin", refused=True), "/heavylift/board/m/m-02")
    page.route("**/api/v2/dags/m-02.transfer/dagRuns", lambda route: route.fulfill(status=403, body="{}"))
    page.locator("button.start[data-dag='m-02.transfer']").click()
    page.locator("dialog[open] button", has_text="Start").click()
    page.locator("dialog[open]", has_text="the right to trigger the DAG").wait_for()


def _register(name: str, place: Place) -> None:
    """Make the DAG known to Airflow, as its DAG processor would."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    from heavylift.spec import Phase
    from heavylift.spec.load import load_files
    from heavylift_airflow.phases.movement import movement_dag

    (loaded,) = load_files([place.specs / f"{name}.yaml"]).valid
    dag = movement_dag(loaded, Phase.TRANSFER)
    assert dag is not None
    bag = DagBag(collect_dags=False)
    bag.bag_dag(dag)
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(bag, "dags-folder", None)


def _work(page: Any, run_id: str) -> None:
    """Have a task of the run be at work and tell its progress, as a task runner would."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from airflow.utils.state import TaskInstanceState

    with create_session() as session:
        task = session.query(TaskInstance).filter_by(run_id=run_id, task_id="begin_run").one()
        task.state = TaskInstanceState.RUNNING
    progress = {"bytes_done": 2**20, "bytes_total": 2**22, "bytes_per_second": 2**19, "seconds_left": 6.0}
    where = f"/api/v2/dags/waits.transfer/dagRuns/{run_id}/taskInstances/begin_run/state-store/progress"
    answer = page.request.put(
        where, data=json.dumps({"value": progress}), headers={"Content-Type": "application/json"}
    )
    assert answer.ok, answer.text()


def test_evidence_opens_behind_its_link(open_page: Open) -> None:
    page = show(open_page(), "/heavylift/board/m/waits")
    page.locator("#progress a.proof").first.click()
    page.wait_for_url("**/heavylift/evidence/waits.transfer/**")
    assert json.loads(page.locator("pre").inner_text())["dataset"] == "data"
