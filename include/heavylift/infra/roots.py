"""The acts on one root: init, validate, plan, apply, destroy, drift; each safe to run twice."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from heavylift.errors import ConflictError, IncompleteError, IntegrityError, SpecError
from heavylift.infra.folder import Infra, values_of
from heavylift.infra.generate import FOUNDATION_FOLDER
from heavylift.infra.killed import killed, recover
from heavylift.infra.plans import Planned, planned_of
from heavylift.infra.progress import read_progress
from heavylift.infra.terraform import Done, Terraform, failed

SAVED, SAVED_DESTROY = "heavylift.tfplan", "heavylift-destroy.tfplan"
_VALUES = "heavylift.auto.tfvars.json"
_NOTHING, _CHANGES = 0, 2
_LOCK_WAIT = "-lock-timeout=5s"


@dataclass(frozen=True)
class Applied:
    """What an application came to.

    :param kept: resources in the state afterwards.
    :param proved: a second plan found nothing left to do.
    """

    root: str
    digest: str
    counts: Mapping[str, int]
    kept: int
    proved: bool


@dataclass(frozen=True)
class Root:
    """One root of a generated folder: one state."""

    infra: Infra
    name: str
    terraform: Terraform

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.infra.folder / self.name

    def prepare(self) -> None:
        """Install what the root needs: modules and providers, the latter as its lock file says.

        :raises HeavyliftError: terraform refused.
        """
        done = self.terraform.run(self.folder, "init", "-input=false")
        if done.status != 0:
            raise failed(f"terraform init in {self.folder}", done)

    def validate(self) -> tuple[str, ...]:
        """Return what terraform finds wrong; empty where it is valid."""
        self.prepare()
        done = self.terraform.run(self.folder, "validate", "-json")
        try:
            document = json.loads(done.stdout)
        except ValueError:
            raise failed(f"terraform validate in {self.folder}", done) from None
        return tuple(_told(each) for each in document["diagnostics"] if each["severity"] == "error")

    def plan(self, *, destroy: bool = False) -> Planned:
        """Plan, keep terraform's plan beside the files, and return what it would do.

        :raises SpecError: a variable has no value.
        :raises TransientError: somebody else holds the state's lock.
        """
        self.prepare()
        self._write_values()
        saved = self._saved(destroy)
        options = ["-destroy"] if destroy else []
        done = self.terraform.run(
            self.folder,
            "plan",
            "-input=false",
            "-detailed-exitcode",
            _LOCK_WAIT,
            f"-out={saved.name}",
            *options,
        )
        if done.status not in (_NOTHING, _CHANGES):
            raise failed(f"terraform plan in {self.folder}", done)
        # It holds values, some of them secret.
        saved.chmod(0o600)
        planned = self.saved(destroy=destroy)
        if planned.empty and not planned.outputs:
            saved.unlink()
        return planned

    def saved(self, *, destroy: bool = False) -> Planned:
        """Return the plan that was kept.

        :raises ConflictError: none was.
        """
        saved = self._saved(destroy)
        if not saved.exists():
            raise ConflictError(
                f"reading the plan of {self.folder}",
                got="no plan",
                expected="one that 'heavylift infra plan' has kept",
                state="nothing was changed",
                remedy="plan, have it approved, then apply",
                code="7910",
            )
        document = self.terraform.json(self.folder, "show", "-json", saved.name)
        return planned_of(self.name, document, destroy=destroy)

    def apply(self, approved: str, *, destroy: bool = False) -> Applied:
        """Do what the approved plan says, then prove that nothing is left to do.

        What an application that failed midway has made is in the state: plan again, and the new plan has only
        the rest.

        :param approved: the digest that was approved.
        :raises ConflictError: the plan is another one, or no longer fits the state.
        :raises IncompleteError: terraform failed midway.
        :raises IntegrityError: a second plan still finds something.
        """
        self._demand_approved_folder()
        planned = self.saved(destroy=destroy)
        if planned.digest != approved:
            raise ConflictError(
                f"applying the plan of {self.folder}",
                got=f"a plan with the digest {planned.digest}",
                expected=f"the approved one, {approved}",
                state="nothing was changed",
                remedy="apply the approved plan, or have this one approved",
                code="7911",
            )
        saved = self._saved(destroy)
        began = datetime.now(UTC)
        done = self.terraform.run(self.folder, "apply", "-json", "-input=false", _LOCK_WAIT, saved.name)
        if done.status != 0:
            raise self._ended(planned, done, began)
        saved.unlink(missing_ok=True)
        again = self.plan(destroy=destroy)
        kept = len(self.resources())
        if not again.empty:
            raise IntegrityError(
                f"proving {self.folder} after its application",
                got=f"{len(again.changes)} changes in a second plan, the first to {again.changes[0].address}",
                expected="none",
                state=f"what was approved is applied; {kept} resources are in the state",
                remedy="look at the second plan: often an attribute that the platform writes in another form",
                code="7912",
            )
        return Applied(self.name, planned.digest, planned.counts, kept, proved=True)

    def settle(self, *, destroy: bool = False) -> None:
        """Write into the state what other roots ask for, where an application was stopped just before that.

        Only for a plan that does nothing on the platform; without one nothing is done.

        :raises TransientError: somebody else holds the state's lock.
        """
        saved = self._saved(destroy)
        if not saved.exists() or not self.saved(destroy=destroy).empty:
            return
        done = self.terraform.run(self.folder, "apply", "-input=false", _LOCK_WAIT, saved.name)
        saved.unlink()
        if done.status != 0:
            raise failed(f"terraform apply in {self.folder}", done)

    def drift(self) -> Planned:
        """Return what differs between the files, the state and the platform; nothing is kept or changed."""
        planned = self.plan()
        self._saved(destroy=False).unlink(missing_ok=True)
        return planned

    def resources(self) -> list[str]:
        """Return the addresses in the state."""
        done = self.terraform.run(self.folder, "state", "list")
        if done.status != 0:
            # A root that was never applied has no state.
            if "No state file" in done.stderr:
                return []
            raise failed(f"terraform state list in {self.folder}", done)
        return [line for line in done.stdout.splitlines() if line.strip()]

    def outputs(self) -> dict[str, Any]:
        """Return the values of the root's outputs."""
        found = self.terraform.json(self.folder, "output", "-json")
        return {name: each["value"] for name, each in found.items()}

    def _saved(self, destroy: bool) -> Path:
        return self.folder / (SAVED_DESTROY if destroy else SAVED)

    def _write_values(self) -> None:
        foundation: Mapping[str, Any] = {}
        if "foundation" in self.infra.variables[self.name]:
            foundation = self._foundation()
        values = values_of(self.infra, self.name, foundation)
        path = self.folder / _VALUES
        half = path.with_suffix(".half")
        half.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n")
        os.replace(half, path)

    def _foundation(self) -> Mapping[str, Any]:
        below = Root(self.infra, FOUNDATION_FOLDER, self.terraform)
        if not (below.folder / ".terraform").exists():
            below.prepare()
        found: Mapping[str, Any] = below.outputs().get("foundation") or {}
        if not found:
            raise SpecError(
                f"planning {self.folder}",
                got="a foundation that has not been applied",
                expected="one that tells its network, key and identity",
                state="nothing was changed",
                remedy=f"plan and apply {FOUNDATION_FOLDER} first",
                code="7913",
            )
        return found

    def _demand_approved_folder(self) -> None:
        if not self.infra.approved:
            raise ConflictError(
                f"applying {self.folder}",
                got="files that were made from a plan that nobody has approved",
                expected="files of an approved plan",
                state="nothing was changed",
                remedy="approve the plan of the phase assess, then generate again without --draft",
                code="7914",
            )

    def _ended(self, planned: Planned, done: Done, began: datetime) -> Exception:
        """Return why an application did not come to its end, once what it left is in order."""
        progress = read_progress(done.stdout)
        if done.status < 0:
            found = recover(self.terraform, self.folder, progress, dict.fromkeys(self.resources()), began)
            return killed(self.folder, -done.status, progress, found, len(self.resources()))
        told = replace(done, stderr=f"{done.stderr}\n{progress.said}")
        if "Error acquiring" in told.stderr:
            return failed(f"terraform apply in {self.folder}", told)
        return self._broke(planned, told.said)

    def _broke(self, planned: Planned, said: str) -> Exception:
        if "Saved plan is stale" in said:
            return ConflictError(
                f"applying the plan of {self.folder}",
                got="a state that was changed after the plan was made",
                expected="the state that the plan was made from",
                state="nothing was changed",
                remedy="plan again, and have the new plan approved",
                code="7915",
            )
        now = set(self.resources())
        asked = [each.address for each in planned.changes if each.act in {"create", "delete"}]
        moved = sum((each in now) != planned.destroy for each in asked)
        return IncompleteError(
            f"applying the plan of {self.folder}",
            got=said,
            expected=f"{len(planned.changes)} changes",
            state=f"{moved} resources were {'removed' if planned.destroy else 'made'}, and the state knows; "
            f"it has {len(now)} now",
            remedy="mend what it names (often a quota) and plan again: the new plan has only the rest",
            code="7916",
        )


def roots_of(infra: Infra, terraform: Terraform) -> list[Root]:
    """Return all roots, in the order in which they are applied."""
    return [Root(infra, name, terraform) for name in infra.folders]


def root_of(infra: Infra, name: str, terraform: Terraform) -> Root:
    """Return one root.

    :raises SpecError: there is none of that name.
    """
    if name not in infra.folders:
        raise SpecError(
            f"looking for {name!r} in {infra.folder}",
            got="no such root",
            expected=", ".join(infra.folders),
            state="nothing was touched",
            remedy="name one of them",
            code="7917",
        )
    return Root(infra, name, terraform)


def _told(each: Mapping[str, Any]) -> str:
    where = each.get("range") or {}
    at = f"{where.get('filename', '')}:{(where.get('start') or {}).get('line', '')}: " if where else ""
    return f"{at}{each['summary']}: {' '.join(each.get('detail', '').split())}".rstrip(": ")
