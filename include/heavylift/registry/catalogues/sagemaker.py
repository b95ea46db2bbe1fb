"""SageMaker's Model Registry: model package groups as models, model packages as versions."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import AlreadyExistsError, PermanentError, TransientError
from heavylift.platforms.aws.changing import AwsChanges
from heavylift.platforms.aws.control import AwsControlPlane
from heavylift.platforms.aws.settings import region_of
from heavylift.platforms.control import Limits
from heavylift.registry.catalogues.description import Version
from heavylift.registry.catalogues.leaves import build
from heavylift.registry.catalogues.ports import (
    HeldModel,
    HeldVersion,
    Write,
    by_number,
    held_model,
    held_version,
)
from heavylift.registry.catalogues.sagemaker_rules import APPROVALS, CAPABILITIES, GROUP_PAIRS, PACKAGE_PAIRS
from heavylift.registry.catalogues.sagemaker_shapes import (
    CONTAINER_KNOWN,
    KNOWN,
    Shape,
    model_of,
    package_of,
    version_of,
)

_ATTEMPTS, _PAUSE_SECONDS = 6, 0.2
_OF_MODELS = {"CreateModelPackageGroup", "CreateModelPackage", "UpdateModelPackage", "AddTags", "DeleteTags"}
_OF_EXPERIMENTS = {
    "CreateExperiment",
    "UpdateExperiment",
    "CreateTrial",
    "UpdateTrial",
    "CreateTrialComponent",
    "UpdateTrialComponent",
    "AssociateTrialComponent",
    "DisassociateTrialComponent",
    "BatchPutMetrics",
}
_WRITES = frozenset(_OF_MODELS | _OF_EXPERIMENTS)


class SageMakerCatalogue:
    """The Model Registry of one account and region.

    :param parallel: packages that are read at once.
    """

    capabilities = CAPABILITIES

    def __init__(self, connection: Connection, parallel: int, stop: threading.Event | None = None) -> None:
        limits = Limits(parallel=parallel, stop=stop or threading.Event())
        self._reads = AwsControlPlane(connection, limits)
        self._writes = AwsChanges(connection, self._reads, _WRITES, limits)
        self.region = region_of(connection)
        self._limit = asyncio.Semaphore(parallel)
        self._conn_id = connection.conn_id
        self._arns: dict[str, str] = {}
        self._unknown: dict[str, int] = {}
        self._packages: dict[tuple[str, str], str] = {}

    @property
    def server(self) -> None:
        """There is none."""

    @property
    def address(self) -> str:
        """The region and the connection."""
        return f"sagemaker://{self.region} ({self._conn_id})"

    async def read(self) -> list[HeldModel]:
        """Return all groups with their versions; packages without a group are told by :meth:`beside`."""
        self._unknown = {}
        names = [
            str(each["ModelPackageGroupName"])
            for each in await self.listed("ListModelPackageGroups", "ModelPackageGroupSummaryList")
        ]
        return list(await asyncio.gather(*(self._group(name) for name in names)))

    async def beside(self) -> Sequence[tuple[str, str, int]]:
        """Return counts of experiments, of packages without a group, and of fields that are not moved."""
        experiments = await self.listed("ListExperiments", "ExperimentSummaries")
        loose = await self.listed(
            "ListModelPackages", "ModelPackageSummaryList", ModelPackageType="Unversioned"
        )
        found = [
            ("experiment", "of a version only its run, trial and experiment are named", len(experiments)),
            ("model package without a group", "it is no version of a registered model", len(loose)),
        ]
        found += [
            (f"model version: {name}", "this version does not move it", count)
            for name, count in sorted(self._unknown.items())
        ]
        return [each for each in found if each[2]]

    async def make_model(self, name: str, write: Write) -> None:
        """Make a group with its tags, in one request."""
        request: dict[str, Any] = {"ModelPackageGroupName": name, "Tags": _tags(write.pairs)}
        if "description" in write.leaves:
            request["ModelPackageGroupDescription"] = write.leaves["description"]
        try:
            await self.change("CreateModelPackageGroup", request)
        except PermanentError as error:
            if "exist" not in error.got.lower():
                raise
            raise AlreadyExistsError(
                f"making model package group {name!r}",
                got=error.got,
                expected="a free name",
                state="what has the name was not touched",
                remedy="run again: what it is is then looked at",
                code="7181",
            ) from None

    async def change_model(self, name: str, write: Write) -> None:
        """Change a group's tags; nothing else of it can be changed."""
        arn = self._arns.get(name) or str((await self._describe_group(name))["ModelPackageGroupArn"])
        if write.put_pairs:
            await self.change("AddTags", {"ResourceArn": arn, "Tags": _tags(write.put_pairs)})
        if write.gone_pairs:
            await self.change("DeleteTags", {"ResourceArn": arn, "TagKeys": write.gone_pairs})

    async def make_version(self, name: str, number: str, write: Write) -> str:
        """Register a package with its marks, in one request, and return its number."""
        del number
        version = build(Version, write.leaves, number="0")
        request = {
            "ModelPackageGroupName": name,
            **package_of(version),
            "CustomerMetadataProperties": dict(write.pairs),
        }
        arn = await self._registered(name, request)
        described = await self.call("DescribeModelPackage", {"ModelPackageName": arn})
        made = str(described["ModelPackageVersion"])
        self._packages[name, made] = arn
        return made

    async def change_version(self, name: str, number: str, write: Write) -> None:
        """Change approval and metadata, in one request."""
        request: dict[str, Any] = {
            "ModelPackageArn": self._packages[name, number],
            "CustomerMetadataProperties": dict(write.pairs),
        }
        if write.gone_pairs:
            request["CustomerMetadataPropertiesToRemove"] = write.gone_pairs
        if "approval" in write.leaves:
            request["ModelApprovalStatus"] = APPROVALS[write.leaves["approval"]]
        if "approval_note" in write.leaves:
            request["ApprovalDescription"] = write.leaves["approval_note"]
        await self.change("UpdateModelPackage", request)

    async def _registered(self, name: str, request: Shape) -> str:
        """Register a package once, however often an answer is lost."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return str((await self.change("CreateModelPackage", request))["ModelPackageArn"])
            except TransientError:
                if attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS * 2**attempt)
                found = await self._find(name, request["CustomerMetadataProperties"])
                if found:
                    return found
        return ""

    async def _find(self, name: str, marks: Mapping[str, str]) -> str:
        """Return the package that has these marks; empty where there is none."""
        names = [f"{PACKAGE_PAIRS.mark}{each}" for each in ("registry", "id", "version")]
        listed = await self.listed("ListModelPackages", "ModelPackageSummaryList", ModelPackageGroupName=name)
        for each in listed:
            arn = str(each["ModelPackageArn"])
            package = await self.call("DescribeModelPackage", {"ModelPackageName": arn})
            pairs: Shape = package.get("CustomerMetadataProperties") or {}
            if all(pairs.get(mark) == marks.get(mark) for mark in names):
                return arn
        return ""

    async def close(self) -> None:
        """Nothing is held open that a process's end would not close."""

    async def _group(self, name: str) -> HeldModel:
        group = await self._describe_group(name)
        arn = self._arns[name] = str(group["ModelPackageGroupArn"])
        tags = await self.listed("ListTags", "Tags", ResourceArn=arn)
        listed = await self.listed("ListModelPackages", "ModelPackageSummaryList", ModelPackageGroupName=name)
        versions = await asyncio.gather(
            *(self._version(name, str(each["ModelPackageArn"])) for each in listed)
        )
        ordered = sorted(versions, key=lambda each: by_number(each.version.number))
        pairs = {str(each["Key"]): str(each["Value"]) for each in tags}
        return held_model(model_of(group), pairs, GROUP_PAIRS, ordered)

    async def _version(self, name: str, arn: str) -> HeldVersion:
        package = await self.call("DescribeModelPackage", {"ModelPackageName": arn})
        self._note_unknown(package)
        version = version_of(package)
        self._packages[name, version.number] = arn
        pairs = {str(k): str(v) for k, v in (package.get("CustomerMetadataProperties") or {}).items()}
        held = held_version(version, pairs, PACKAGE_PAIRS)
        # Of what Heavylift made the lineage is the source's, and stands there already.
        return held if held.origin else held_version(await self._traced(version), pairs, PACKAGE_PAIRS)

    def _note_unknown(self, package: Shape) -> None:
        fields = [each for each in package if each not in KNOWN]
        for part in (package.get("InferenceSpecification") or {}).get("Containers") or ():
            fields += [f"Containers[].{each}" for each in part if each not in CONTAINER_KNOWN]
        for each in fields:
            self._unknown[each] = self._unknown.get(each, 0) + 1

    async def _traced(self, version: Version) -> Version:
        """Return a version with run, trial, experiment and metrics of the job that made it."""
        job = version.lineage.job
        if not job.startswith("arn:"):
            return version
        listed = await self.listed("ListTrialComponents", "TrialComponentSummaries", SourceArn=job)
        names = [
            str(each["TrialComponentName"])
            for each in listed
            if (each.get("TrialComponentSource") or {}).get("SourceArn") == job
        ]
        if not names:
            return version
        component = await self.call("DescribeTrialComponent", {"TrialComponentName": names[0]})
        told = [each for each in component.get("Metrics") or () if "Last" in each]
        metrics = {str(each["MetricName"]): repr(float(each["Last"])) for each in told}
        trials = await self.listed("ListTrials", "TrialSummaries", TrialComponentName=names[0])
        trial = str(trials[0]["TrialName"]) if trials else ""
        described = await self.call("DescribeTrial", {"TrialName": trial}) if trial else {}
        lineage = replace(
            version.lineage, run=names[0], trial=trial, experiment=str(described.get("ExperimentName") or "")
        )
        return replace(version, lineage=lineage, metrics=metrics)

    async def _describe_group(self, name: str) -> Shape:
        return await self.call("DescribeModelPackageGroup", {"ModelPackageGroupName": name})

    async def call(self, operation: str, arguments: Mapping[str, Any], service: str = "sagemaker") -> Shape:
        """Return the answer of one call that reads."""
        async with self._limit:
            return await asyncio.to_thread(self._reads.call, service, operation, self.region, arguments)

    async def listed(self, operation: str, field: str, **arguments: Any) -> list[Shape]:
        """Return what all pages of a list hold."""

        def read() -> list[Shape]:
            pages = self._reads.pages("sagemaker", operation, self.region, arguments)
            return [each for page in pages for each in page.get(field) or ()]

        async with self._limit:
            return await asyncio.to_thread(read)

    def offers(self, service: str) -> bool:
        """Tell whether the region has a service."""
        return self._reads.offers(service, self.region)

    async def account_arn(self) -> str:
        """Return how ARNs of the account's things in this region begin."""
        found = await asyncio.to_thread(self._reads.account)
        return f"arn:{found.partition}:sagemaker:{self.region}:{found.id}"

    async def change(self, operation: str, arguments: Mapping[str, Any], service: str = "sagemaker") -> Shape:
        """Return the answer of one call that changes something; it is sent once."""
        return await asyncio.to_thread(self._writes.change, service, operation, self.region, arguments)


def _tags(pairs: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs.items()]
