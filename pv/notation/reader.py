r"""The reader of plain notation: what it is certain of, in LaTeX; of everything else it says that it is not.

It writes down what is there, in the same order, and decides little: a fraction only where no neighbour could
belong to it, a root only of what is in brackets or is one name, brackets are kept. So ``a / b c`` stays
``a / b c``, as ambiguous as it was. Words beside each other are prose, and prose is not read.

The names of commands are those of LaTeX and amsmath: https://www.latex-project.org/help/documentation/amsldoc.pdf.
"""

from __future__ import annotations

from pv.notation.factor import BESIDE, Factor, product
from pv.notation.names import Names
from pv.notation.scripts import number
from pv.notation.symbols import (
    BARE_FUNCTIONS,
    CONNECTORS,
    GREEK_WORDS,
    INDEXED,
    PREFIXES,
    PRODUCTS,
    RELATIONS,
    SUMS,
    WORD_PRODUCTS,
)
from pv.notation.tokens import Token, UnreadableError, tokenise

__all__ = ["read"]

MOST_NESTED = 40
_OPENING = {"(": "(", "[": "[", "{": "\\{", "⌊": "\\lfloor ", "⌈": "\\lceil ", "⟨": "\\langle "}
_CLOSING = {")": ")", "]": "]", "}": "\\}", "⌋": " \\rfloor ", "⌉": " \\rceil ", "⟩": " \\rangle "}
_ENDS = {"(": ")]", "[": "])", "{": "}", "⌊": "⌋", "⌈": "⌉", "⟨": "⟩"}
_SIGNS = {**PRODUCTS, **WORD_PRODUCTS}


def read(text: str) -> str:
    """Return `text` in LaTeX, to be set in mathematics.

    Raises
    ------
    UnreadableError
        Some of it is not of the notation.
    """
    reader = _Reader(tokenise(text))
    latex = reader.sequence()
    if reader.here.kind != "end":
        raise UnreadableError(reader.here.text)
    return latex


class _Reader(Names):
    # Lists and relations

    def sequence(self) -> str:
        """Read expressions, joined by commas, relations and the words that join formulas."""
        out = [self.operand()]
        while True:
            if self.at(","):
                self.take()
                out += [", ", self.operand()]
            elif self.at(*RELATIONS):
                if self.at("...", "…", "..") and self.then.text == ",":
                    raise self.refuse()
                out += [f" {RELATIONS[self.take().text]} ", self.operand()]
            elif self.at("|") and self.bars[-1:] == ["condition"]:
                self.take()
                out += [" \\mid ", self.operand()]
            elif self.connector():
                word = self.connected()
                if word.lower() == "otherwise":
                    out.append(" \\text{ otherwise}")
                else:
                    out += [" \\in " if word == "in" else f" \\text{{ {word} }} ", self.operand()]
            else:
                return "".join(out)

    def operand(self) -> str:
        """Read an expression, with the words and quantifiers that may stand before it."""
        out = []
        while True:
            if self.connector() and self.here.text.lower() not in {"and", "or", "otherwise"}:
                out.append(f"\\text{{{self.connected()} }} ")
            elif self.here.text in {"∀", "∃", "forall", "exists"}:
                out.append(f"{PREFIXES[self.take().text]} ")
                if out[-1] == "\\exists " and self.at("!"):
                    self.take()
                    out.append("! ")
            else:
                break
        if self.at("...", "…"):
            self.take()
            return "".join([*out, "\\ldots"])
        if self.at(":") and self.depth:
            self.take()
            return "".join([*out, ":"])
        return "".join([*out, self.sum()])

    def connector(self) -> bool:
        word = self.here.text
        return self.here.kind == "word" and (word.lower() if word.isupper() else word) in CONNECTORS

    def connected(self) -> str:
        word = self.take().text
        return f"for {self.take().text}" if word == "for" and self.here.text == "all" else word

    # Sums and products

    def sum(self) -> str:
        out = [self.sign(unary=True), self.product()]
        while self.at("+", "-", "−", "±"):
            hyphen = self.at("-") and not self.here.spaced and not self.then.spaced
            left, right = self.tokens[self.place - 1], self.then
            if hyphen and {left.kind, right.kind} == {"word"} and min(len(left.text), len(right.text)) > 1:
                raise self.refuse()  # a hyphen
            if left.text in (*INDEXED, *BARE_FUNCTIONS) and self.here.spaced and not self.then.spaced:
                raise self.refuse()  # the argument of a function, or what is taken from it?
            out += [f" {self.sign()} ", self.product()]
        return "".join(out)

    def sign(self, *, unary: bool = False) -> str:
        if unary and not self.at("+", "-", "−", "±"):
            return ""
        return {"+": "+", "±": "\\pm "}.get(self.take().text, "-")

    def product(self) -> str:
        factors, operators = [self.factor()], []
        while True:
            word = self.here.text if self.here.kind == "word" else ""
            if word in WORD_PRODUCTS:
                operators.append(self.take().text)
            elif self.at(*PRODUCTS):
                if self.at("\\") and not (self.here.spaced and self.then.spaced):
                    raise self.refuse()
                operators.append(self.take().text)
            elif self.beside():
                operators.append(BESIDE)
            else:
                return product(factors, operators, _SIGNS)
            factors.append(self.factor())

    def beside(self) -> bool:
        """Whether a factor begins here, without an operator before it."""
        if self.connector():
            return False
        if self.at("|"):
            return not self.bars or (self.bars[-1] == "none" and self.here.spaced)
        return self.here.kind in {"number", "word", "atom", "sum"} or self.at(
            "(", "[", "√", "∂", "∇", "⌊", "⌈"
        )

    # Factors

    def factor(self) -> Factor:
        token = self.here
        if self.depth > MOST_NESTED:
            raise self.refuse()
        self.depth += 1
        try:
            return self._factor(token)
        finally:
            self.depth -= 1

    def _factor(self, token: Token) -> Factor:
        if token.kind == "number":
            return self.scripted(number(self.take().text), "number")
        if token.kind == "text":
            self.take()
            return Factor(f"\\text{{'{token.text}'}}", "symbol", token.spaced)
        if token.kind == "sum":
            return self.running(SUMS[self.take().text], token.text)
        if token.kind == "atom":
            return self.scripted(self.take().text, "symbol")
        if token.kind == "word":
            return self.word()
        if self.at("∂", "∇", "¬", "#"):
            self.take()
            inner = self.factor()
            return Factor(f"{PREFIXES[token.text]} {inner.latex}", "open", token.spaced)
        if self.at("√"):
            self.take()
            return self.root(token)
        if self.at("|"):
            return self.scripted(self.value(), "symbol", spaced=token.spaced)
        if self.at("<"):
            return self.scripted(self.inner_product(), "symbol", spaced=token.spaced)
        if self.at(*_OPENING):
            latex, inside = self.brackets()
            return self.scripted(latex, "group", inside=inside, spaced=token.spaced)
        raise self.refuse()

    def brackets(self) -> tuple[str, str]:
        """Read what is in brackets; return it with them, and without where it is one part in round ones."""
        opening = self.take().text
        start = self.place
        self.bars.append(self.meaning_of_bar(opening))
        content = "" if self.at(*_ENDS[opening]) else self.sequence()
        self.bars.pop()
        if not self.at(*_ENDS[opening]):
            raise self.refuse()
        lonely = self.place == start + 1 and self.tokens[start].kind == "word"
        if opening == "(" and lonely and len(self.tokens[start].text) > 2 and self.tokens[start - 1].spaced:
            word = self.tokens[start].text
            if word not in GREEK_WORDS:
                raise self.refuse()  # a remark: "(integer)"
        closing = self.take().text
        half_open = (opening + closing) in {"(]", "[)"}
        if half_open and content.count(", ") != 1:
            raise self.refuse()
        tall = "\\frac" in content
        left = f"\\left{_OPENING[opening]}" if tall else _OPENING[opening]
        right = f"\\right{_CLOSING[closing].lstrip()}" if tall else _CLOSING[closing]
        single = (
            opening + closing == "()"
            and ", " not in content
            and not any(sign in content for sign in ("\\mid", "\\text{ "))
        )
        return f"{left}{content}{right}", content if single else ""

    def meaning_of_bar(self, opening: str) -> str:
        """Say what a bar between two operands means in brackets: with one bar a condition, else a value."""
        depth, bars = 0, 0
        for token in self.tokens[self.place :]:
            if token.kind != "sign":
                continue
            if token.text in _OPENING:
                depth += 1
            elif token.text in _CLOSING:
                depth -= 1
                if depth < 0:
                    break
            bars += token.text == "|" and depth == 0
        if bars == 1 and opening in "({":
            return "condition"
        return "none" if bars % 2 == 0 else "unknown"

    def value(self) -> str:
        """Read ``|x|`` or ``||x||``."""
        self.take()
        double = self.at("|") and not self.here.spaced
        if double:
            self.take()
        self.bars.append("end")
        content = self.sequence()
        self.bars.pop()
        for count in range(2 if double else 1):
            if not self.at("|") or (count and self.here.spaced):
                raise self.refuse()
            self.take()
        bar = "V" if double else "v"
        return f"\\l{bar}ert {content} \\r{bar}ert "

    def inner_product(self) -> str:
        self.take()
        parts = [self.sum()]
        while self.at(","):
            self.take()
            parts.append(self.sum())
        if not self.at(">") or len(parts) < 2:
            raise self.refuse()
        self.take()
        return f"\\langle {', '.join(parts)} \\rangle "

    def root(self, sign: Token) -> Factor:
        if self.at("("):
            _, inside = self.brackets()
            if not inside:
                raise self.refuse()
        else:
            inner = self.factor()
            if inner.kind not in {"number", "letter", "symbol", "long"} or (
                self.beside() and not self.here.spaced
            ):
                raise self.refuse()
            inside = inner.latex
        if self.at("^", "_") or self.here.kind in {"raised", "lowered"}:
            raise self.refuse()
        return Factor(f"\\sqrt{{{inside}}}", "symbol", sign.spaced)

    def running(self, command: str, written: str) -> Factor:
        """Read a sum, a maximum or the like, with its bounds; what it runs over follows."""
        token = self.tokens[self.place - 1]
        before = self.tokens[self.place - 2] if self.place > 1 else None
        first = before is None or (before.kind == "sign" and before.text not in _CLOSING)
        bounds = self.scripts(command)
        glyph = {"Σ": "\\Sigma", "Π": "\\Pi"}.get(written)
        certain = any(relation in bounds for relation in ("=", "\\in", "\\neq"))
        if glyph and not certain and not (bounds.startswith("_") and first):
            command = glyph  # it may be a letter
        return Factor(f"{command}{bounds}", "open", token.spaced)
