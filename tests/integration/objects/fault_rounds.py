"""One round of faults, drawn from a seed: what a run claims is held against what an independent judge reads.

A round draws objects, a pair of stores, a schedule of faults for each side, and perhaps a kill. It runs the
move a few times amid the faults, as retries would, then without them until it is done. After each phase the
judge reads the target by the vendors' own clients.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.integration.objects import judge
from tests.integration.objects.attempts import Attempt, in_a_process, in_this_process
from tests.integration.objects.drawn import (
    MIB,
    Change,
    Drawn,
    draw_changes,
    draw_objects,
    sha256,
    write_objects,
)
from tests.integration.objects.places import Servers
from tests.integration.objects.proxied import DIALECTS, origin
from tests.integration.objects.removal import remove
from tests.support.fault_proxy import FaultProxy, running
from tests.support.fault_schedule import Schedule, draw_schedule

PAIRS = (
    ("aws_source", "aws_target"),
    ("aws_source", "gcp_target"),
    ("aws_source", "azure_target"),
    ("file", "aws_target"),
    ("aws_source", "file"),
    ("gcp_target", "aws_target"),
    ("azure_target", "aws_target"),
)
MOST_ATTEMPTS = 3
STALL_SECONDS = 2
AT_ONCE = 8
LEFT_WRONG = {"HL-3250", "HL-5019"}


@dataclass(frozen=True)
class Round:
    """What is drawn for one round.

    :param kill_at: the request, counted on one side, at which each of the first attempts is ended.
    :param killed: by kill -9 of a process of its own; else the attempt is cancelled, as a task that is
        marked failed in Airflow is.
    :param same_run: retries belong to one run, as a cleared task's do; else each is a run of its own.
    :param changes: at which request which object of the source grows, or goes.
    """

    seed: int
    source: str
    target: str
    objects: tuple[Drawn, ...]
    kill_at: tuple[int, ...]
    killed: bool
    same_run: bool
    changes: tuple[Change, ...]

    @classmethod
    def draw(cls, seed: int) -> Round:
        """Return the round of a seed."""
        dice = random.Random(f"round:{seed}")
        source, target = dice.choice(PAIRS)
        objects = tuple(draw_objects(dice, seed, source))
        ends = tuple(dice.randint(1, 70) for _ in range(dice.randint(1, 2)))
        kind, same_run = dice.random(), dice.random() < 0.3
        if kind < 0.3:
            return cls(seed, source, target, objects, ends, killed=True, same_run=False, changes=())
        if kind < 0.4:
            return cls(seed, source, target, objects, ends, killed=False, same_run=same_run, changes=())
        changes = tuple(draw_changes(dice, objects)) if kind < 0.55 else ()
        return cls(seed, source, target, objects, (), killed=False, same_run=False, changes=changes)


@dataclass
class Outcome:
    """What came of a round, for the figures."""

    faults: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)


@dataclass
class Running:
    """One round at work.

    :param claims: what is asserted goes through here, so that each message names the seed.
    """

    servers: Servers
    drawn: Round
    container: str
    folder: Path
    outcome: Outcome = field(default_factory=Outcome)
    said_wrong: set[str] = field(default_factory=set)

    def claim(self, true: bool, what: object) -> None:
        """Fail with the round's seed unless ``true``."""
        assert true, (
            f"HEAVYLIFT_FAULT_SEED={self.drawn.seed}: {self.drawn.source} -> {self.drawn.target}: {what}"
        )

    async def run(self) -> Outcome:
        """Run the round to its end."""
        self.expected = {one.key: sha256(one) for one in self.drawn.objects}
        self.ever = {key: {sha} for key, sha in self.expected.items()}
        source, target = self.drawn.source, self.drawn.target
        self.origin = self.servers.place(source, f"{self.container}-source")
        self.goal = self.servers.place(target, f"{self.container}-target")
        await asyncio.to_thread(
            write_objects,
            self.servers,
            source,
            self.origin_name,
            list(self.drawn.objects),
        )
        foreign = await asyncio.to_thread(self._begin_foreign_upload)
        async with self._proxies() as (before_source, before_target):
            watched = before_source or before_target
            assert watched is not None
            watched.watch.append(self.change)
            for number in range(MOST_ATTEMPTS):
                attempt = await self._attempt(number, before_source, before_target)
                await self._judge(attempt)
                if attempt.done:
                    break
            for proxy in (before_source, before_target):
                self.outcome.faults += proxy.done if proxy else Counter()
            lost = [line for p in (before_target,) if p for line in p.answers_lost if "?uploads" in line]
        await self._finish(foreign, len(lost))
        await asyncio.to_thread(remove, self.servers, source, self.origin_name)
        await asyncio.to_thread(remove, self.servers, target, self.goal_name)
        return self.outcome

    @property
    def origin_name(self) -> str:
        """The source's container."""
        return f"{self.container}-source"

    @property
    def goal_name(self) -> str:
        """The target's container."""
        return f"{self.container}-target"

    def _begin_foreign_upload(self) -> set[str]:
        """Begin an upload that is not Heavylift's, under a key that will be moved; it must survive."""
        if self.drawn.target != "aws_target":
            return set()
        client, key = self.servers.s3_as_asked("aws_target"), self.drawn.objects[0].key
        upload = client.create_multipart_upload(Bucket=self.goal_name, Key=key)["UploadId"]
        return {f"{key} {upload}"}

    @asynccontextmanager
    async def _proxies(self) -> AsyncIterator[tuple[FaultProxy | None, FaultProxy | None]]:
        async with AsyncExitStack() as stack:
            made = []
            for side in ("source", "target"):
                server = getattr(self.drawn, side)
                if server == "file":
                    made.append(None)
                    continue
                connection = self.servers.connection(server)
                proxy = FaultProxy(
                    origin(str(connection.extra.get("endpoint_url") or connection.host)),
                    self._fair(draw_schedule(f"{self.drawn.seed}:{side}", target=side == "target"), server),
                    DIALECTS[server],
                )
                made.append(await stack.enter_async_context(running(proxy)))
            yield made[0], made[1]

    def _fair(self, schedule: Schedule, server: str) -> Schedule:
        """Leave out what no real store lets happen.

        fake-gcs-server, alone, stores bytes that the checksum beside them denies; Heavylift deletes them
        again. Whom the permission to do so is taken from in between, or who is killed, cannot.
        """
        gone = any(storm.fault in {"denied", "expired"} for storm in schedule.storms)
        if server != "gcp_target" or not (gone or self.drawn.kill_at):
            return schedule
        rates = {fault: rate for fault, rate in schedule.rates.items() if fault != "flip_request"}
        return replace(schedule, rates=rates)

    async def _attempt(
        self, number: int, before_source: FaultProxy | None, before_target: FaultProxy | None
    ) -> Attempt:
        end_at = self.drawn.kill_at[number] if number < len(self.drawn.kill_at) else 0
        run = "faulty" if self.drawn.same_run else f"faulty-{number}"
        attempt = await self._one(run, before_source, before_target, end_at)
        self.outcome.counts["attempts"] += 1
        self.outcome.counts["killed" if self.drawn.killed else "cancelled"] += attempt.killed
        self.outcome.counts["ended with an error"] += not attempt.done and not attempt.killed
        return attempt

    async def _one(
        self, run: str, before_source: FaultProxy | None, before_target: FaultProxy | None, end_at: int
    ) -> Attempt:
        attempt = in_a_process if self.drawn.killed else in_this_process
        return await attempt(self, run, before_source, before_target, end_at)

    def change(self, number: int) -> None:
        """Let the source change, if it is to at the request with this number."""
        for change in self.drawn.changes:
            if change.at == number:
                change.apply(self.servers, self.drawn.source, self.origin_name)
                self.outcome.counts["source changes"] += 1
                self.expected.pop(change.old.key, None)
                if change.new:
                    self.expected[change.new.key] = sha256(change.new)
                    self.ever[change.new.key].add(sha256(change.new))

    async def _judge(self, attempt: Attempt) -> None:
        """Hold what an attempt says against what is there."""
        there = await asyncio.to_thread(judge.contents, self.servers, self.drawn.target, self.goal_name)
        wrong = {key for key, sha in there.items() if sha not in self.ever.get(key, ())}
        # Only fake-gcs-server stores bytes that its own checksum denies. They may stay for a while where it
        # refuses to delete them again, if the run says so of that very object.
        self.said_wrong |= {
            failure["key"]
            for result in attempt.shards
            for failure in result["failures"]
            if failure["error"]["code"] in LEFT_WRONG
        }
        told = self.said_wrong if self.drawn.target == "gcp_target" and not attempt.done else set()
        self.claim(
            wrong <= told, f"wrong bytes are visible under {sorted(wrong - told)} after {attempt.text}"
        )
        if attempt.done:
            missing = self.expected.keys() - there.keys()
            self.claim(not missing, f"said to be done, but {sorted(missing)} are missing: {attempt.text}")
        for record in attempt.verifications:
            self.claim(
                record["equal"]["objects"] <= len(there),
                f"{record['equal']} said to be equal, {len(there)} are: {attempt.text}",
            )
            self.claim(
                not record["passed"] or (there.keys() >= self.expected.keys() and not record["unverifiable"]),
                f"passed, but only {len(there)} of {len(self.expected)} are there: {attempt.text}",
            )
        if not attempt.done and not attempt.killed:
            self.claim(bool(attempt.errors) or attempt.differs, f"ended without an error: {attempt.text}")
            for error in attempt.errors:
                whole = all(error[part] for part in ("what", "got", "remedy", "code"))
                self.claim(whole, f"an error that leaves its reader alone: {error}")
                self.outcome.errors[error["code"]] += 1
        for result in attempt.shards:
            self._add_up(result)
        self._hide_secrets(attempt.text)

    def _add_up(self, result: dict[str, Any]) -> None:
        for unit in ("objects", "size_bytes"):
            parts = {
                name: result[name][unit]
                for name in ("moved", "unchanged", "skipped", "failed", "vanished", "left")
            }
            self.claim(
                sum(parts.values()) == result["found"][unit] and min(parts.values()) >= 0,
                f"{parts} is not {result['found']}",
            )

    def _hide_secrets(self, text: str) -> None:
        for name in {self.drawn.source, self.drawn.target} - {"file"}:
            secret = self.servers.connection(name).password
            if secret:
                self.claim(secret not in text, f"the password of {name} is in the output")
                for path in (self.folder / "evidence").rglob("*.json"):
                    self.claim(secret not in path.read_text(), f"the password of {name} is in {path}")

    async def _finish(self, foreign: set[str], lost_begins: int) -> None:
        """Run without faults until done: nothing may be lost, and nothing be left behind."""
        attempt = await self._one("calm", None, None, 0)
        await self._judge(attempt)
        self.claim(attempt.done, f"not done without faults: {attempt.text}")
        there = await asyncio.to_thread(judge.contents, self.servers, self.drawn.target, self.goal_name)
        late = {key for key, sha in self.expected.items() if there.get(key) != sha}
        self.claim(not late, f"done without faults, but {sorted(late)} are not as on the source")
        left = await asyncio.to_thread(judge.strays, self.servers, self.drawn.target, self.goal_name)
        self.claim(foreign <= left, f"an upload that is not Heavylift's was aborted: {foreign - left}")
        entries = (self.folder / "evidence" / "m" / "uploads").rglob("*.json")
        journal = [json.loads(path.read_text())["upload_id"] for path in entries]
        named = {stray for stray in left - foreign if any(name in stray for name in journal)}
        self.claim(not named, f"uploads of ours are left: {named}")
        # An upload whose id never reached us cannot be told from somebody else's. S3 alone gives ids itself;
        # of the objects in flight any may just have been given one when a mover is killed. In a folder a
        # draft of a small file may be left, until the next one is written there.
        ended = self.outcome.counts["killed"] + self.outcome.counts["cancelled"]
        most = {"aws_target": lost_begins + ended * AT_ONCE, "file": ended}.get(self.drawn.target, 0)
        self.claim(len(left - foreign) <= most, f"{left - foreign} are left, {most} ids were lost")
        self.outcome.counts["objects"] += len(self.drawn.objects)
        self.outcome.counts["bytes"] += sum(one.size_bytes for one in self.drawn.objects)


def limits() -> dict[str, Any]:
    """Return the limits of every attempt, as options of the library."""
    from heavylift.spec.datasets import Limits

    return {"limits": Limits(part_size=5 * MIB, max_concurrency=AT_ONCE, stall_timeout=STALL_SECONDS)}
