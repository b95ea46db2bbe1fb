"""``heavylift objects``: copy, sync, verify and compare objects between two places."""

from __future__ import annotations

from typing import Annotated

import typer

from heavylift.cli.manners import (
    MaxRequests,
    MaxSize,
    MinSize,
    ModifiedBefore,
    ModifiedSince,
    NoWait,
    Window,
    filters_of,
    with_manners,
)
from heavylift.cli.objects_cleanup import cleanup
from heavylift.cli.objects_files import compare as compare_listings
from heavylift.cli.objects_files import list_objects
from heavylift.cli.objects_options import (
    MIGRATION,
    MOST_IN_FLIGHT,
    AllAttributes,
    AsJson,
    Bandwidth,
    Concurrency,
    Conflict,
    ContentHeaders,
    DryRun,
    Exclude,
    Include,
    MaxCost,
    Memory,
    Migration,
    PartSize,
    Posix,
    Prices,
    Processes,
    SourceConn,
    SourceUrl,
    Stall,
    Tags,
    TargetConn,
    TargetUrl,
    Unholdable,
    UserMetadata,
    VerifyAttributes,
    limits_of,
    metadata_of,
    request_of,
)
from heavylift.cli.objects_quarantine import purge, restore
from heavylift.cli.objects_run import copy_and_prove, note_plan, note_verification
from heavylift.cli.objects_text import planned, verified
from heavylift.cli.objects_tree import tree
from heavylift.cli.objects_two_way import two_way
from heavylift.cli.output import ExitStatus, finish
from heavylift.cli.stores import Evidence, EvidenceConn
from heavylift.spec.vocabulary import Deletes, OnConflict, OnUnholdableKey, VerifyMethod, VerifyMode

app = typer.Typer(no_args_is_help=True, help="Copy, sync, verify and compare objects between stores.")


@app.command()
def copy(
    source_url: SourceUrl,
    target_url: TargetUrl,
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    include: Include = None,
    exclude: Exclude = None,
    min_size: MinSize = None,
    max_size: MaxSize = None,
    modified_since: ModifiedSince = None,
    modified_before: ModifiedBefore = None,
    migration: Migration = MIGRATION,
    bandwidth: Bandwidth = None,
    max_requests: MaxRequests = None,
    window: Window = None,
    no_wait: NoWait = False,
    concurrency: Concurrency = MOST_IN_FLIGHT,
    memory: Memory = "128MiB",
    processes: Processes = None,
    part_size: PartSize = "16MiB",
    stall_timeout: Stall = "60s",
    on_conflict: Conflict = OnConflict.FAIL,
    on_unholdable_key: Unholdable = OnUnholdableKey.FAIL,
    content_headers: ContentHeaders = True,
    user_metadata: UserMetadata = True,
    tags: Tags = True,
    posix: Posix = None,
    all_attributes: AllAttributes = False,
    verify_attributes: VerifyAttributes = False,
    max_cost_usd: MaxCost = None,
    prices: Prices = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Copy what the target lacks, then prove both sides equal.

    Safe to run again after any end: it does only the rest. Nothing on the target that
    Heavylift did not write is overwritten, unless --on-conflict overwrite says so. Outside of
    --window it waits, or with --no-wait ends with status 3 and says when to run it again.
    """
    from heavylift.objects.requests import CostOptions, TransferOptions
    from heavylift.spec.datasets import Verify

    options = TransferOptions(
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        filters=filters_of(min_size, max_size, modified_since, modified_before),
        on_conflict=on_conflict,
        on_unholdable_key=on_unholdable_key,
        metadata=metadata_of(content_headers, user_metadata, tags, posix, all_attributes),
        verify=Verify(all_attributes=verify_attributes),
        limits=with_manners(
            limits_of(bandwidth, concurrency, memory, part_size, stall_timeout), max_requests, window
        ),
        dry_run=dry_run,
        cost=CostOptions(prices=prices, max_usd=max_cost_usd),
    )
    request = request_of(
        source_url,
        target_url,
        source_conn,
        target_conn,
        evidence,
        evidence_conn,
        migration,
        options,
        "transfer",
    )
    copy_and_prove(request, processes=processes, wait=not no_wait, as_json=as_json)


app.command("list")(list_objects)
app.command("compare")(compare_listings)
app.command()(cleanup)
app.command()(restore)
app.command()(purge)
app.command()(tree)
app.command("two-way")(two_way)


@app.command()
def sync(
    source_url: SourceUrl,
    target_url: TargetUrl,
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    include: Include = None,
    exclude: Exclude = None,
    min_size: MinSize = None,
    max_size: MaxSize = None,
    modified_since: ModifiedSince = None,
    modified_before: ModifiedBefore = None,
    migration: Migration = MIGRATION,
    bandwidth: Bandwidth = None,
    max_requests: MaxRequests = None,
    window: Window = None,
    no_wait: NoWait = False,
    concurrency: Concurrency = MOST_IN_FLIGHT,
    memory: Memory = "128MiB",
    processes: Processes = None,
    part_size: PartSize = "16MiB",
    stall_timeout: Stall = "60s",
    on_conflict: Conflict = OnConflict.FAIL,
    on_unholdable_key: Unholdable = OnUnholdableKey.FAIL,
    content_headers: ContentHeaders = True,
    user_metadata: UserMetadata = True,
    tags: Tags = True,
    posix: Posix = None,
    all_attributes: AllAttributes = False,
    verify_attributes: VerifyAttributes = False,
    max_cost_usd: MaxCost = None,
    prices: Prices = None,
    deletes: Annotated[
        Deletes, typer.Option(help="when an object that Heavylift wrote has gone from the source")
    ] = Deletes.KEEP,
    rolling: Annotated[
        int, typer.Option(min=0, max=4096, help="check one of so many slices afresh; 1: all, 0: none")
    ] = 0,
    allow_many_deletes: Annotated[
        bool, typer.Option("--allow-many-deletes", help="delete even where so much goes that it is refused")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Copy what has appeared or changed since the last run, and deal with what has gone.

    What has gone from the source stays on the target, unless --deletes says propagate (delete it)
    or quarantine (put it aside, to be brought back by restore). Only objects go that Heavylift
    wrote itself and nobody has changed since. With --dry-run the plan tells how many.
    """
    from heavylift.objects.requests import CostOptions, TransferOptions
    from heavylift.spec.datasets import Verify

    options = TransferOptions(
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        filters=filters_of(min_size, max_size, modified_since, modified_before),
        on_conflict=on_conflict,
        on_unholdable_key=on_unholdable_key,
        metadata=metadata_of(content_headers, user_metadata, tags, posix, all_attributes),
        verify=Verify(all_attributes=verify_attributes),
        limits=with_manners(
            limits_of(bandwidth, concurrency, memory, part_size, stall_timeout), max_requests, window
        ),
        deletes=deletes,
        rolling=rolling,
        allow_many_deletes=allow_many_deletes,
        dry_run=dry_run,
        cost=CostOptions(prices=prices, max_usd=max_cost_usd),
    )
    request = request_of(
        source_url,
        target_url,
        source_conn,
        target_conn,
        evidence,
        evidence_conn,
        migration,
        options,
        "sync",
    )
    copy_and_prove(request, processes=processes, wait=not no_wait, as_json=as_json)


@app.command()
def verify(
    source_url: SourceUrl,
    target_url: TargetUrl,
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    include: Include = None,
    exclude: Exclude = None,
    min_size: MinSize = None,
    max_size: MaxSize = None,
    modified_since: ModifiedSince = None,
    modified_before: ModifiedBefore = None,
    migration: Migration = MIGRATION,
    content_headers: ContentHeaders = True,
    user_metadata: UserMetadata = True,
    tags: Tags = True,
    posix: Posix = None,
    verify_attributes: VerifyAttributes = False,
    read_back: Annotated[bool, typer.Option(help="read every byte of the target")] = False,
    sample: Annotated[int | None, typer.Option(min=1, help="compare so many objects drawn at random")] = None,
    bandwidth: Bandwidth = None,
    max_requests: MaxRequests = None,
    concurrency: Concurrency = MOST_IN_FLIGHT,
    as_json: AsJson = False,
) -> None:
    """Compare two places object by object, whoever filled them; changes neither."""
    from heavylift.aio import run
    from heavylift.objects.api import verify_transfer
    from heavylift.objects.requests import TransferOptions
    from heavylift.spec.datasets import Verify

    options = TransferOptions(
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        filters=filters_of(min_size, max_size, modified_since, modified_before),
        limits=with_manners(limits_of(bandwidth, concurrency, "128MiB", "16MiB", "60s"), max_requests, None),
        metadata=metadata_of(content_headers, user_metadata, tags, posix),
        verify=Verify.model_validate(
            {
                "mode": VerifyMode.SAMPLE if sample else VerifyMode.FULL,
                "method": VerifyMethod.READ_BACK if read_back else VerifyMethod.PROVIDER,
                "sample": {"objects": sample} if sample else None,
                "all_attributes": verify_attributes,
            }
        ),
    )
    request = request_of(
        source_url,
        target_url,
        source_conn,
        target_conn,
        evidence,
        evidence_conn,
        migration,
        options,
        "verify",
    )
    record = run(verify_transfer(request))
    run(note_verification(request))
    status = ExitStatus.DONE if record.passed else ExitStatus.FAILED
    finish(
        {"verification": record.model_dump(mode="json")},
        text=verified(record),
        as_json=as_json,
        status=status,
    )


@app.command()
def diff(
    source_url: SourceUrl,
    target_url: TargetUrl,
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    include: Include = None,
    exclude: Exclude = None,
    min_size: MinSize = None,
    max_size: MaxSize = None,
    modified_since: ModifiedSince = None,
    modified_before: ModifiedBefore = None,
    migration: Migration = MIGRATION,
    content_headers: ContentHeaders = True,
    user_metadata: UserMetadata = True,
    tags: Tags = True,
    posix: Posix = None,
    all_attributes: AllAttributes = False,
    prices: Prices = None,
    as_json: AsJson = False,
) -> None:
    """Show what a copy would do. Ends with 1 where the two places differ, or neither listings nor
    evidence tell that they do not: verify reads.
    """
    from heavylift.aio import run
    from heavylift.objects.api import plan_transfer
    from heavylift.objects.requests import CostOptions, TransferOptions

    options = TransferOptions(
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        filters=filters_of(min_size, max_size, modified_since, modified_before),
        metadata=metadata_of(content_headers, user_metadata, tags, posix, all_attributes),
        cost=CostOptions(prices=prices),
        dry_run=True,
    )
    request = request_of(
        source_url, target_url, source_conn, target_conn, evidence, evidence_conn, migration, options, "diff"
    )
    plan = run(plan_transfer(request))
    run(note_plan(request))
    same = plan.unchanged == plan.found and not plan.only_on_target.objects
    status = ExitStatus.DONE if same else ExitStatus.FAILED
    finish({"plan": plan.model_dump(mode="json")}, text=planned(plan), as_json=as_json, status=status)


@app.command()
def advise(
    source_url: SourceUrl,
    target_url: TargetUrl,
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    objects: Annotated[int | None, typer.Option(min=0, help="how many objects; else both are listed")] = None,
    size: Annotated[str | None, typer.Option(help="their size together, e.g. 40TB; with --objects")] = None,
    link: Annotated[str, typer.Option(help="rate of the line of the workers, e.g. 125MB/s")] = "125MB/s",
    days: Annotated[float | None, typer.Option(min=0.01, help="how long the move may take")] = None,
    tags: Annotated[bool | None, typer.Option(help="object tags have to arrive")] = None,
    versions: Annotated[bool, typer.Option(help="older versions have to arrive")] = False,
    as_json: AsJson = False,
) -> None:
    """Say who had best move the objects: Heavylift's workers, a platform's service, or a device.

    With --objects and --size nothing is asked of any store; else both places are listed. Changes
    nothing.
    """
    from heavylift.cli.advise import case_of
    from heavylift.objects.advice import advise as advise_on
    from heavylift.objects.requests import TransferOptions
    from heavylift.objects.wording import advice_lines

    request = None
    if objects is None or size is None:
        options = TransferOptions(dry_run=True)
        request = request_of(
            source_url,
            target_url,
            source_conn,
            target_conn,
            evidence,
            evidence_conn,
            MIGRATION,
            options,
            "advise",
        )
    case = case_of(
        request, source_url, target_url, objects, size, link=link, days=days, tags=tags, versions=versions
    )
    advice = advise_on(case)
    finish({"advice": advice.model_dump(mode="json")}, text="\n".join(advice_lines(advice)), as_json=as_json)
