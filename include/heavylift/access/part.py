"""The section ``access`` of a spec: what it means, and the target's documents as files to hand over."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift.access.api import AccessRequest
from heavylift.access.documents import read_documents
from heavylift.access.logs import used_permissions
from heavylift.access.model import Place
from heavylift.access.names import read_names
from heavylift.access.predefined import read_predefined
from heavylift.errors import NotFoundError
from heavylift.evidence.part_evidence import Accepted, Made, judge_gaps
from heavylift.evidence.part_records import PartGap
from heavylift.evidence.transfer import read_chunks
from heavylift.locations import parse_location
from heavylift.patterns import selector
from heavylift.platforms.wiring import open_store
from heavylift.spec.beside import file_beside, plain_files_beside

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.evidence.access_records import AccessRecord
    from heavylift.evidence.records import RunKey
    from heavylift.spec.model import MigrationSpec
    from heavylift.spec.sections_parts import Access

Found = list[tuple[str, Any]]


def section_request(
    spec: MigrationSpec,
    spec_path: str,
    section: Access,
    run: RunKey,
    inventoried: Found,
    logs: Iterable[Path],
) -> AccessRequest:
    """Return the translation that a spec asks for.

    :param inventoried: documents of the source's inventory; none where the spec does not read it.
    :param logs: access logs that were fetched; none where it names no place of them.
    :raises NotFoundError: a file is missing.
    :raises SpecError: one cannot be used, or lies outside of the spec's folder.
    """
    sides = (
        Place(spec.source.platform.value, section.source_account),
        Place(spec.target.platform.value, section.target_account),
    )
    names = read_names(file_beside(spec_path, section.names), *sides)
    return AccessRequest(
        run=run,
        names=names,
        found=[*inventoried, *read_beside(spec_path, section.documents)],
        max_excess=section.max_excess_actions,
        predefined=read_predefined(file_beside(spec_path, section.predefined_roles)),
        used=used_permissions(names.source, logs) if section.access_log else None,
        chosen=_chosen(section),
    )


def read_beside(spec_path: str, patterns: Iterable[str]) -> Found:
    """Return the documents that a spec names beside itself, each with its path below the spec's folder.

    :raises NotFoundError: there is none.
    :raises SpecError: one cannot be read, or lies outside of the spec's folder.
    """
    folder = Path(spec_path).resolve().parent
    named = [path for pattern in patterns for path in plain_files_beside(spec_path, pattern)]
    paths = list(dict.fromkeys(named))
    return [(path.relative_to(folder).as_posix(), read_documents(path)) for path in paths]


async def fetch_logs(url: str, connection: Connection | None, folder: Path) -> list[Path]:
    """Copy the access logs at ``url`` into ``folder``, and return their paths.

    :param connection: may be None for ``file://``.

    :raises NotFoundError: there is none.
    :raises CredentialError: refused.
    """
    found: list[Path] = []
    location = parse_location(url)
    async with open_store(location, connection) as store:
        async for page in store.list_pages(location.prefix):
            for each in page:
                path = folder / f"{len(found):06d}-{Path(each.key).name}"
                with path.open("wb") as sink:
                    async for chunk in read_chunks(store, each.key):
                        sink.write(chunk)
                found.append(path)
    if not found:
        raise NotFoundError(
            f"reading the access logs at {url}",
            got="no object",
            expected="at least one log",
            state="nothing was translated",
            remedy="correct access.access_log, or take it out: then no permission is dropped",
            code="9115",
        )
    return found


def made_of(record: AccessRecord, section: Access | None) -> Made:
    """Return a translation as files of the target's own documents, with what was not granted.

    :param section: the spec's, which accepts gaps; nobody does where None.
    """
    gaps = [
        PartGap(subject=f"{each.identity}: {each.permission}", what=each.detail, remedy=each.remedy)
        for each in record.untranslated
    ]
    accepted = [
        Accepted(each.subject, each.reason) for each in (section.accept_untranslated if section else ())
    ]
    judged, unused = judge_gaps(gaps, accepted)
    return Made(
        "access",
        f"{record.source} {record.source_account}",
        f"{record.target} {record.target_account}",
        files={
            f"{name}.json": json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
            for name, content in record.documents.items()
            if isinstance(content, list | dict)  # the rest is for the evaluator alone
        },
        counts={
            "identities": len(record.identities),
            "roles": len(record.roles),
            "bindings": len(record.bindings),
            "unused": len(record.unused),
        },
        gaps=judged,
        unused=unused,
    )


def _chosen(section: Access) -> Callable[[str], bool] | None:
    if section.identities == ("*",) and not section.exclude:
        return None
    return selector(section.identities, section.exclude)
