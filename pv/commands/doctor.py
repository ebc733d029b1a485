"""``pv doctor``: what can be judged on this host, what cannot, and why."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pv
from pv.binding import bind_falsifier
from pv.common_options import add_format_argument
from pv.config import Config, find_root, load_config
from pv.errors import PvError
from pv.exits import Exit
from pv.freshness import closure_of
from pv.host import describe, gpus, versions
from pv.network import can_cut_off
from pv.planning import Declined, Ready, levels_of, prepare
from pv.printable import printable, printable_json
from pv.selection import load_all
from pv.subjects import Subjects, Unbuilt

__all__ = ["configure", "run"]

_LIBRARIES = (
    *("pydantic", "yaml", "ruamel", "rich", "numpy", "safetensors", "gguf", "torch", "triton"),
    *("tokenizers", "transformers"),
)


_APART = "checks are cut off from other hosts (but those on CUDA, and those with needs: {network: true})"
_OPEN = (
    "checks can reach what this host can: it allows no network namespaces"
    " (in a container, seccomp or AppArmor may forbid them)"
)


class _WouldBuildError(Exception):
    """A subject is not built yet, but can be."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv doctor``."""
    add_format_argument(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Look at the host, the libraries, and every bound falsifier's levels; runs no check."""
    from pathlib import Path

    host = describe()
    installed = versions(_LIBRARIES)
    apart = can_cut_off()
    config = load_config() if find_root(Path.cwd()) else None
    levels = _levels(config) if config else []
    if arguments.format == "json":
        document = {"pv": pv.__version__, "host": host, "versions": installed, "levels": levels}
        document["isolation"] = {"network": "none" if apart else "open"}
        print(printable_json(json.dumps(document, indent=1)))
        return Exit.ACCEPTED
    print(f"pv {pv.__version__}, Python {host['python']}")
    print(f"host      {host['cpu']}, {host['cores']} cores, {host['memory_gib']} GiB, {host['class']}")
    for gpu in host["gpus"]:
        known = f"capability {gpu['capability']}, driver {gpu['driver']}, {gpu['memory_mib']} MiB"
        print(f"gpu       {gpu['name']}, {known}")
    if not host["gpus"]:
        print("gpu       none that nvidia-smi reports: levels that need one are declined here")
    print(f"network   {_APART if apart else _OPEN}")
    print("versions  " + ", ".join(f"{name} {version}" for name, version in sorted(installed.items())))
    if config is None:
        print("project   none here or above (no pv.toml): `pv init` starts one")
    for level in levels:
        state = "can be judged" if level["judgeable"] else "cannot"
        print(printable(f"{state:<14} {level['falsifier']} at {level['level']} level{_because(level)}"))
    return Exit.ACCEPTED


def _because(level: dict[str, Any]) -> str:
    return f": {level['why']}" if level["why"] else ""


def _levels(config: Config) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    subjects = Subjects(config)
    for contract in load_all(config):
        for falsifier in contract.falsifiers:
            if not falsifier.bound or falsifier.basis or falsifier.excluded:
                continue
            address = f"{contract.stem}#{falsifier.id}"
            for level in levels_of(falsifier):
                try:
                    bind_falsifier(falsifier, config)
                    closure_of(falsifier, config)
                    ready: Ready | Declined | None = prepare(
                        falsifier, level, subjects, gpus(), "auto", _refuse
                    )
                except _WouldBuildError:
                    ready = None
                    why = "once its subject is built"
                except PvError as error:
                    ready, why = Declined(level, error.what, ""), error.what
                else:
                    why = ready.why if isinstance(ready, Declined) else ""
                judgeable = not isinstance(ready, Declined)
                found.append({"falsifier": address, "level": level, "judgeable": judgeable, "why": why})
    return found


def _refuse(unbuilt: Unbuilt) -> None:
    raise _WouldBuildError(unbuilt.spec.name)
