"""The place in the tokens of a formula, and what follows a name or a bracket: scripts, arguments, indices."""

from __future__ import annotations

import abc
import re

from pv.notation.factor import Factor, FactorKind
from pv.notation.symbols import ACCENTS, CONSTANTS, GREEK_WORDS, VULGAR
from pv.notation.tokens import Token, UnreadableError

__all__ = ["Scripts", "index", "number"]

_INDEX = re.compile(r"[A-Za-z]|[0-9]+|[i-n]{2}")


class Scripts(abc.ABC):
    """Reads what stands at the shoulder and the foot of names; what is within, its heirs read."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.place = 0
        self.depth = 0
        self.bars: list[str] = []
        """What a ``|`` would mean here, the innermost last: an end, a condition, or neither."""

    @property
    def here(self) -> Token:
        """The token to be read next."""
        return self.tokens[self.place]

    @property
    def then(self) -> Token:
        """The token after that."""
        return self.tokens[min(self.place + 1, len(self.tokens) - 1)]

    def take(self) -> Token:
        """Return the token, and go on to the next."""
        token = self.here
        self.place = min(self.place + 1, len(self.tokens) - 1)
        return token

    def at(self, *signs: str) -> bool:
        """Whether one of `signs` is next."""
        return self.here.kind == "sign" and self.here.text in signs

    def refuse(self) -> UnreadableError:
        """Return what is raised where the next token cannot be read."""
        return UnreadableError(self.here.text or "it ends too early")

    @abc.abstractmethod
    def sequence(self) -> str:
        """Read expressions, joined by commas, relations and the words that join formulas."""

    @abc.abstractmethod
    def brackets(self) -> tuple[str, str]:
        """Read what is in brackets; return it with them, and without where it is one part in round ones."""

    def name(self, first: str) -> tuple[str, FactorKind]:
        """Read the rest of a name that begins with `first`: ``w``, ``x_ij``, ``seq_len``, ``m_hat_t``."""
        parts = [first]
        while (
            self.at("_")
            and not self.here.spaced
            and self.then.kind in {"word", "number"}
            and not self.then.spaced
            and re.fullmatch(r"[A-Za-z0-9]+", self.then.text)
        ):
            self.take()
            parts.append(self.take().text)
            if parts[-1].isdigit() and self.here.kind == "word" and not self.here.spaced:
                raise self.refuse()
        base, rest = parts[0], parts[1:]
        letter = GREEK_WORDS.get(base) or (base if len(base) == 1 else "")
        match = re.fullmatch(r"([a-z]+)([0-9]+)", base)
        if match and match[1] in GREEK_WORDS and not rest:
            return f"{GREEK_WORDS[match[1]]}_{{{match[2]}}}", "symbol"
        if letter:
            if rest and rest[0] in ACCENTS:
                letter, rest = f"{ACCENTS[rest[0]]}{{{letter}}}", rest[1:]
            if not rest:
                return letter, "letter" if len(letter) == 1 else "symbol"
            return f"{letter}_{{{','.join(index(part) for part in rest)}}}", "symbol"
        if not rest:
            if len(base) == 2 and base.isalpha():
                return base, "pair"
            return f"\\mathrm{{{base}}}", "long"
        if len(rest) == 1 and _INDEX.fullmatch(rest[0]):
            return f"\\mathrm{{{base}}}_{{{rest[0]}}}", "symbol"
        joined = "\\_".join(parts)
        return f"\\mathrm{{{joined}}}", "symbol"

    # What follows a name or a bracket

    def scripted(
        self, latex: str, kind: FactorKind, *, inside: str = "", spaced: bool | None = None
    ) -> Factor:
        """Read the scripts, arguments, indices and members of what `latex` is."""
        spaced = self.tokens[self.place - 1].spaced if spaced is None else spaced
        below = True
        while True:
            if found := self.scripts(latex):
                if kind == "pair" and found.startswith("_"):
                    latex = f"\\mathrm{{{latex}}}"
                latex = f"{latex}{found}"
                kind = "symbol" if kind in {"letter", "long", "group", "number"} else kind
                inside = ""
            elif self.at("(", "[") and not self.here.spaced and kind not in {"number", "group", "open"}:
                below = below and (self.at("[") or kind not in {"letter", "pair"})
                called = self.at("(")
                opened, _ = self.brackets()
                named = re.fullmatch(r"\\mathrm(\{[^{}]*\})", latex) if called else None
                latex = f"\\operatorname{named[1]}{opened}" if named else f"{latex}{opened}"
                kind, inside = "call", ""
            elif self.at(".") and self.then.kind == "word" and not (self.here.spaced or self.then.spaced):
                self.take()
                member, _ = self.name(self.take().text)
                latex = f"{latex}.{member}" if member.startswith("\\") else f"{latex}.\\mathrm{{{member}}}"
                kind, inside = "symbol", ""
            elif self.at("!") and not self.here.spaced:
                self.take()
                latex, kind, inside = f"{latex}!", "symbol", ""
            else:
                return Factor(latex, kind, spaced, inside, below)

    def scripts(self, base: str) -> str:
        """Read subscripts, superscripts and primes: one of each, or it is not certain what they belong to."""
        out, seen = "", set()
        while not self.here.spaced:
            if self.here.kind == "prime":
                self.take()
                out, place = f"{out}'", "prime" if "^" not in seen else "^"
                if place == "^" or "_" in seen:
                    raise self.refuse()
                continue
            if self.here.kind in {"raised", "lowered"}:
                place = "^" if self.here.kind == "raised" else "_"
                content = self.take().text
            elif self.at("^", "_"):
                place = self.take().text
                content = self.script(place)
            else:
                break
            if place in seen or (place == "_" and re.search(r"_\{[^{}]*\}$", base)):
                raise self.refuse()
            seen.add(place)
            out = f"{out}{place}{{{content}}}"
        return out

    def script(self, place: str) -> str:
        """Read what is raised or lowered."""
        if self.here.spaced:
            raise self.refuse()
        if self.at("{"):
            return self.enclosed("}", keep=False)
        if self.at("("):
            return self.enclosed(")", keep=True)
        sign = "-" if place == "^" and self.at("-") and not self.then.spaced and self.take() else ""
        token = self.take()
        if token.kind == "number" and token.text not in VULGAR:
            shown = number(token.text)
        elif token.kind == "atom":
            shown = token.text
        elif token.kind == "word":
            shown = CONSTANTS.get(token.text) or GREEK_WORDS.get(token.text) or index(token.text)
        else:
            raise self.refuse()
        glued = self.here.kind in {"word", "number", "atom"} and not self.here.spaced
        if glued or (place == "^" and self.at("_", "^", "(", "[") and not self.here.spaced):
            raise self.refuse()
        return f"{sign}{shown}"

    def enclosed(self, closing: str, *, keep: bool) -> str:
        """Read a script in brackets; round ones are kept: ``p_(1)`` may be an order statistic."""
        self.take()
        self.depth += 1
        self.bars.append("none")
        content = self.sequence()
        self.bars.pop()
        self.depth -= 1
        if not self.at(closing):
            raise self.refuse()
        self.take()
        return f"({content})" if keep else content


def index(word: str) -> str:
    """Return a word that is an index in LaTeX: two letters may be two indices."""
    if word in GREEK_WORDS:
        return GREEK_WORDS[word]
    return word if len(word) <= 2 or word.isdigit() else f"\\mathrm{{{word}}}"


def number(text: str) -> str:
    """Return a number as written, in LaTeX."""
    if text in VULGAR:
        return VULGAR[text]
    if text.startswith("0x"):
        return f"\\mathtt{{{text}}}"
    text = text.replace("_", "\\,")
    return re.sub(r"[eE]", lambda match: f"\\mathrm{{{match[0]}}}", text)
