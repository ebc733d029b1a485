from __future__ import annotations

from pathlib import Path

from pv.investigation import load_investigation
from pv.reports.investigation import as_json, render

TEXT = """\
---
id: FINDING-1
title: "A title \\x1b[31m"
date: "2026-11-20"
status: withdrawn
falsifiers: [A]
evidence: [a-very-long-path/{long}.json]
interpretation: What it was
five_whys_omitted: It is plain
hypotheses: [{{statement: The wind, status: refuted, by: A}}, {{statement: The sun, status: proposed}}]
withdrawn: {{date: "2026-11-21", refuted_by: "c#A", reason: It was not so}}
---
"""


def test_a_withdrawn_interpretation_says_first_what_refutes_it(tmp_path: Path) -> None:
    path = tmp_path / "one.md"
    path.write_text(TEXT.format(long="x" * 200))
    one = load_investigation(path)
    assert render([one]) == [
        "FINDING-1 (2026-11-20, withdrawn): A title \\x1b[31m",
        "  WITHDRAWN 2026-11-21: refuted by c#A; the evidence stands",
        "  because         It was not so",
        "  was taken for   What it was",
        f"  evidence        a-very-long-path/{'x' * 200}.json",
        "  no five whys    It is plain",
        "  refuted         The wind (by A)",
        "  proposed        The sun",
        f"  file            {path}",
    ]
    assert as_json(one)["withdrawn"] == {"date": "2026-11-21", "refuted_by": "c#A", "reason": "It was not so"}
    assert render([]) == []


def test_one_that_stands_is_interpreted(tmp_path: Path) -> None:
    path = tmp_path / "one.md"
    text = TEXT.format(long="x").replace("status: withdrawn", "status: standing")
    path.write_text("\n".join(line for line in text.splitlines() if not line.startswith("withdrawn:")) + "\n")
    lines = render([load_investigation(path)])
    assert "  interpretation  What it was" in lines
    assert not any("WITHDRAWN" in line for line in lines)
