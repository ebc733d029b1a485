"""Two numerical defects that were released in transformers, reproduced, and what `apr bisect` says of them.

    python benchmarks/historic_defects.py

Installs four old releases from PyPI, each into a folder of its own that is removed again; takes the network,
and some 60 MB for each. Needs torch, safetensors, gguf and pip beside the project.

- transformers up to 4.46 took a GGUF file without a head for one of an untied model, and left the head random
  (https://github.com/huggingface/transformers/pull/35085).
- transformers 4.38.0 and 4.38.1 multiplied Llama's positions and frequencies in bfloat16 under autocast
  (https://github.com/huggingface/transformers/pull/29285).
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MODEL = "models/tiny-qwen2-7to1"
SUPPORT = ("requests", "urllib3", "idna", "certifi", "charset_normalizer")
TOKENIZERS = {"4.46.3": "0.20.3", "4.47.1": "0.21.4", "4.38.1": "0.15.2", "4.38.2": "0.15.2"}
HUBS = {"4.46.3": "0.27.1", "4.47.1": "0.27.1", "4.38.1": "0.24.7", "4.38.2": "0.24.7"}


@dataclasses.dataclass(frozen=True)
class Case:
    """A defect: the last release that has it, the first without it, and what is to be said of the former."""

    name: str
    broken: str
    mended: str
    make: Callable[[Path], Path]
    tokens: int
    recording: tuple[str, ...]
    bisecting: tuple[str, ...]
    expected: tuple[str, int | None, str]


def tied_gguf(folder: Path) -> Path:
    """Export the shipped model as GGUF, under a name, which those releases require."""
    run(
        [
            "-m",
            "pv_runtime.cli",
            "export",
            MODEL,
            "--format",
            "gguf",
            "-o",
            folder / "plain.gguf",
        ]
    )
    (folder / "model").mkdir()
    run(["-m", "gguf.scripts.gguf_new_metadata", "--general-name", "tiny", folder / "plain.gguf",
         folder / "model/model.gguf"])  # fmt: skip
    return folder / "model/model.gguf"


def random_llama(folder: Path) -> Path:
    """Save a random Llama as those releases read it."""
    from pv_runtime.architecture import Architecture
    from pv_runtime.random_model import RandomModel
    from safetensors.torch import load_file, save_file

    shape = Architecture(
        "llama", 256, 512, 3, 4, 2, 64, 4096, 2048, 1e4, 1e-5, qkv_bias=False, tied=True
    )  # fmt: skip
    target = folder / "llama"
    target.mkdir()
    RandomModel(shape).save(target)
    weights = str(target / "model.safetensors")
    save_file(load_file(weights), weights, metadata={"format": "pt"})
    return target


CASES = (
    Case(
        "a tied head left random",
        "4.46.3",
        "4.47.1",
        tied_gguf,
        16,
        ("--gguf-file", "model.gguf"),
        (),
        ("lm_head", None, "random weight"),
    ),
    Case(
        "rotary angles in bfloat16",
        "4.38.1",
        "4.38.2",
        random_llama,
        300,
        ("--autocast",),
        ("--mixed-dtypes",),
        ("q_post_rope", 0, "angles in bfloat16"),
    ),
)


def main() -> int:
    """Reproduce both; 1 where something else is found than what is known."""
    found_all = True
    for case in CASES:
        with tempfile.TemporaryDirectory(prefix="historic-") as name:
            folder = Path(name)
            model = case.make(folder)
            print(f"{case.name}:")
            for release, expected in ((case.broken, case.expected), (case.mended, None)):
                found = bisected(case, release, model, folder)
                said = "no stage is wrong" if found is None else f"{found[0]}, layer {found[1]}: {found[2]}"
                print(f"  transformers {release}: {said}")
                found_all &= found == expected
    return 0 if found_all else 1


def bisected(case: Case, release: str, model: Path, folder: Path) -> tuple[str, int | None, str] | None:
    """Record a pass of this release, and return what the bisector first finds wrong with it."""
    packages, trace = folder / release, folder / f"trace-{release}"
    wanted = [
        f"transformers=={release}",
        f"tokenizers=={TOKENIZERS[release]}",
        f"huggingface_hub=={HUBS[release]}",
    ]
    run(["-m", "pip", "install", "--quiet", "--no-deps", "--target", packages, *wanted])
    tokens = ",".join(str((37 * place + 11) % 4000) for place in range(case.tokens))
    where = model if model.is_dir() else model.parent
    run(
        ["benchmarks/record_transformers.py", where, trace, "--token-ids", tokens, *case.recording],
        PYTHONPATH=str(packages),
    )
    done = run(["-m", "pv_runtime.cli", "bisect", model, trace, "--json", *case.bisecting], ok=(0, 1))
    first: dict[str, Any] | None = json.loads(done.stdout)["first"]
    return None if first is None else (first["stage"], first["layer"], first["explanation"]["signature"])


def run(
    arguments: list[Any], ok: tuple[int, ...] = (0,), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Python in the project's folder; end with what it said where it fails."""
    ours = os.pathsep.join(str(ROOT / part) for part in ("", "runtime", "kernels"))
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": ours, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in ok:
        raise SystemExit(f"{' '.join(map(str, arguments))}\n{done.stderr}")
    return done


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "runtime"), str(ROOT / "kernels")]
    sys.exit(main())
