"""The words and variables that every git of ours is started with: it reads, and runs nothing.

What lies in a repository, also in the folder ``.git`` of one that came in an archive, may name programs: a
monitor of the file system, hooks, pagers, filters of files, a program that signs, a remote from which objects
that are missing are fetched. All of them are switched off where the repository cannot switch them on again:
on the command line, and in the environment. A folder of the tree that looks like a repository without a
working tree is none. Whose files they are is git's own business (``safe.directory``), and stays so.

Sources: git-config(1), gitattributes(5), git(1) of 2.39 to 2.48.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

__all__ = ["FILTERS", "command", "git_environment", "without_filters"]

FILTERS = r"^filter\."
"""What the names of settings of filters begin with, for ``git config --get-regexp``."""

_SETTINGS = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.sshCommand=false",
    "core.askPass=false",
    "core.alternateRefsCommand=true",
    "log.showSignature=false",
    "gpg.program=false",
    "protocol.allow=never",
    "submodule.recurse=false",
    "safe.bareRepository=explicit",
)
_RUN_BY_GIT = (
    *("GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_EDITOR", "GIT_SEQUENCE_EDITOR", "GIT_SSH", "GIT_SSH_COMMAND"),
    *("GIT_ASKPASS", "GIT_PROXY_COMMAND", "GIT_TEMPLATE_DIR"),
)
_KEYS = "GIT_CONFIG_COUNT"


def command(*arguments: str) -> list[str]:
    """Return the words that start git with `arguments`."""
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    return ["git", "--no-pager", *settings, *arguments]


def git_environment() -> dict[str, str]:
    """Return our variables, without those that name programs, and with those that keep git to what is here.

    Of PATH, only folders that are named whole are left: in others, what is called git is whatever the working
    folder has. A pathname of a repository or an index that a hook was given stays.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _RUN_BY_GIT}
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return kept | {
        "PATH": os.pathsep.join(folder for folder in folders if folder.startswith("/")),
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        # Older ones fetch what is missing, by a protocol that is allowed: none is.
        "GIT_ALLOW_PROTOCOL": "none",
        "LC_ALL": "C",
    }


def without_filters(environment: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Return `environment` in which filters do nothing whose settings have these `names`.

    A driver has whatever name the repository gives it, so each is switched off by that.
    """
    found = dict(environment)
    count = int(found.get(_KEYS) or 0)
    for name in dict.fromkeys(names):
        value = "false" if name.rpartition(".")[2] == "required" else ""
        found |= {f"GIT_CONFIG_KEY_{count}": name, f"GIT_CONFIG_VALUE_{count}": value}
        count += 1
    return found | {_KEYS: str(count)}
