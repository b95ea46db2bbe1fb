"""Objects so large that the target asks for parts which the memory for buffers cannot hold."""

from __future__ import annotations

from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.wording import counted, size
from heavylift.objects.diff import Difference
from heavylift.objects.part_layout import part_size
from heavylift.objects.requests import TransferRequest
from heavylift.platforms.ports import StoreTraits
from heavylift.spec.vocabulary import Via

BEYOND_MEMORY = "parts-beyond-memory"


def parts_beyond_memory(
    request: TransferRequest, difference: Difference, traits: StoreTraits
) -> list[Finding]:
    """Return a warning where parts have to be larger than all of the memory for buffers.

    Such a part is still read whole, one at a time: whoever has set that much memory aside is to know it
    before a worker is killed for taking more.

    :param traits: of the target.
    """
    limits = request.options.limits
    sizes = [found for _rel, found in difference.larger_than(limits.memory_budget * traits.max_parts)]
    if request.options.via is not Via.HEAVYLIFT or not sizes:
        return []
    most = max(part_size(found, limits.part_size, traits) for found in sizes)
    return [
        Finding(
            rule=BEYOND_MEMORY,
            severity=Severity.WARNING,
            subject=request.dataset,
            detail=f"{counted(len(sizes), 'object')} of up to {size(max(sizes))} need parts of up to"
            f" {size(most)}, as the target takes {traits.max_parts:,} of them: more than the memory for"
            f" buffers of one task or process ({size(limits.memory_budget)}), and taken all the same",
            remedy=f"raise memory_budget (--memory) to twice {size(most)} where the workers have room for it",
        )
    ]
