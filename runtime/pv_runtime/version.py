"""What ``apr --version`` says: with ``--json``, for programs that want to know where a run can compute."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from typing import Any

__all__ = ["facts", "run"]


def facts() -> dict[str, Any]:
    """Return what is installed and which GPUs can be seen, as plain values.

    ``cuda_feature`` says whether torch was built with CUDA, ``cuda_runtime_available`` whether it can use it
    here and now; ``visible_devices`` are the GPUs by the number that ``--device cuda:N`` takes, and by name.
    Without torch nothing can compute, and both are false.
    """
    found: dict[str, Any] = {
        "apr": _version("pv"),
        "python": platform.python_version(),
        "torch": _version("torch"),
        "triton": _version("triton"),
        "cuda_feature": False,
        "cuda_version": None,
        "cuda_runtime_available": False,
        "visible_devices": [],
    }
    try:
        import torch
    except ImportError:
        return found
    available = bool(torch.cuda.is_available())
    count = torch.cuda.device_count() if available else 0
    return found | {
        "cuda_feature": torch.version.cuda is not None,
        "cuda_version": torch.version.cuda,
        "cuda_runtime_available": available,
        "visible_devices": [
            {"index": index, "name": torch.cuda.get_device_name(index)} for index in range(count)
        ],
    }


def run(arguments: argparse.Namespace) -> int:
    """Print the version; where there is neither a command nor ``--version``, say what is missing."""
    if not arguments.version:
        wanted = "--json goes with --version" if arguments.version_json else "a COMMAND is needed"
        print(f"apr: error: {wanted}; apr --help lists what there is", file=sys.stderr)
        return 2
    if arguments.version_json:
        print(json.dumps(facts(), indent=2))
    else:
        print(f"apr {_version('pv') or '(not installed)'}")
    return 0


def _version(name: str) -> str | None:
    # Imported late: it takes as long as the rest of starting.
    import importlib.metadata

    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
