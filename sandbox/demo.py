"""``./dev demo``: the example migration from one local cloud to another, run by Airflow.

What it shows is checked by what it does not share code with: rclone compares both sides, and
the audit trail's hashes are computed afresh.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from heavylift.errors import HeavyliftError
from heavylift.evidence.records import PhaseSummary
from heavylift.report.databases import DatabaseRow, database_line
from heavylift.report.registries import RegistryRow, registry_line
from heavylift.spec import MigrationSpec, Phase, load_spec, migrations_dir
from heavylift.spec.registry_phase import spec_for
from heavylift_airflow.progress import human_size
from sandbox import paths
from sandbox.demo_airflow import AirflowClient, TaskState
from sandbox.demo_cutover import LiveWorkload, is_on_target, put_golden_requests
from sandbox.demo_follow import RunFollower, View
from sandbox.demo_history import look_at
from sandbox.demo_rclone import check_all
from sandbox.demo_results import RunResults, read_results, show_results, switch_line, verify_audit
from sandbox.demo_screen import screen
from sandbox.examples import account, features, fraud_scoring, history
from sandbox.model import Server
from sandbox.stack import Stack
from sandbox.waiting import until

DONE, FAILED, INTERRUPTED = 0, 1, 3

SCHEDULED_RUN_SECONDS = 4.0
SERVERS = (
    "aws_source",
    "aws_control",
    "gcp_target",
    "features_source",
    "features_target",
    "mlflow_source",
    "mlflow_target",
    "traffic",
)
PHASES = (Phase.ASSESS, Phase.TRANSFER, Phase.SYNC, Phase.REGISTRY, Phase.CUTOVER, Phase.ROLLBACK)
SETTLED_ROWS = 100
"""How many rows the writers must get acknowledged before the workload is moved, and after it."""


@dataclass(frozen=True)
class Options:
    """The demo's flags."""

    stay: bool
    pause: bool
    state_dir: Path
    rollback: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; return 0 if the migration was proved, 1 if not, 3 interrupted."""
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__)
    parser.add_argument("--exit", action="store_true", help="end after the run instead of staying up")
    parser.add_argument("--pause", action="store_true", help="leave approvals to you, in the Airflow UI")
    parser.add_argument("--rollback", action="store_true", help="after the cutover also roll back")
    parser.add_argument("--state-dir", type=Path, default=paths.STATE_DIR, help=argparse.SUPPRESS)
    flags = parser.parse_args(argv)
    console = Console(highlight=False)
    # A polite kill must stop the servers as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Shells let background jobs ignore SIGINT, and whoever sends it one means it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return Demo(console, Options(not flags.exit, flags.pause, flags.state_dir, flags.rollback)).run()
    except KeyboardInterrupt:
        console.print("\nInterrupted. Everything was stopped; it is safe to run the demo again.")
        return INTERRUPTED
    except HeavyliftError as error:
        print(f"./dev demo: {error}", file=sys.stderr)
        return FAILED


class Demo:
    """One run of the demo, step by step."""

    def __init__(self, console: Console, options: Options) -> None:
        self._console = console
        self._options = options
        self.spec: MigrationSpec = load_spec(migrations_dir() / "fraud-scoring.yaml")
        self._began = time.monotonic()

    def run(self) -> int:
        """Start everything, migrate, prove, and stop everything."""
        stack = self.start()
        try:
            passed = self.migrate(stack)
            if self._options.stay:
                self._console.print("Everything stays up until Ctrl-C.")
                _wait_for_interrupt()
            return DONE if passed else FAILED
        finally:
            stack.stop()

    def start(self) -> Stack:
        """Start two clouds and Airflow; whoever calls stops them."""
        self._say("Starting two clouds and Airflow on this machine")
        return Stack.start(self._options.state_dir, SERVERS, airflow=True, report=self._server_ready)

    def migrate(self, stack: Stack) -> bool:
        """Seed, migrate and sync; tell whether all of it was proved."""
        client = self._client(stack)
        self._end_leftovers(client)
        if is_on_target(self.spec, stack.env) and not self._begin_at_the_source(client, stack):
            return False
        self._say("Seeding the fraud-scoring workload on the AWS side")
        for workload in (account, fraud_scoring, features, history):
            self._console.print(f"  {workload.seed(stack.env)}")
        assess_run = self._begin(client, Phase.ASSESS)
        history_run = self._begin(client, Phase.REGISTRY)
        passed = self._assess(client, stack, assess_run)
        passed = passed and self._transfer(client, stack)
        passed = passed and self._registry(client, stack, history_run)
        passed = passed and self._incremental(client, stack)
        passed = passed and self._switch(client, stack)
        self._where_to_look(stack)
        verdict = "[bold green]proved[/]" if passed else "[bold red]NOT proved[/]"
        self._say(f"The migration is {verdict}, {time.monotonic() - self._began:.0f} s after the start")
        return passed

    def _end_leftovers(self, client: AirflowClient) -> None:
        """End what an interrupted demo left running: its clouds are gone, and it would be waited for."""
        for phase in PHASES:
            dag_id = self.spec.dag_id(phase)
            client.wait_for_dag(dag_id)
            if client.end_runs(dag_id):
                self._console.print(f"  Ended an unfinished run of {dag_id} from an earlier demo.")

    def _assess(self, client: AirflowClient, stack: Stack, run_id: str) -> bool:
        """Wait for the plan, which reads and changes nothing; the demo approves it as a person would."""
        dag_id = self.spec.dag_id(Phase.ASSESS)
        self._say(f"The run of {dag_id} that began first: everything listed, what depends on what, a plan")
        planned, results = self._finish(client, stack, Phase.ASSESS, run_id)
        show_results(self._console, results)
        return planned

    def _transfer(self, client: AirflowClient, stack: Stack) -> bool:
        dag_id = self.spec.dag_id(Phase.TRANSFER)
        self._say(f"Running {dag_id} in Airflow's scheduler")
        succeeded, results = self._run(client, stack, Phase.TRANSFER)
        show_results(self._console, results)
        return succeeded and self._independent_checks(stack)

    def _incremental(self, client: AirflowClient, stack: Stack) -> bool:
        """Sync twice: with nothing changed, and after the source has changed."""
        dag_id = self.spec.dag_id(Phase.SYNC)
        self._say(f"Running {dag_id} with nothing changed: it has to copy nothing")
        unchanged, results = self._run(client, stack, Phase.SYNC)
        idle = unchanged and results.summary is not None and results.summary.moved.objects == 0
        if not idle:
            return False
        self._say("Changing the source, then running the sync again")
        for workload in (fraud_scoring, features, history):
            self._console.print(f"  {workload.mutate(stack.env)}")
        registry = self.spec.dag_id(Phase.REGISTRY)
        beside = client.trigger(registry, note="started by ./dev demo")
        synced, _ = self._run(client, stack, Phase.SYNC)
        client.pause(dag_id)
        self._say(f"Its run of {registry}, which has begun beside the sync")
        followed, _ = self._finish(client, stack, Phase.REGISTRY, beside)
        client.pause(registry)
        return synced and followed and self._independent_checks(stack) and self._same_history(stack)

    def _switch(self, client: AirflowClient, stack: Stack) -> bool:
        """Cut the workload over while it is used, and roll it back where that is asked for."""
        self._console.print(f"  Requests that both sides are asked at once: {put_golden_requests(stack.env)}")
        with LiveWorkload(stack.env) as live:
            live.writer.wait_for(SETTLED_ROWS)
            passed = self._switch_to(client, stack, Phase.CUTOVER, live)
            if passed and self._options.rollback:
                passed = self._switch_to(client, stack, Phase.ROLLBACK, live)
            live.stop()
            tally = live.tally(self._side_now(stack, passed=passed))
        colour = "green" if tally.whole else "bold red"
        self._tell(f"What the applications saw: {tally}", colour)
        return passed and tally.whole

    def _side_now(self, stack: Stack, *, passed: bool) -> str:
        """Return the side that must have every row: after a switch that failed, where writes go."""
        if passed:
            return "source" if self._options.rollback else "target"
        return "target" if is_on_target(self.spec, stack.env) else "source"

    def _begin_at_the_source(self, client: AirflowClient, stack: Stack) -> bool:
        self._say("An earlier demo has left the workload on the target: rolling it back first")
        passed, _results = self._run(client, stack, Phase.ROLLBACK)
        return passed

    def _switch_to(self, client: AirflowClient, stack: Stack, phase: Phase, live: LiveWorkload) -> bool:
        dag_id = self.spec.dag_id(phase)
        self._say(f"Running {dag_id} while requests and writers go on")
        passed, _results = self._run(client, stack, phase)
        live.writer.wait_for(SETTLED_ROWS)
        return passed

    def _registry(self, client: AirflowClient, stack: Stack, run_id: str) -> bool:
        """Wait for the experiment history, and look at both servers without Heavylift's movers."""
        dag_id = self.spec.dag_id(Phase.REGISTRY)
        self._say(f"The run of {dag_id} that began beside it: the experiment history, with ids and times")
        moved, results = self._finish(client, stack, Phase.REGISTRY, run_id)
        show_results(self._console, results)
        return moved and self._same_history(stack)

    def _same_history(self, stack: Stack) -> bool:
        seen = look_at(self.spec, stack.env)
        verdict = "[green]equal[/]" if seen.equal else "[bold red]DIFFERENT[/]"
        self._console.print(f"  both tracking servers: {verdict}")
        self._tell(f"({seen})")
        for each in seen.different:
            self._console.print(f"    {each}", style="red", markup=False)
        # What the servers' artifacts are, rclone sees by itself.
        return self._same_objects(spec_for(self.spec, Phase.REGISTRY), stack) and seen.equal

    def _run(self, client: AirflowClient, stack: Stack, phase: Phase) -> tuple[bool, RunResults]:
        """Run one phase to its end; tell whether Airflow and the evidence both say it passed."""
        return self._finish(client, stack, phase, self._begin(client, phase))

    def _begin(self, client: AirflowClient, phase: Phase) -> str:
        dag_id = self.spec.dag_id(phase)
        client.unpause(dag_id)
        begun = self._begun_by_itself(client, dag_id, phase)
        return begun or client.trigger(dag_id, note="started by ./dev demo")

    def _finish(
        self, client: AirflowClient, stack: Stack, phase: Phase, run_id: str
    ) -> tuple[bool, RunResults]:
        dag_id = self.spec.dag_id(phase)
        last = self._follow(client, dag_id, run_id)
        if last.state != "success":
            self._tell_failures(client, dag_id, run_id)
        results = asyncio.run(read_results(self.spec, phase, run_id, stack.env))
        self._moved(results)
        return last.state == "success" and results.passed, results

    def _begun_by_itself(self, client: AirflowClient, dag_id: str, phase: Phase) -> str | None:
        """Return the run that a scheduled DAG starts when it is switched on for the first time."""
        if phase not in (Phase.SYNC, Phase.REGISTRY):
            return None
        begun = until(lambda: client.unfinished(dag_id), seconds=SCHEDULED_RUN_SECONDS)
        if not begun:
            return None
        self._tell(f"{dag_id} is switched on, and begins with its scheduled run by itself.")
        return begun[0]

    def _follow(self, client: AirflowClient, dag_id: str, run_id: str) -> View:
        follower = RunFollower(client, dag_id, run_id)
        # By attempt: Airflow asks again where an answer met the end of the process that asked.
        asked: set[tuple[str, int]] = set()
        with screen(self._console) as shown:
            for view in follower.views():
                shown.show(view)
                if view.question and (view.question, view.question_attempt) not in asked:
                    asked.add((view.question, view.question_attempt))
                    self._approve(client, dag_id, run_id, view.question)
        return view

    def _approve(self, client: AirflowClient, dag_id: str, run_id: str, task_id: str) -> None:
        page = client.page_of(dag_id, run_id, task_id)
        if self._options.pause:
            self._console.print(f"[bold yellow]Your approval is wanted:[/] {page}", soft_wrap=True)
            return
        client.answer(dag_id, run_id, task_id, -1, "Approve")
        self._console.print("The demo approved the gate as the sandbox's admin; --pause leaves that to you.")

    def _independent_checks(self, stack: Stack) -> bool:
        self._say("Independent checks")
        same = self._same_objects(self.spec, stack)
        audit = asyncio.run(verify_audit(self.spec, stack.env))
        verdict = "[green]intact[/]" if audit.intact else "[bold red]DAMAGED[/]"
        self._console.print(
            f"  audit trail: {verdict}, {audit.entries} entries, {audit.evidence_checked} files of evidence,"
            f" head {audit.head[:16]}"
        )
        for problem in audit.problems:
            self._console.print(f"    {problem.kind}: {problem.path} {problem.detail}", style="red")
        return audit.intact and same

    def _same_objects(self, spec: MigrationSpec, stack: Stack) -> bool:
        results = check_all(spec, stack.env)
        for result in results:
            verdict = "[green]equal[/]" if result.equal else "[bold red]DIFFERENT[/]"
            self._console.print(f"  rclone check --download {result.dataset}: {verdict} ({result.summary})")
        return bool(results) and all(result.equal for result in results)

    def _tell_failures(self, client: AirflowClient, dag_id: str, run_id: str) -> None:
        failed: list[TaskState] = [t for t in client.tasks(dag_id, run_id) if t.state == "failed"]
        for task in failed[:5]:
            self._console.print(f"[bold red]failed: {task.task_id}[/]")
            for line in client.log_tail(dag_id, run_id, task, lines=2):
                self._console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)

    def _moved(self, results: RunResults) -> None:
        summary = results.summary
        if summary is None:
            self._console.print("  The run left no summary.", style="red")
            return
        if results.assessment is not None:
            self._tell(results.assessment.line)
        elif results.switch is not None:
            self._tell(switch_line(results.switch))
        else:
            self._tell_counts(summary)
        for each in results.databases:
            self._tell(database_line(DatabaseRow(each, ())))
        for registry in results.registries:
            line = registry_line(RegistryRow(registry, (), datetime.now(UTC)))
            self._tell(line)
        for reason in summary.reasons:
            self._tell(reason, "red")
        if results.report:
            self._console.print(f"  Report: {results.report.removeprefix('file://')}", soft_wrap=True)

    def _tell_counts(self, summary: PhaseSummary) -> None:
        self._console.print(
            f"  found {summary.found.objects:,}, moved {summary.moved.objects:,}"
            f" ({human_size(summary.moved.size_bytes)}), unchanged {summary.unchanged.objects:,},"
            f" refused {summary.refused.objects:,}, failed {summary.failed.objects:,} objects"
        )

    def _where_to_look(self, stack: Stack) -> None:
        user, password = stack.airflow_login or ("", "")
        self._say("Where to look")
        self._console.print(f"  Airflow:  {stack.airflow_url}  (user {user}, password {password})")
        self._console.print(
            f"  Evidence: {stack.state_dir / 'evidence' / self.spec.migration}", soft_wrap=True
        )

    def _client(self, stack: Stack) -> AirflowClient:
        user, password = stack.airflow_login or ("", "")
        return AirflowClient(stack.airflow_url or "", user, password)

    def _server_ready(self, server: Server, what: str, seconds: float) -> None:
        timing = f"{seconds:6.1f} s" if seconds else " " * 8
        self._console.print(f"  {timing}  {server.title} {what}", highlight=False)

    def _tell(self, text: str, style: str = "") -> None:
        """Print a line; where it is longer than the terminal is wide, what follows is set in."""
        if self._console.is_terminal:
            text = textwrap.fill(
                text, self._console.width - 4, subsequent_indent="  ", break_on_hyphens=False
            )
        told = textwrap.indent(text, "  ")
        self._console.print(told, style=style, markup=False, highlight=False, soft_wrap=True)

    def _say(self, text: str) -> None:
        self._console.print(f"\n[bold]{text}[/]")


def _wait_for_interrupt() -> None:
    while True:
        signal.pause()


if __name__ == "__main__":
    raise SystemExit(main())
