from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pv.contract import Contract, Falsifier
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "PROVABILITY-001",
    "error",
    summary="a kernel lacks obligations, falsifiers or harnesses, or has fewer falsifiers than obligations",
    remedy="Add what is missing, or say under metadata.kind what the contract is instead of a kernel.",
)
def provability(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find kernels whose claims could not be shown, or not be refuted.

    In the place of a Kani harness stands a check with counter-examples, an obligation that its check covers
    exhaustively, or one that is proved. Whether a ``property:`` is exhaustive follows from its domain; of
    other checks, the contract's word is taken. A comparison with competitors has the same duties but for
    Kani's.
    """
    compares = contract.kind == "competitive-parity"
    if not (contract.is_kernel or compares):
        return
    what = "comparison" if compares else "kernel"
    assumed = "" if contract.kind_declared else " (no metadata.kind, judged kernel by default)"
    for section, shown in (
        ("proof_obligations", contract.obligations),
        ("falsification_tests", contract.falsifiers),
        ("kani_harnesses", compares or contract.kani or _shown_otherwise(contract)),
    ):
        if not shown:
            yield contract.document.where_key(section), f"the {what} has no {section}{assumed}"
    falsifiers, obligations = len(contract.falsifiers), len(contract.obligations)
    if falsifiers < obligations:
        where = contract.document.where_key("falsification_tests")
        yield where, f"{falsifiers} falsifier(s) for {obligations} proof obligations{assumed}"


def _shown_otherwise(contract: Contract) -> bool:
    bound = [f for f in contract.falsifiers if f.bound and not f.excluded]
    covered = {name for falsifier in bound for name in falsifier.covers}
    if any(_shown_whole(falsifier) for falsifier in bound):
        return True
    taken = covered - {name for falsifier in bound if falsifier.stated_property for name in falsifier.covers}
    return any(o.proved or (o.exhaustive and o.id in taken) for o in contract.obligations) or any(
        _has_counter_examples(falsifier, contract) for falsifier in bound
    )


def _shown_whole(falsifier: Falsifier) -> bool:
    if falsifier.stated_property is None:
        return False
    from pv.binding_property import shown_whole  # late: few contracts have one

    return shown_whole(falsifier)


def _has_counter_examples(falsifier: Falsifier, contract: Contract) -> bool:
    if falsifier.stated_property is not None and falsifier.counter_examples is None:
        return True  # those of its type
    if falsifier.counter_examples is not None or falsifier.check is None:
        return bool(falsifier.counter_examples)
    # Those that the check declares; imported late, for contracts of the Rust tool bind nothing.
    from pv.binding import bind
    from pv.config import load_config
    from pv.errors import PvError

    try:
        config = load_config(Path(contract.path).resolve().parent, required=False)
        return bool(bind(falsifier.check, config).counter_examples)
    except PvError:
        return False
