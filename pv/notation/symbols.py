"""What signs and words of plain notation are in LaTeX. One table a kind; what is in none is not read."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "ACCENTS",
    "ATOMS",
    "BARE_FUNCTIONS",
    "CONNECTORS",
    "CONSTANTS",
    "FUNCTIONS",
    "GREEK_WORDS",
    "GROUPS",
    "INDEXED",
    "NOT_NAMES",
    "PREFIXES",
    "PRODUCTS",
    "RELATIONS",
    "SUBSCRIPTS",
    "SUMS",
    "SUPERSCRIPTS",
    "VULGAR",
    "WORD_PRODUCTS",
]

_LOWER = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta",
    "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi",
    "ρ": "rho", "σ": "sigma", "τ": "tau", "υ": "upsilon", "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega",
}  # fmt: skip
_UPPER = {
    "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma",
    "Υ": "Upsilon", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip

GREEK_WORDS: Mapping[str, str] = {
    **{word: f"\\{word}" for word in (*_LOWER.values(), *_UPPER.values())},
    "eps": "\\epsilon",
}
"""Greek letters by their names, and the one abbreviation that everybody writes."""

ATOMS: Mapping[str, str] = {
    **{letter: f"\\{word}" for letter, word in (*_LOWER.items(), *_UPPER.items())},
    "ϵ": "\\epsilon", "ϕ": "\\phi", "∞": "\\infty", "∅": "\\emptyset", "ℓ": "\\ell",
    "ℝ": "\\mathbb{R}", "ℕ": "\\mathbb{N}", "ℤ": "\\mathbb{Z}", "ℚ": "\\mathbb{Q}", "ℂ": "\\mathbb{C}",
}  # fmt: skip
"""Signs that stand for a thing by themselves."""

CONSTANTS: Mapping[str, str] = {"inf": "\\infty", "infinity": "\\infty"}

PREFIXES: Mapping[str, str] = {
    "∂": "\\partial", "∇": "\\nabla", "∀": "\\forall", "∃": "\\exists", "¬": "\\neg", "#": "\\#",
    "forall": "\\forall", "exists": "\\exists",
}  # fmt: skip
"""What stands before an operand."""

SUMS: Mapping[str, str] = {"Σ": "\\sum", "∑": "\\sum", "Π": "\\prod", "∏": "\\prod", "∫": "\\int"}

INDEXED: Mapping[str, str] = {
    "sum": "\\sum", "prod": "\\prod", "max": "\\max", "min": "\\min",
    "argmax": "\\operatorname{argmax}", "argmin": "\\operatorname{argmin}", "mean": "\\operatorname{mean}",
}  # fmt: skip
"""Words that run over an index, which they may have as a subscript."""

BARE_FUNCTIONS: Mapping[str, str] = {
    "ln": "\\ln", "log": "\\log", "exp": "\\exp", "sin": "\\sin", "cos": "\\cos", "tan": "\\tan",
    "tanh": "\\tanh",
}  # fmt: skip
"""Functions whose argument needs no parentheses."""

FUNCTIONS: Mapping[str, str] = {**BARE_FUNCTIONS, "log2": "\\log_{2}", "log10": "\\log_{10}"}

GROUPS: Mapping[str, tuple[str, str]] = {
    "sqrt": ("\\sqrt{", "}"),
    "abs": ("\\lvert ", " \\rvert "),
    "floor": ("\\lfloor ", " \\rfloor "),
    "ceil": ("\\lceil ", " \\rceil "),
}
"""Functions of one argument that have signs of their own."""

PRODUCTS: Mapping[str, str] = {
    "*": "\\cdot", "·": "\\cdot", "⋅": "\\cdot", "×": "\\times", "/": "/", "@": "\\mathbin{@}",
    "⊗": "\\otimes", "⊙": "\\odot", "∘": "\\circ", "%": "\\bmod", "∪": "\\cup", "∩": "\\cap",
    "\\": "\\setminus",
}  # fmt: skip
WORD_PRODUCTS: Mapping[str, str] = {"mod": "\\bmod", "div": "\\mathbin{\\mathrm{div}}"}

RELATIONS: Mapping[str, str] = {
    "=": "=", "==": "=", "!=": "\\neq", "≠": "\\neq", "<": "<", ">": ">", "<=": "\\leq", "≤": "\\leq",
    ">=": "\\geq", "≥": "\\geq", "≈": "\\approx", "~": "\\sim", "∝": "\\propto", "∈": "\\in",
    "∉": "\\notin", "⊂": "\\subset", "⊆": "\\subseteq", "->": "\\to", "→": "\\to", "=>": "\\Rightarrow",
    "⇒": "\\Rightarrow", ":=": ":=", ":": ":", "∧": "\\land", "∨": "\\lor", "...": "\\ldots",
    "…": "\\ldots", "..": "\\mathrel{..}", "+=": "\\mathrel{+}=", "-=": "\\mathrel{-}=",
}  # fmt: skip

CONNECTORS = frozenset({"if", "else", "for", "when", "with", "and", "or", "not", "in", "otherwise"})
"""Words between formulas; capitals count as well where the whole word has them."""

SUPERSCRIPTS: Mapping[str, str] = {
    **dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱᵀ", "0123456789+-niT", strict=True)),
}
SUBSCRIPTS: Mapping[str, str] = {
    **dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋ᵢⱼₖₘₙₜ", "0123456789+-ijkmnt", strict=True)),
}
VULGAR: Mapping[str, str] = {"½": "\\frac{1}{2}", "¼": "\\frac{1}{4}", "¾": "\\frac{3}{4}"}
ACCENTS: Mapping[str, str] = {
    "\u0302": "\\hat", "\u0304": "\\bar", "\u0303": "\\tilde", "hat": "\\hat", "bar": "\\bar",
    "tilde": "\\tilde",
}  # fmt: skip
"""Combining marks, and the words that names have for them: ``y_hat``."""

NOT_NAMES = frozenset(
    {"an", "as", "at", "be", "by", "do", "go", "is", "it", "no", "of", "on", "so", "to", "up", "us", "we"}
)
"""Words of two letters that are English before they are two factors."""
