"""Every code that ``pv`` can print, with what it means, why it matters, and an example of each side.

The texts lie beside this module in ``explanations/``, a file a code. Of a rule, severity, summary and
remedy are the rule's own.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from importlib import resources
from typing import Any

from pv.document import parse
from pv.investigation_judgement import CODES as INVESTIGATION_CODES
from pv.rules import RULES
from pv.rules.artefact_rules import ARTEFACT_RULES
from pv.rules.kind_rules import KIND_RULES
from pv.rules.project_rules import PROJECT_RULES
from pv.traceability_codes import CODES as CHAIN_CODES

__all__ = ["ALIASES", "Code", "find_code", "known_codes"]

ALIASES: Mapping[str, str] = {"SCHEMA-020": "YAML-002"}
"""Code of the Rust tool → ours, where its rule is another's here."""


@dataclasses.dataclass(frozen=True)
class Code:
    """What a code means.

    `severity` holds where our fields are used, `elsewhere` in contracts that use none; ``silent`` is none.
    `bad` and `good` are parts of the file that `of` names, and break it and do not.
    """

    code: str
    severity: str
    elsewhere: str
    summary: str
    remedy: str
    why: str
    bad: str
    good: str
    of: str

    def to_json(self) -> dict[str, str]:
        """Return the stable form for programs."""
        return dataclasses.asdict(self)


@functools.cache
def known_codes() -> tuple[str, ...]:
    """Return every code, sorted."""
    files = (resources.files("pv") / "explanations").iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")))


def find_code(name: str) -> Code | None:
    """Return what the code `name` means, in whichever case it is typed; None where there is none."""
    name = ALIASES.get(name.upper(), name.upper())
    if name not in known_codes():
        return None
    text = (resources.files("pv") / "explanations" / f"{name}.yaml").read_text(encoding="utf-8")
    told: dict[str, Any] = parse(text, f"{name}.yaml").value
    judged = (RULES, KIND_RULES, PROJECT_RULES, ARTEFACT_RULES)
    rule = next((rules[name] for rules in judged if name in rules), None)
    if rule is not None:
        told |= {
            "severity": rule.severity,
            "elsewhere": rule.elsewhere,
            "summary": rule.summary,
            "remedy": rule.remedy,
        }
    elif name in INVESTIGATION_CODES:
        severity, summary, remedy = INVESTIGATION_CODES[name]
        told |= {"severity": severity, "summary": summary, "remedy": remedy}
    elif name in CHAIN_CODES:
        severity, elsewhere, summary, remedy = CHAIN_CODES[name]
        told |= {"severity": severity, "elsewhere": elsewhere, "summary": summary, "remedy": remedy}
    return Code(
        code=name,
        severity=told["severity"],
        elsewhere=told.get("elsewhere", told["severity"]),
        summary=told["summary"],
        remedy=told["remedy"],
        why=told["why"],
        bad=told["bad"].rstrip(),
        good=told["good"].rstrip(),
        of=told.get("of", "contracts/*.yaml"),
    )
