from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.graph import ContractNode, Edge, FalsifierNode, Graph
from pv.reports.graph import as_json, dot, mermaid, text
from pv.standing import STATES, ObligationState

HOSTILE = [
    'a"b',
    "a\\",
    'a\\"',
    "a\nb",
    "a --> b",
    '"]; n0 --> n9; x["',
    "a]b}c)d|e",
    "#quot;",
    "&quot;",
    "%%{init: {}}%%",
    "`code`",
    "<script>alert(1)</script>",
    "end",
    "\x1b[31m",
    "n0 [label=x]",
    "\u202egnirts",
    "\N{SNOWMAN}",
]


def of(*names: str) -> Graph:
    """Return a graph in which everything carries one of `names`."""
    return Graph(
        contracts=tuple(
            ContractNode(
                name,
                f"{name}.yaml",
                "STALE",
                (name,),
                (FalsifierNode(f"{name}#{name}", "FALSIFIED", ship_blocking=True, covers=(name,)),),
                state="stale",
                states=(ObligationState(name, "falsified", ("proved",)),),
            )
            for name in names
        ),
        depends_on=tuple(Edge(names[0], name) for name in names[1:]),
        blocks=tuple(Edge(f"{names[0]}#{names[0]}", f"{name}#{name}") for name in names[1:]),
        findings=(),
    )


STRING = r'"(?:[^"\\\n]|\\[^\n])*"'
DOT_LINE = re.compile(
    rf"digraph contracts \{{|\}}|  rankdir=LR;"
    rf"|  (?P<start>node|n\d+)(?: -> (?P<end>n\d+))?"
    rf"(?: \[(?:\w+=(?:{STRING}|\w+)(?:, )?)*\])?;"
)


def dot_edges(lines: list[str]) -> list[tuple[str, str]]:
    """Read what we write of the dot language, strictly: one statement a line, nothing else."""
    edges = []
    for line in lines:
        match = DOT_LINE.fullmatch(line)
        assert match, line
        if match["end"]:
            edges.append((match["start"], match["end"]))
    return edges


MERMAID_LINE = re.compile(
    r'flowchart LR|  n\d+(?:\["L"\]|\(\["L"\]\)|\("L"\)|\{\{"L"\}\})'.replace("L", r"[^\"\n`]*")
    + r"|  style n\d+ fill:#[0-9a-f]{6},color:#000000"
    + r"(?:,stroke:#[0-9a-f]{6},stroke-width:4px|,stroke-dasharray:5 5)?"
    + r"|  (?P<start>n\d+) (?:---|-->\|covers\||-->\|depends on\||-\.->\|blocks\|) (?P<end>n\d+)"
)


def mermaid_edges(lines: list[str]) -> list[tuple[str, str]]:
    edges = []
    for line in lines:
        match = MERMAID_LINE.fullmatch(line)
        assert match, line
        if match["end"]:
            edges.append((match["start"], match["end"]))
    return edges


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_cannot_add_an_edge_or_end_a_label(name: str) -> None:
    plain, hostile = of("plain", "other"), of("plain", name)
    for reader, writer in ((dot_edges, dot), (mermaid_edges, mermaid)):
        for detailed in (False, True):
            wanted = reader(list(writer(plain, detailed=detailed)))
            assert reader(list(writer(hostile, detailed=detailed))) == wanted
            assert wanted


@given(st.text(max_size=40).filter(lambda name: name not in {"plain", "other"}))
def test_no_text_can(name: str) -> None:
    wanted = of("plain", "other")
    assert dot_edges(list(dot(of("plain", name), detailed=True))) == dot_edges(
        list(dot(wanted, detailed=True))
    )
    assert mermaid_edges(list(mermaid(of("plain", name), detailed=True))) == mermaid_edges(
        list(mermaid(wanted, detailed=True))
    )


@pytest.mark.parametrize("name", [name for name in HOSTILE if name.isprintable()])
def test_labels_say_the_name(name: str) -> None:
    line = next(line for line in dot(of(name), detailed=False) if "label=" in line)
    label = re.search(r'label="((?:[^"\\]|\\.)*?)\\nSTALE\\nstale"', line)
    assert label
    assert re.sub(r"\\(.)", r"\1", label[1]).replace("&amp;", "&") == name
    line = list(mermaid(of(name), detailed=False))[1]
    label = re.search(r'\["(.*)<br/>STALE<br/>stale"\]', line)
    assert label
    assert re.sub(r"#(\d+);", lambda match: chr(int(match[1])), label[1]) == name


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the parser's own, of its parser generator
def test_a_parser_of_dot_reads_the_names_that_were_written() -> None:
    import pydot

    names = ["plain", *HOSTILE]
    graphs = pydot.graph_from_dot_data("\n".join(dot(of(*names), detailed=False)))
    assert graphs is not None
    read: Any = graphs[0]
    labels = [node.get_label() for node in read.get_nodes() if node.get_name() != "node"]
    assert len(labels) == len(names)
    assert labels[0] == '"plain\\nSTALE\\nstale"'
    assert all(label.endswith('\\nSTALE\\nstale"') for label in labels)


def test_status_is_a_label_and_a_colour() -> None:
    (line,) = [line for line in dot(of("a"), detailed=False) if "label=" in line]
    assert line == '  n0 [label="a\\nSTALE\\nstale", shape=box, fillcolor="#ffcc80"];'
    assert list(mermaid(of("a"), detailed=False)) == [
        "flowchart LR",
        '  n0["a<br/>STALE<br/>stale"]',
        "  style n0 fill:#ffcc80,color:#000000",
    ]


def test_text_and_json_name_everything() -> None:
    assert list(text(of("a", "b"), detailed=True)) == [
        "a: STALE, stale",
        "  depends on  b",
        "  a  falsified (claimed proved)",
        "  a  FALSIFIED  ship-blocking",
        "    covers    a",
        "    blocks    b#b",
        "b: STALE, stale",
        "  b  falsified (claimed proved)",
        "  b  FALSIFIED  ship-blocking",
        "    covers    b",
    ]
    assert list(text(of("a", "b"), detailed=False)) == [
        "a: STALE, stale", "  depends on  b", "b: STALE, stale"
    ]  # fmt: skip
    document = as_json(of("a", "b"), detailed=True)
    assert document["blocks"] == [["a#a", "b#b"]]
    assert document["depends_on"] == [["a", "b"]]
    first = document["contracts"][0]
    assert first["falsifiers"][0]["covers"] == ["a"]
    assert (first["state"], first["throughout"]) == ("stale", False)
    assert first["states"] == {"a": {"state": "falsified", "claims": ["proved"]}}
    assert "falsifiers" not in as_json(of("a"), detailed=False)["contracts"][0]


def test_what_holds_with_all_that_it_depends_on_has_a_border_and_a_claim_is_dashed() -> None:
    node = ContractNode(
        "a", "a.yaml", "DISCHARGED", ("A", "B"), state="covered", throughout=True,
        states=(
            ObligationState("A", "proved", ("proved",)),
            ObligationState("B", "claimed proved", ("proved",)),
        ),
    )  # fmt: skip
    graph = Graph((node,), (), (), ())
    lines = list(dot(graph, detailed=True))
    assert lines[3].endswith(
        '[label="a\\nDISCHARGED\\ncovered throughout", shape=box, fillcolor="#dcedc8", penwidth=4,'
        ' color="#1b7837"];'
    )
    assert 'label="A\\nproved", shape=note, fillcolor="#8fd19e", style="filled,dashed"' in lines[4]
    assert 'label="B\\nclaimed proved", shape=note, fillcolor="#e4d7f5"' in lines[5]
    assert dot_edges(lines) == []
    assert "  style n0 fill:#dcedc8,color:#000000,stroke:#1b7837,stroke-width:4px" in mermaid(
        graph, detailed=True
    )
    assert list(text(graph, detailed=True)) == [
        "a: DISCHARGED, covered throughout", "  A  proved", "  B  claimed proved"
    ]  # fmt: skip


def test_every_state_has_a_colour_of_its_own_but_nothing() -> None:
    def colour(state: Any) -> str:
        return list(dot(Graph((ContractNode("a", None, None, state=state),), (), (), ()), detailed=False))[3]

    shown = {re.search('fillcolor="(.*?)"', colour(state)) for state in STATES}
    assert len({match[1] for match in shown if match}) == len(STATES)
