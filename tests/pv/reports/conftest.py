"""Reports of every kind, with whatever text a contract or a check could hold."""

from __future__ import annotations

import os
from typing import get_args

import pytest
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pv.errors import Location
from pv.exits import Exit
from pv.finding import Finding
from pv.outcome import Outcome
from pv.reports.model import Report, Result, Step
from pv.status import LADDER

HOSTILE = (
    "a | b",
    "\x1b[31mred\x1b[0m",
    "]]></failure><failure>",
    "::error file=x::taken",
    "%0A::set-output name=x::y",
    "line\nfeed\r\n::warning::x",
    "<script>alert(1)</script>",
    "</pre><b>x</b>",
    "| --- | ![x](https://example.org/x.png) @everyone #1",
    "`code` **bold** [link](javascript:x) www.example.org",
    "\N{RIGHT-TO-LEFT OVERRIDE}txt.yaml",
    "\x00\x08\ufffe\uffff\ud800",
    "- item",
    "1. item",
    "# head",
)
# Surrogates as well: names of files that are not UTF-8 hold them.
TEXT = st.text(st.characters(exclude_categories=()), max_size=20) | st.sampled_from(HOSTILE)
# No path decodes to a surrogate but those that stand for bytes, which the others draw.
NAME = st.text(st.characters(exclude_characters="#\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
PATH = st.binary(min_size=1, max_size=12).map(lambda raw: os.fsdecode(raw.replace(b"\0", b"_"))) | NAME
WHERE = st.builds(Location, PATH, st.integers(1, 10**6), st.integers(1, 200))
TEXTS = st.lists(TEXT, max_size=2).map(tuple)
RESULTS = st.builds(
    Result,
    address=st.builds("{}#{}".format, NAME, NAME),
    where=WHERE,
    rule=TEXT,
    outcome=st.sampled_from(("", *get_args(Outcome))),
    status=st.sampled_from((*LADDER, "REFUTED", "EXCLUDED")),
    level=st.sampled_from(("", "algorithm", "functional", "live")),
    subject=TEXT,
    device=TEXT,
    message=TEXT,
    detail=TEXT,
    margin=TEXT,
    relative=st.none() | st.floats(-1e300, 1e300),
    seconds=st.floats(0, 1e6),
    begun=st.booleans(),
    fresh=st.booleans(),
    lines=st.lists(st.tuples(TEXT, st.booleans()), max_size=2).map(tuple),
    worst=TEXTS,
    missed=TEXTS,
    declined=st.lists(st.builds(Step, TEXT, TEXT, TEXT), max_size=1).map(tuple),
    records=TEXTS,
    attempts=TEXTS,
    waived=st.just("") | TEXT,
    reproduce=TEXT,
)
CODES = st.from_regex(r"\A[A-Z]{3,8}-[0-9]{3}\Z")
FINDINGS = st.builds(Finding, WHERE, CODES, st.sampled_from(("error", "warning")), TEXT, TEXT)
REPORTS = st.builds(
    Report,
    command=st.sampled_from(("validate", "discharge", "status", "sweep")),
    version=st.just("0.1.0"),
    ended=st.sampled_from(Exit),
    started=st.sampled_from(("", "2026-11-21T02:24:40+00:00")),
    seconds=st.floats(0, 1e6),
    files=st.lists(PATH, max_size=2, unique=True).map(tuple),
    results=st.lists(RESULTS, max_size=3).map(tuple),
    findings=st.lists(FINDINGS, max_size=3).map(tuple),
    strict=st.booleans(),
    error=st.just("") | TEXT,
)


@pytest.fixture(scope="session")
def texts() -> SearchStrategy[str]:
    """Text of strangers."""
    return TEXT


@pytest.fixture(scope="session")
def results() -> SearchStrategy[Result]:
    """Results of every kind."""
    return RESULTS


@pytest.fixture(scope="session")
def reports() -> SearchStrategy[Report]:
    """Reports of every kind."""
    return REPORTS
