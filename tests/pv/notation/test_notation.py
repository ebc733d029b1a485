from __future__ import annotations

import re
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from latex2mathml.converter import convert_to_element

from pv.contract import Contract, load_contract
from pv.errors import PvError
from pv.notation import latex, segments, verbatim
from pv.notation.mathml import mathml

ROOT = Path(__file__).resolve().parents[3]
CORPUS = ROOT.parent / "shared" / "corpus"


def contracts(folder: Path) -> Iterator[Contract]:
    for path in sorted(folder.rglob("*.yaml")):
        try:
            yield load_contract(path)
        except PvError:
            continue


def formulas(folder: Path) -> list[str]:
    return [equation.formula for contract in contracts(folder) for equation in contract.equations]


def balanced(text: str) -> bool:
    """Whether groups close, none before it opens; what a backslash escapes counts for nothing."""
    depth = 0
    for found in re.findall(r"\\.|[{}]", text, re.DOTALL):
        depth += (found == "{") - (found == "}")
        if depth < 0:
            return False
    return depth == 0


READ = [
    ("y = g / (1 + exp(-g)) * u", r"y = \frac{g}{1 + \exp(-g)} \cdot u"),
    ("a / b c", r"a / b\,c"),
    ("1/2πσ", r"1 / 2 \pi \sigma"),
    ("a / b / c", "a / b / c"),
    ("x / f(y)", "x / f(y)"),
    ("x / norm(y)", r"\frac{x}{\operatorname{norm}(y)}"),
    ("sum_s p_s v_s / sum_s p_s", r"\sum_{s}\,p_{s}\,v_{s} / \sum_{s}\,p_{s}"),
    ("√(2/π)(x + 1)", r"\sqrt{\frac{2}{\pi}} (x + 1)"),
    ("m_hat_t / (sqrt(v_hat_t) + eps)", r"\frac{\hat{m}_{t}}{\sqrt{\hat{v}_{t}} + \epsilon}"),
    ("Σ_{u≠v} 1/d_uv", r"\sum_{u \neq v}\,1 / d_{uv}"),
    ("x^T Σ x", r"x^{T}\,\Sigma\,x"),
    ("||x - μ_{cᵢ}||²", r"\lVert x - \mu_{c_{i}} \rVert ^{2}"),
    ("P(y=1|x)", r"P(y = 1 \mid x)"),
    ("#{ i : W_i = 0 }", r"\# \{i : W_{i} = 0\}"),
    ("i in [0, d/2)", r"i \in \left[0, \frac{d}{2}\right)"),
    ("n >= 100_000", r"n \geq 100\,000"),
    ("A \\ B", r"A \setminus B"),
    ("2^-24", "2^{-24}"),
    ("p_(1) - p_(2)", "p_{(1)} - p_{(2)}"),
    ("x'_i", "x'_{i}"),
    ("seq_len + mask_i", r"\mathrm{seq\_len} + \mathrm{mask}_{i}"),
    ("W ∈ ℝ^{m×r}", r"W \in \mathbb{R}^{m \times r}"),
    ("QK^T", "QK^{T}"),
    ("max_position > 0", r"\mathrm{max\_position} > 0"),
]
NOT_READ = [
    "median of the times",
    "row length mod block(type) = 0",
    "a << 31",
    "x ** 2",
    "argmin -f(x)",
    "held-out = pre-norm",
    "n (integer) + 1",
    "x y_",
    "a +",
    "(a",
    "|a| |",
    "x²^3",
    "√xy",
    "√(a)²",
    "w 3",
    "2^n_bits",
    "x^2i",
    "'it is' a string \\n",
    "$x$",
    "\\input{/etc/passwd}",
    "x is b",
    "(a, b, c]",
    "a & b",
    "a \\\\ b",
    "x\u202ey",
    "(" * 500 + "x" + ")" * 500,
    "_",
    "",
]


@pytest.mark.parametrize(("formula", "wanted"), READ)
def test_what_is_read(formula: str, wanted: str) -> None:
    assert latex(formula) == wanted


@pytest.mark.parametrize("formula", NOT_READ)
def test_what_is_not_certain_stays_verbatim(formula: str) -> None:
    assert latex(formula) in {verbatim(formula), ""}


def test_sentences_are_read_one_by_one_and_lines_together() -> None:
    assert latex("y = x where W is the matrix") == r"y = x\quad \text{where } \texttt{W is the matrix}"
    assert latex("a = b; it is so") == r"a = b;\quad \texttt{it is so}"
    assert latex("g = n / k (integer)") == r"g = \frac{n}{k}\quad \text{(integer)}"
    assert latex("a = b\nc = d") == r"a = b \quad c = d"
    assert latex("a = b\n + c") == verbatim("a = b\n + c")
    assert latex("a = b +\nc") == verbatim("a = b +\nc")


def test_verbatim_escapes_every_sign_that_latex_reads() -> None:
    assert verbatim("\\ {}$&#_%~^") == (
        r"\texttt{\textbackslash{} \{\}\$\&\#\_\%\textasciitilde{}\textasciicircum{}}"
    )


@settings(max_examples=400)
@given(st.text(alphabet=st.sampled_from("ab xΣ_^{}()[]|,;:/*+-=<>\\'√½²ᵢ.#%&$~\n\u0302é"), max_size=40))
def test_no_text_breaks_out_of_its_groups_or_takes_long(formula: str) -> None:
    started = time.process_time()
    assert balanced(latex(formula))
    assert time.process_time() - started < 2
    for segment in segments(formula):
        if segment.read:
            convert_to_element(segment.latex)
    mathml(formula)


@pytest.mark.parametrize("folder", [ROOT / "contracts", CORPUS], ids=["ours", "corpus"])
def test_every_formula_of_contracts_is_latex_that_a_converter_reads(folder: Path) -> None:
    if not folder.is_dir():
        pytest.skip("the outside corpus is not beside this checkout")
    found = formulas(folder)
    assert len(found) > 50
    read = 0
    for formula in found:
        assert balanced(latex(formula)), formula
        parts = [part for part in segments(formula) if part.text]
        read += all(part.read for part in parts)
        for part in parts:
            if part.read:
                whole = ET.tostring(convert_to_element(part.latex), encoding="unicode")
                assert "\\" not in whole, formula  # a command that the converter does not know
        if any(part.read for part in parts):
            assert mathml(formula), formula
    assert read / len(found) > 0.7


def test_pages_get_elements_of_mathml_and_escaped_text_only() -> None:
    shown = mathml("y = x / 2 where <script>alert(1)</script> & so on")
    assert "<mfrac><mrow><mi>x</mi></mrow><mrow><mn>2</mn></mrow></mfrac>" in shown
    assert '<code class="formula">&lt;script&gt;alert(1)&lt;/script&gt; &amp; so on</code>' in shown
    assert mathml("<b>only prose here</b>") == ""
    assert "<mo>&lt;</mo>" in mathml("a < b")
    assert "&amp;#x" not in mathml("f(x) = a·b ∈ ℝ^n")


# What is read means what Python means by the same text.

OPERATOR = st.sampled_from([" + ", " - ", " * ", "*", " / ", "/"])
ATOM = st.one_of(st.sampled_from(["a", "b_1", "theta"]), st.integers(1, 9).map(str))
EXPRESSION = st.recursive(
    ATOM,
    lambda inner: st.one_of(
        st.tuples(inner, OPERATOR, inner).map("".join),
        st.tuples(inner, OPERATOR, inner, OPERATOR, inner).map("".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"exp({text})"),
        inner.map(lambda text: f"sqrt(abs({text}))"),
        st.tuples(ATOM, st.integers(2, 3)).map(lambda pair: f"{pair[0]}^{pair[1]}"),
    ),
    max_leaves=8,
)
VALUES = {"a": Fraction(17, 10), "b_1": Fraction(6, 10), "theta": Fraction(23, 10)}
# Any functions will do; these are exact.
FUNCTIONS = {"exp": lambda x: 3 * x + 1, "sqrt": lambda x: x + 7, "abs": abs, "Fraction": Fraction}


def exact(text: str) -> Fraction:
    """Evaluate Python's arithmetic in fractions."""
    return Fraction(eval(re.sub(r"(?<!\w)\d+", r"Fraction(\g<0>)", text), {**FUNCTIONS, **VALUES}))  # noqa: S307


def evaluated(text: str) -> Fraction:
    """Evaluate our LaTeX of arithmetic, read anew: groups become brackets, commands operators."""
    for command, meant in (
        ("\\left", ""), ("\\right", ""), ("\\cdot", "*"), ("\\exp", "exp"), ("\\sqrt", "sqrt"),
        ("\\lvert", "abs("), ("\\rvert", ")"), ("\\theta", "theta"), ("b_{1}", "b_1"), ("^", "**"),
    ):  # fmt: skip
        text = text.replace(command, meant)
    while "\\frac" in text:
        start = text.index("\\frac")
        first = closing(text, start + 5)
        second = closing(text, first + 1)
        above, below = text[start + 6 : first], text[first + 2 : second]
        text = f"{text[:start]}(({above})/({below})){text[second + 1 :]}"
    return exact(text.replace("{", "(").replace("}", ")"))


def closing(text: str, opening: int) -> int:
    depth = 0
    for place in range(opening, len(text)):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return place
    raise AssertionError(text)


@settings(max_examples=300)
@given(EXPRESSION)
def test_arithmetic_has_the_same_value_after_as_before(text: str) -> None:
    (segment,) = segments(text)
    assert segment.read
    try:
        wanted = exact(text.replace("^", "**"))
    except ZeroDivisionError:
        return
    assert evaluated(segment.latex) == wanted
