"""What is edited, what `pv status` says then, and why: one row an edit.

The rows are the table of `docs/freshness.md`; a test holds the two together.
"""

# ruff: noqa: E501  one row a line, where it can be

from __future__ import annotations

import contextlib
import io
import json
import shutil
from pathlib import Path

import pytest

from pv.cli import main
from pv.normal_form import LEFT_OUT
from tests.mutation_edits import (
    ALGORITHM,
    BUILDER,
    CHECK,
    CONTRACT,
    FIRST,
    MOVED,
    OTHER,
    PROJECT,
    SCALE,
    SECOND,
    SHIPPED,
    SIDECAR,
    STAND_IN,
    TOML,
    Row,
    below,
    clause,
    forged,
    laid_out,
    other_build,
    other_clause,
    other_host,
    other_line_ends,
    other_module,
    other_start,
    remove,
    rename,
    reordered,
    section,
    shorter_sidecar,
    swap,
    together,
    worse,
    write,
)

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "freshness.md"


STALE, UNBOUND = "STALE", "UNBOUND"
THRESHOLD = "- max(distance) <= 0.25\n"
EXPECT = "    expect:\n      - max(distance) <= 0.25\n      - count(distance) == expected\n"
PREDICTION = "prediction: none lies further than a quarter from a whole one"
HALF = "return [*numbers[:-1], 0.5]"
COUNTER_EXAMPLES = "    counter_examples: [one_half, one_missing]\n"

TIMES = 'with = {times = 3}\nloader = "numbers_checks.loading:open_numbers"\nderived_from = '

# fmt: off
TABLES: dict[str, list[Row]] = {
    "The clause": [
        Row("a threshold", clause("<= 0.25", "<= 0.26"), STALE, "threshold max(distance) 0.25 → 0.26"),
        Row("a threshold in other words: `0.25` to `2.5e-1`", clause("<= 0.25", "<= 2.5e-1")),
        Row("blanks in an expectation", clause("<= 0.25", "<=0.25 ")),
        Row("an operator", clause("<= 0.25", "< 0.25"), STALE, "expect line max(distance) <= 0.25 → max(distance) < 0.25"),
        Row("a metric", clause("- max(", "- min("), STALE, "expect line max(distance) <= 0.25 → min(distance) <= 0.25"),
        Row("an expectation taken out", clause(THRESHOLD, ""), STALE, "expect line removed: max(distance) <= 0.25"),
        Row(
            "an expectation more",
            clause(THRESHOLD, f"{THRESHOLD}      - min(distance) <= 0.1\n"),
            STALE,
            "expect line added: min(distance) <= 0.1",
        ),
        Row(
            "expectations in another order",
            clause(EXPECT, "    expect:\n      - count(distance) == expected\n      - max(distance) <= 0.25\n"),
        ),
        Row(
            "a list of expectations as a map of one",
            clause(EXPECT, '    expect: {"*": [max(distance) <= 0.25, count(distance) == expected]}\n'),
        ),
        Row(
            "an expectation for one level more",
            clause(
                EXPECT,
                '    expect:\n      "*": [max(distance) <= 0.25, count(distance) == expected]\n'
                "      live: [max(distance) <= 0.25]\n",
            ),
            STALE,
            "expect line added: max(distance) <= 0.25 (live)",
        ),
        Row("an argument", clause("{copies: 1}", "{copies: 2}"), STALE, "argument copies 1 → 2"),
        Row("an argument's type", clause("{copies: 1}", "{copies: 1.0}"), STALE, "argument copies 1 → 1.0"),
        Row("an argument taken out", clause("    with: {copies: 1}\n", ""), STALE, "argument copies removed (was 1)"),
        Row(
            "a counter-example taken out",
            clause("[one_half, one_missing]", "[one_half]"),
            STALE,
            "counter-example one_missing removed",
        ),
        Row("counter-examples in another order", clause("[one_half, one_missing]", "[one_missing, one_half]")),
        Row(
            "the list of counter-examples taken out",
            clause(COUNTER_EXAMPLES, ""),
            STALE,
            "counter-examples: one_half, one_missing → all that the check plants",
        ),
        Row("no counter-examples", clause("[one_half, one_missing]", "[]"), "VACUOUS", "no counter-example shows that it can fail"),
        Row("a limit", clause("256 MiB", "1 GiB"), STALE, "needs.memory 256 MiB → 1 GiB"),
        Row("a limit in another unit: `256 MiB` to `0.25 GiB`", clause("256 MiB", "0.25 GiB")),
        Row("a GPU needed", clause("20 s}", '20 s, gpu: ">=8.9"}'), STALE, "needs.gpu added: >=8.9"),
        Row("a module needed", clause("20 s}", "20 s, modules: [json]}"), STALE, 'needs.modules added: ["json"]'),
        Row(
            "the prediction",
            clause("than a quarter", "than one half"),
            STALE,
            'prediction "none lies further than a quarter from a whole one" → '
            '"none lies further than one half from a whole one"',
        ),
        Row("the prediction, folded", clause("prediction: none lies further", "prediction: >\n      none lies\n      further")),
        Row("the prediction, quoted", clause(PREDICTION, "prediction: 'none lies further than a quarter from a whole one'")),
        Row("`rule` spelled `description`", clause("rule: The", "description: The")),
        Row("`prediction` spelled `expected`", clause("prediction: none", "expected: none")),
        Row("keys in another order", reordered),
        Row("a list in brackets, in lines", clause("covers: [WHOLE-1]", "covers:\n      - WHOLE-1")),
        Row("a comment", clause("    expect:", "    # This much.\n    expect:  # and no more")),
        Row("the subject of a role", clause("numbers: shipped", "numbers: stand-in"), STALE, "subject of role numbers at live level: shipped → stand-in"),
        Row(
            "a level taken out",
            clause("      functional: {numbers: stand-in}\n", ""),
            STALE,
            "subject of role numbers at functional level removed (was stand-in)",
        ),
        Row(
            "`outcome: refuted`, with what that takes",
            clause(
                f"{COUNTER_EXAMPLES}    needs", "    counter_examples: []\n    outcome: refuted\n    satisfying_example: {}\n    needs"
            ),
            STALE,
            "counter-example one_half removed; counter-example one_missing removed; outcome added: refuted",
        ),
        Row(
            "another check",
            clause("wholeness:wholeness", "wholeness:strictness"),
            STALE,
            "check numbers_checks.wholeness:wholeness → numbers_checks.wholeness:strictness",
        ),
        Row("a key that we do not know", clause("    ship_blocking", "    tolerance: 0.1\n    ship_blocking"), STALE, "tolerance added: 0.1"),
        Row("`discharge_status`", clause("    ship_blocking", "    discharge_status: DISCHARGED\n    ship_blocking")),
        Row("`ship_blocking`", clause("ship_blocking: true", "ship_blocking: false")),
        Row("`covers`", clause("    covers: [WHOLE-1]\n", "")),
        Row("`aliases`", clause("    ship_blocking", "    aliases: [FALSIFY-OLD-001]\n    ship_blocking")),
        Row("`blocks`", clause("    ship_blocking", "    blocks: [FALSIFY-NUMBERS-002]\n    ship_blocking")),
        Row("`excluded`", clause("    ship_blocking", "    excluded: nothing measures it\n    ship_blocking"), "EXCLUDED", "nothing measures it"),
    ],
    "Around the clause": [
        Row("the contract's version", clause('version: "1.0.0"', 'version: "1.0.1"')),
        Row("a changelog", clause("  kind: pattern", '  kind: pattern\n  changelog: ["1.0.0: first"]')),
        Row("the contract's description", clause("nearly whole\n  references", "quite whole\n  references")),
        Row("an obligation", clause("property: Numbers are", "property: All numbers are")),
        Row("another falsifier", clause("{copies: 1200}", "{copies: 1199}")),
        Row("a file that nothing names", write("README.md", "More numbers.\n")),
        Row("another contract", write("contracts/other-v1.yaml", 'metadata: {version: "1.0.0", description: d, kind: pattern}\n')),
    ],
    "The check": [
        Row("code", swap(CHECK, "distance(number), label", "distance(number) + 0, label"), STALE, f"{CHECK} changed"),
        Row("a label", swap(CHECK, 'f"number {index}', 'f"no. {index}'), STALE, f"{CHECK} changed"),
        Row("a metric's range", swap(CHECK, "high=0.5", "high=0.6", 2), STALE, f"{CHECK} changed"),
        Row("a counter-example", swap(CHECK, HALF, "return [*numbers[:-1], 1.5]"), STALE, f"{CHECK} changed"),
        Row("a docstring", swap(CHECK, '"""Record the distance of every number."""', '"""Say it otherwise.\n\n    # At length.\n    """')),
        Row("the docstring of a constant", swap(SCALE, '"""Not at all."""', '"""By nothing."""')),
        Row("comments and blank lines", swap(CHECK, "        for copy in", "        # Each.\n\n        for copy in")),
        Row("quotes", swap(CHECK, '"expected", len', "'expected', len")),
        Row("lines broken otherwise", swap(CHECK, HALF, "return [\n        *numbers[:-1],\n        0.5,\n    ]")),
        Row("line ends", other_line_ends),
        Row("a module that it imports", swap(SCALE, "1.0", "1.5"), STALE, f"{SCALE} changed"),
        Row("a number of it in other digits", swap(SCALE, "1.0", "1.00")),
        Row("a module that it imports late", swap("numbers_checks/distance.py", "abs(", "abs(0 + "), STALE, "numbers_checks/distance.py changed"),
        Row("its package", swap("numbers_checks/__init__.py", "numbers.", 'numbers."""\nX = 1\n"""'), STALE, "numbers_checks/__init__.py changed"),
        Row(
            "one import more",
            swap(SCALE, "SCALE = 1.0", "from .unrelated import UNUSED\n\nSCALE = 1.0 * UNUSED"),
            STALE,
            f"{SCALE} changed; numbers_checks/unrelated.py added",
        ),
        Row(
            "one import fewer",
            together(swap("numbers_checks/distance.py", "    from .scale import SCALE\n\n", ""), swap("numbers_checks/distance.py", " * SCALE", "")),
            STALE,
            "numbers_checks/distance.py changed; numbers_checks/scale.py removed",
        ),
        Row("a module that it does not import", swap("numbers_checks/unrelated.py", "1", "2")),
        Row("a module that is no Python", swap(SCALE, "1.0", "(1.0"), UNBOUND, "its check cannot be bound: scale.py cannot be parsed as Python: '(' was never closed"),
        Row("the check's file taken away", remove(CHECK), UNBOUND, "its check cannot be bound: module numbers_checks.wholeness is in none of the project's sources"),
    ],
    "Subjects": [
        Row(
            "bytes, and their pin",
            together(write("data/shipped.txt", "1.0\n2.0\n"), swap(TOML, SHIPPED, OTHER)),
            STALE,
            f"subject shipped: sha256 {SHIPPED[:8]}… → {OTHER[:8]}…",
        ),
        Row("a pin taken out", swap(TOML, f'sha256 = "{SHIPPED}"\n', ""), STALE, f"subject shipped is not pinned in pv.toml (sha256 {SHIPPED[:8]}… was measured)"),
        Row(
            "the pin of the subject that counter-examples run on",
            swap(TOML, STAND_IN, OTHER),
            STALE,
            f"subject stand-in: sha256 {STAND_IN[:8]}… → {OTHER[:8]}…",
        ),
        Row("bytes alone: status goes by the pin, and `pv discharge` refuses them", write("data/shipped.txt", "1.0\n2.0\n")),
        Row("the loader's code", swap("numbers_checks/loading.py", "float(line)", "float(line.strip())"), STALE, "numbers_checks/loading.py changed"),
        Row(
            "the loader's name",
            swap(TOML, ":open_numbers", ":open_absolute_numbers", 3),
            STALE,
            "loader of subject shipped numbers_checks.loading:open_numbers → numbers_checks.loading:open_absolute_numbers",
        ),
        Row("the path, with the same pin", together(rename("data/shipped.txt", "data/moved.txt"), swap(TOML, "data/shipped.txt", "data/moved.txt"))),
        Row("`how_to_get`, `derived_from`", together(swap(TOML, "ask the owner", "search"), swap(TOML, 'derived_from = ["shipped"]\n', "", 2))),
        Row("comments in `pv.toml`", swap(TOML, "[subjects.shipped]", "# The claim is about these.\n[subjects.shipped]")),
        Row("another subject", swap(TOML, "times = 3", "times = 4")),
        Row(
            "a subject taken out",
            swap(TOML, "[subjects.stand-in]", "[subjects.other]"),
            UNBOUND,
            "its check cannot be bound: subject 'stand-in' is not in pv.toml",
        ),
    ],
    "A built subject": [
        Row("the builder's code", swap(BUILDER, "* times)", "* times * 1)"), STALE, f"builder {BUILDER} changed", 2),
        Row("what the builder imports", swap("numbers_checks/building_parts.py", '"".join', '"\\n".join'), STALE, "numbers_checks/building_parts.py changed", 2),
        Row("comments in the builder", swap(BUILDER, "    del times", "    # Not now.\n    del times"), of=2),
        Row("a builder's argument", swap(TOML, "times = 3", "times = 4"), STALE, "builder argument times 3 → 4 (subject repeated)", 2),
        Row(
            "the builder's name",
            swap(TOML, "building:repeat", "building:copy"),
            STALE,
            "builder of subject repeated numbers_checks.building:repeat → numbers_checks.building:copy",
            2,
        ),
        Row("the pin of its source", swap(TOML, SHIPPED, OTHER), STALE, f"subject shipped: sha256 {SHIPPED[:8]}… → {OTHER[:8]}…", 2),
        Row(
            "the pin of its source taken out",
            swap(TOML, f'sha256 = "{SHIPPED}"\n', ""),
            STALE,
            f"subject shipped is not pinned in pv.toml (sha256 {SHIPPED[:8]}… was measured)",
            2,
        ),
        Row("its source's loader, which the builder does not use", swap(TOML, ":open_numbers", ":open_absolute_numbers", 3), of=2),
        Row("its source", swap(TOML, f'{TIMES}["shipped"]', f'{TIMES}["stand-in"]'), STALE, "subject repeated is built from shipped → stand-in", 2),
        Row("its file's name", swap(TOML, '"repeated.txt"', '"thrice.txt"'), STALE, "path of subject repeated repeated.txt → thrice.txt", 2),
        Row(
            "built no more",
            swap(TOML, 'builder = "numbers_checks.building:repeat"\n', f'sha256 = "{OTHER}"\n'),
            STALE,
            f"builder {BUILDER} removed; numbers_checks/building_parts.py removed; "
            "subject repeated: built by numbers_checks.building:repeat → a file",
            2,
        ),
    ],
    "Evidence": [
        Row("a measurement", forged(FIRST, worse, sealed=False), UNBOUND, section(FIRST, "measurements was altered after it was sealed")),
        Row("a measurement beyond the threshold, sealed again", forged(FIRST, worse, sealed=True), UNBOUND, section(FIRST, "verdict does not follow from the measurements")),
        Row("the clause in it, sealed again", forged(FIRST, other_clause, sealed=True), UNBOUND, section(FIRST, "inputs holds a clause that has not the digest beside it")),
        Row(
            "the digest of a module in it, sealed again",
            forged(FIRST, other_module, sealed=True),
            UNBOUND,
            section(FIRST, "inputs holds modules that have not the digest of the check"),
        ),
        Row(
            "a builder's argument in it, sealed again",
            forged(SECOND, other_build, sealed=True),
            UNBOUND,
            section(SECOND, "inputs holds a build of repeated that has not the key of role numbers"),
            2,
        ),
        Row("when it was recorded", forged(FIRST, other_start, sealed=False), UNBOUND, section(FIRST, "run was altered after it was sealed")),
        Row("another host, day and library", forged(FIRST, other_host, sealed=True)),
        Row("blanks in a record", laid_out),
        Row("the live record taken away", remove(FIRST), "PARTIAL_ALGORITHM_LEVEL", "survey and counter-examples only"),
        Row("the record of the counter-examples taken away", remove(ALGORITHM), STALE, "its counter-examples have no evidence; discharge it again"),
        Row("all records taken away", together(remove(FIRST), remove(ALGORITHM)), UNBOUND, "never run: no evidence"),
        Row("a record renamed", rename(FIRST, MOVED), UNBOUND, section(MOVED, f"place says {below(FIRST)}, but it lies elsewhere")),
        Row("series in a sidecar", shorter_sidecar, UNBOUND, f"{Path(SECOND).name}: section measurements differs from its sidecar {SIDECAR}", 2),
        Row("the sidecar taken away", remove(f"evidence/*/*/{SIDECAR}"), UNBOUND, f"{Path(SECOND).name}: section measurements differs from its sidecar {SIDECAR}", 2),
    ],
}
# fmt: on


ROWS = [row for rows in TABLES.values() for row in rows]


def pv(root: Path, *arguments: str) -> tuple[int, str]:
    """Run a command in this process; return how it ended, and what it said."""
    said = io.StringIO()
    with contextlib.chdir(root), contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
        code = main([*arguments])
    return int(code), said.getvalue()


@pytest.fixture(scope="module")
def discharged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with fresh evidence; rows change copies of it."""
    root = tmp_path_factory.mktemp("mutations") / "project"
    shutil.copytree(PROJECT, root, ignore=shutil.ignore_patterns("__pycache__"))
    code, said = pv(root, "discharge", CONTRACT)
    assert code == 0, said
    return root


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what)
def test_what_an_edit_does_to_the_status(discharged: Path, tmp_path: Path, row: Row) -> None:
    root = tmp_path / "project"
    shutil.copytree(discharged, root, ignore=shutil.ignore_patterns("__pycache__", ".pv"))
    row.edit(root)
    code, said = pv(root, "status", f"FALSIFY-NUMBERS-00{row.of}", "--format", "json")
    assert code == 0, said
    (found,) = json.loads(said)["falsifiers"]
    assert (found["status"], found["reason"]) == (row.status, row.reason)


def test_there_are_enough_rows_and_each_edit_has_one() -> None:
    assert len(ROWS) >= 40
    assert len({(row.what, row.of) for row in ROWS}) == len(ROWS)


def documented() -> str:
    """Return the tables as the document has them."""
    head = "| edit | status | reason |\n|---|---|---|"
    tables = [
        f"### {name}\n\n{head}\n" + "\n".join(row.cells() for row in rows) for name, rows in TABLES.items()
    ]
    return "\n\n".join(tables) + "\n"


def test_the_document_has_these_rows_and_no_others() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text[text.index("### The clause") :] == documented()


def test_the_document_names_the_keys_that_are_left_out() -> None:
    text = DOCUMENT.read_text(encoding="utf-8").partition("<!-- left out -->\n")[2].partition("\n\n")[0]
    rows = [f"| `{key}` | {why} |" for key, why in LEFT_OUT.items()]
    assert text.splitlines()[2:] == rows
