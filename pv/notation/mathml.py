"""A formula as MathML, for pages: what was read is mathematics, the rest is text. Needs latex2mathml.

The converter is given only what our reader wrote; its tree is copied element by element, by a list of what
may be there, and serialised anew: its own spelling turns escapes back into markup.

Source of the elements: MathML Core, https://www.w3.org/TR/mathml-core/.
"""

from __future__ import annotations

import functools
import html
import re
from xml.etree import ElementTree as ET

from pv.notation.latex import segments
from pv.printable import printable

__all__ = ["available", "mathml"]

_ELEMENTS = frozenset(
    {
        "math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "msub", "msup", "msubsup",
        "munder", "mover", "munderover", "mstyle", "mpadded", "mphantom",
    }
)  # fmt: skip
_ATTRIBUTES = {
    "display": re.compile("inline|block"),
    "mathvariant": re.compile("normal|double-struck|monospace"),
    "stretchy": re.compile("true|false"),
    "fence": re.compile("true|false"),
    "form": re.compile("prefix|infix|postfix"),
    "movablelimits": re.compile("true|false"),
    "accent": re.compile("true|false"),
    "width": re.compile(r"[0-9]{1,2}(\.[0-9]{1,4})?em"),
    "lspace": re.compile(r"[0-9]{1,2}(\.[0-9]{1,4})?em"),
    "rspace": re.compile(r"[0-9]{1,2}(\.[0-9]{1,4})?em"),
}
_ENTITY = re.compile(r"&#x([0-9A-Fa-f]{1,6});")


@functools.cache
def available() -> bool:
    """Return whether formulas can be set here."""
    try:
        import latex2mathml.converter  # noqa: F401
    except ImportError:
        return False
    return True


@functools.lru_cache(maxsize=4096)
def mathml(formula: str) -> str:
    """Return `formula` as HTML with MathML in it; empty where none of it can be set."""
    if not available():
        return ""
    out = []
    for segment in segments(formula):
        joint = {";": "; ", "where": ", where ", "\n": "<br>", "": ""}.get(segment.before)
        out.append(html.escape(f" {segment.before}") if joint is None else joint)
        if not segment.text:
            continue
        shown = _element(segment.latex) if segment.read else ""
        if segment.read and not shown:
            return ""
        out.append(shown or f'<code class="formula">{html.escape(segment.text)}</code>')
    return "".join(out) if any("<math" in part for part in out) else ""


def _element(latex: str) -> str:
    from latex2mathml.converter import convert_to_element

    try:
        return _copied(convert_to_element(latex))
    except _NotPlainError:
        return ""


class _NotPlainError(Exception):
    """The tree has an element that the list does not have."""


def _copied(element: ET.Element) -> str:
    if element.tag not in _ELEMENTS:
        raise _NotPlainError(element.tag)
    attributes = "".join(
        f' {name}="{value}"'
        for name, value in element.attrib.items()
        if name in _ATTRIBUTES and _ATTRIBUTES[name].fullmatch(value)
    )
    text = _ENTITY.sub(lambda match: chr(int(match[1], 16)), element.text or "")
    if printable(text) != text:
        raise _NotPlainError(element.tag)
    inner = "".join(map(_copied, element))
    return f"<{element.tag}{attributes}>{html.escape(text)}{inner}</{element.tag}>"
