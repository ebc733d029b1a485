"""Names, functions, and the words that run over an index."""

from __future__ import annotations

import abc

from pv.notation.factor import Factor
from pv.notation.scripts import Scripts
from pv.notation.symbols import BARE_FUNCTIONS, CONSTANTS, FUNCTIONS, GROUPS, INDEXED, PREFIXES
from pv.notation.tokens import Token

__all__ = ["Names"]


class Names(Scripts):
    """Reads words."""

    @abc.abstractmethod
    def factor(self) -> Factor:
        """Read one part of a product."""

    @abc.abstractmethod
    def beside(self) -> bool:
        """Whether a factor begins here, without an operator before it."""

    def word(self) -> Factor:
        """Read what begins with a word."""
        token = self.take()
        name = token.text
        if name in PREFIXES:
            raise self.refuse()
        called = self.at("(") and not self.here.spaced
        lowered = self.at("_") and not self.here.spaced
        if called and name in GROUPS:
            opened, inside = self.brackets()
            if inside:
                left, right = GROUPS[name]
                if name == "sqrt" and (self.at("^", "_") or self.here.kind == "raised"):
                    raise self.refuse()
                return self.scripted(f"{left}{inside}{right}", "symbol", spaced=token.spaced)
            return self.scripted(f"\\operatorname{{{name}}}{opened}", "call", spaced=token.spaced)
        if name in INDEXED and (command := self.indexed(name, lowered=lowered, called=called)):
            return command
        if name in FUNCTIONS and not lowered:
            return self.function(name, token)
        if name in CONSTANTS and not (lowered or called):
            return Factor(CONSTANTS[name], "symbol", token.spaced)
        latex, kind = self.name(name)
        return self.scripted(latex, kind, spaced=token.spaced)

    def function(self, name: str, token: Token) -> Factor:
        """Read a function that mathematics knows, with its argument."""
        command = FUNCTIONS[name]
        raised = self.scripts(command)
        if self.at("("):
            opened, _ = self.brackets()
            return self.scripted(f"{command}{raised}{opened}", "call", spaced=token.spaced)
        if name not in BARE_FUNCTIONS or not self.beside():
            raise self.refuse()
        inner = self.factor()
        if inner.kind in {"long", "pair"}:
            raise self.refuse()
        return Factor(f"{command}{raised} {inner.latex}", "open", token.spaced)

    def indexed(self, name: str, *, lowered: bool, called: bool) -> Factor | None:
        """Read ``sum_i``, ``max_{i in V}``; None where it is an ordinary name, such as ``max_position``."""
        token, start = self.tokens[self.place - 1], self.place
        if called:
            latex, _ = self.brackets()
            command = INDEXED[name] if name in {"max", "min"} else f"\\operatorname{{{name}}}"
            return self.scripted(f"{command}{latex}", "call", spaced=token.spaced)
        bounds = self.scripts(INDEXED[name]) if lowered else ""
        word = self.tokens[start + 1] if lowered else None
        if word and word.kind == "word" and len(word.text) > 1 and (self.at("(") or not self.beside()):
            self.place = start
            return None
        if not lowered and not self.beside():
            return None
        if self.at("(") and not self.here.spaced:
            opened, _ = self.brackets()
            return self.scripted(f"{INDEXED[name]}{bounds}{opened}", "open", spaced=token.spaced)
        return Factor(f"{INDEXED[name]}{bounds}", "open", token.spaced)
