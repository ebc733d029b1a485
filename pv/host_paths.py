"""What a check says, fit for evidence: read elsewhere, it names no place of this host, and no secret."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from pv.masking import masker

__all__ = ["fit_for_evidence", "without_host_paths"]


def fit_for_evidence(project: str, scratch: str) -> Callable[[str], str]:
    """Return what takes the paths of this host out of a text, and masks its secrets (:mod:`pv.masking`)."""
    paths, secrets = without_host_paths(project, scratch), masker()
    return lambda text: secrets(paths(text))


def without_host_paths(project: str, scratch: str) -> Callable[[str], str]:
    """Return what takes the paths of this host out of a text.

    What lies in the project is named relative to it; of the scratch folder, the temporary folder and the home
    there is a word left. Texts that name none of them stay as they are.
    """
    places: dict[str, str] = {}
    for place, word in ((scratch, "SCRATCH"), (project, ""), (os.environ.get("TMPDIR") or "/tmp", "TMP")):  # noqa: S108
        for path in (place, os.path.realpath(place)) if place else ():
            places.setdefault(path.rstrip("/"), word)
    places.setdefault(str(Path.home()), "~")
    known = {path: word for path, word in places.items() if len(path) > 1}
    return lambda text: _replaced(text, known) if "/" in text else text


def _replaced(text: str, places: Mapping[str, str]) -> str:
    # The longest first: the scratch folder lies in the project, and the project may lie in the home.
    for path in sorted(places, key=len, reverse=True):
        if path in text:
            word = places[path]
            text = text.replace(f"{path}/", f"{word}/" if word else "").replace(path, word or ".")
    return text
