"""Our verdicts in the words of the Rust tool's, and the table of ``docs/compatibility.md``.

``python -m tests.compatibility.verdicts`` writes the table again. A test holds it.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pv.artefacts import judge_artefact
from pv.contract import Contract, NotAContractError, ShapeError
from pv.document import Document, parse
from pv.errors import DocumentError
from pv.finding import Finding
from pv.rules import RULES, judge
from pv.rules.artefact_rules import ARTEFACT_RULES
from pv.rules.kind_rules import KIND_RULES
from pv.shape import build
from tests.compatibility.rust import judge as rust

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT.parent / "shared" / "corpus"
PAGE = ROOT / "docs/compatibility.md"
BEGIN, END = "<!-- every file -->\n", "<!-- end of every file -->\n"
EVERY = RULES | KIND_RULES | ARTEFACT_RULES
UPSTREAM = {code for code in EVERY if not code.startswith("PV-")}
"""Codes of the Rust tool; SCHEMA-020 is YAML-002 here."""

Verdict = dict[str, int] | str


def our_verdict(text: str, path: Path = Path("a.yaml")) -> Verdict:
    """Return code → how often, or a word that says why nothing was judged."""
    try:
        found = findings(parse(text, str(path)))
    except DocumentError as error:
        return {"SCHEMA-020": 1} if error.code == "YAML-002" else "does not parse"
    except ShapeError:
        return "does not parse"
    if any(finding.code == "SCHEMA-000" for finding in found):
        return "does not parse"
    return dict(sorted(Counter(finding.code for finding in found).items()))


def findings(document: Document) -> list[Finding]:
    try:
        contract: Contract = build(document)
    except NotAContractError as note:
        about = judge_artefact(note)
        assert about is not None
        return about
    return judge(contract)


def without_ours(verdict: Verdict) -> Verdict:
    """Leave out what the Rust tool has no rule for."""
    if isinstance(verdict, str):
        return verdict
    return {code: count for code, count in verdict.items() if not code.startswith("PV-")}


def rejects(verdict: Verdict) -> bool:
    if isinstance(verdict, str):
        return True
    return any(code not in EVERY or EVERY[code].severity == "error" for code in without_ours(verdict))


def shown(verdict: Verdict) -> str:
    """Return how the page and the files of ``resources/`` say it."""
    if isinstance(verdict, str):
        return verdict
    told = ", ".join(f"{code}{f' x {n}' if n > 1 else ''}" for code, n in verdict.items())
    return f"{'rejected' if rejects(verdict) else 'accepted'}{f': {told}' if told else ''}"


def row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def table() -> str:
    """Return the table of every file of the corpus."""
    rows = [row("file", "newest", "ours"), row("---", "---", "---")]
    for path in sorted(CORPUS.rglob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        ours = our_verdict(text, path)
        rows.append(row(f"`{path.relative_to(CORPUS)}`", shown(rust(text, "newest")), shown(ours)))
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
