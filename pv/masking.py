"""Secrets in what a check says, or a command line: masked before anything is recorded or printed of it.

A secret is told by its shape: the user in a URL, a parameter named like one, a header, a variable named like
one, a key in PEM, and the tokens that their makers gave a prefix so that they can be found. What has none of
these shapes is not found: a check must not record what it must not tell.

Sources: RFC 3986 3.2.1; RFC 7617, 6750 (headers); RFC 7468 (PEM); RFC 7519 (JWT); the token formats that
GitHub, GitLab, Hugging Face, AWS, Google, Slack, npm, PyPI and OpenAI document.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable

__all__ = ["MASK", "masked", "masker"]

MASK = "***"

_NAMED = (
    r"[\w.-]*(?:token|secret|passw(?:or)?d|signature|credential|auth|(?:api|access)[_-]?key|\bsig\b|\bkey\b)"
)
_SHAPES = re.compile(
    "|".join(
        (
            # the user of a URL, also of one that was taken for a path; but not hf://repo@revision
            r"(?P<url>\b(?!hf:)[A-Za-z][A-Za-z0-9+.-]*:/{1,2})[^/\s@'\"<>]+(?=@)",
            rf"(?P<query>[?&;](?i:{_NAMED}[\w.-]*)=)(?!\*\*\*)[^&;\s#'\"<>]+",
            (
                r"(?P<header>(?i:\bauthorization['\"]?\s*[:=]\s*['\"]?)(?:(?i:bearer|basic|token|digest)\s+)?+)"
                r"(?!\*\*\*)[^\s'\",]+"
            ),
            r"(?P<bearer>\b[Bb]earer\s+)[A-Za-z0-9._~+/=-]{16,}",
            (
                r"(?P<variable>\b(?:[A-Z0-9]+_)*(?:TOKEN|SECRET|PASSWORD|PASSWD|API_KEY|ACCESS_KEY|CREDENTIALS?)"
                r"(?:_[A-Z0-9_]*)?['\"]?\s*[=:]\s*['\"]?)(?!\*\*\*|[\d.]+(?:\s|$))[^\s'\",;}]+"
            ),
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
            r"gh[pousr]_[A-Za-z0-9]{30,}",
            r"github_pat_\w{22,}",
            r"glpat-[\w-]{20,}",
            r"hf_[A-Za-z0-9]{30,}",
            r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
            r"AIza[\w-]{35}",
            r"\bxox[abeprs]-[\w-]{10,}",
            r"npm_[A-Za-z0-9]{36}",
            r"pypi-[\w-]{50,}",
            r"\bsk-[\w-]{20,}",
            r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*",
        )
    ),
    re.DOTALL,
)
_SUSPECT = (
    *(":/", "?", "&", ";", "uthorization", "AUTHORIZATION", "earer", "TOKEN", "SECRET", "PASSW", "_KEY"),
    *("CREDENTIAL", "PRIVATE KEY", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat", "glpat-", "hf_"),
    *("AKIA", "ASIA", "AIza", "xox", "npm_", "pypi-", "sk-", "eyJ"),
)
"""What a text with a secret has in it; of labels, of which there are many, nearly none has."""


def masked(text: str) -> str:
    """Return `text` with :data:`MASK` in the place of each secret."""
    return _replaced(text, lambda _secret: MASK)


def masker() -> Callable[[str], str]:
    """Return what masks secrets so that two are alike after it if, and only if, they were before.

    A rule may compare texts, and what differs must not pass for the same. Each is followed by a digest under
    a key that nobody keeps, from which nothing can be guessed.
    """
    key = secrets.token_bytes(16)

    def mark(secret: str) -> str:
        digest = hashlib.blake2b(secret.encode("utf-8", "surrogatepass"), key=key, digest_size=8)
        return f"{MASK}{digest.hexdigest()}"

    return lambda text: _replaced(text, mark)


def _replaced(text: str, mark: Callable[[str], str]) -> str:
    if not any(map(text.__contains__, _SUSPECT)):
        return text

    def one(found: re.Match[str]) -> str:
        kept = found[found.lastgroup] if found.lastgroup else ""
        secret = found[0][len(kept) :]
        return found[0] if secret.startswith(MASK) else f"{kept}{mark(secret)}"

    # What stands behind a secret may begin where that ends.
    while (told := _SHAPES.sub(one, text)) != text:
        text = told
    return text
