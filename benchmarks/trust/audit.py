"""A laptop audits a host: 339 tensors, of which 1 % are measured again; and lies about 1 % of them.

A pair of 28 layers is made, Q4_K beside its fp16 twin, 339 tensors as in 7B. In a copy of this project
FALSIFY-SHIP-003 compares all of them and records it. Then the record is audited: that takes `part` of the
time. Then as many tensors are lied about as are drawn, consistently, so that the record verifies, and each
of `TRIALS` challenges audits the forged record, as ``pv evidence audit`` does. What part of them finds a lie
must be what was stated, to within three standard deviations.

``--hidden 1536`` makes a larger pair (1.8 billion elements, 4.6 GB, deleted after; some minutes), for the
times alone. To be run as ``python -m benchmarks.trust.audit``.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pv_runtime.build import twin
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.names import gguf_name

from benchmarks.seven_billion import LAYERS, Sizes, quantised, tensors
from pv.audit import audit
from pv.command_line import subjects_given
from pv.commitment import commitment, leaves_of
from pv.config import load_config
from pv.evidence import read_record, records_of, write_record
from pv.evidence_actions.selecting import falsifier_of
from pv.expression import measurements_from_json
from pv.runner import Runner
from pv.subjects import Subjects
from pv.survival import draws_of, survival
from pv.verdict import judge
from pv.verify import metrics_from_json

__all__ = ["Audited", "measure"]

ROOT = Path(__file__).resolve().parents[2]
CONTRACT, ID = "qwen2-e2e-verification-v1", "FALSIFY-SHIP-003"
QUANTISED, TWIN = "qwen2.5-coder-7b-q4_k", "qwen2.5-coder-7b-q4_k-twin"
SHARE = 0.01
TRIALS = 200
SMALL = Sizes(hidden=256, keys=256, inner=512, vocabulary=4096)


@dataclasses.dataclass(frozen=True)
class Audited:
    """What was found: seconds, and of how many challenges to a forged record how many found a lie."""

    tensors: int
    whole_seconds: float
    audit_seconds: float
    drawn: int
    lies: int
    trials: int
    found: int
    stated: float
    """The probability that one finds it."""

    @property
    def deviation(self) -> float:
        """One standard deviation of `found`, were each challenge to find a lie with that probability."""
        return math.sqrt(self.trials * self.stated * (1 - self.stated))

    @property
    def as_stated(self) -> bool:
        """Whether `found` is within three standard deviations of what was stated."""
        return abs(self.found - self.trials * self.stated) <= 3 * self.deviation


@contextlib.contextmanager
def copied(folder: Path, sizes: Sizes) -> Iterator[tuple[Path, dict[str, Path]]]:
    """Copy what the claim needs of this project, and make the pair; return the project and its two files."""
    project = folder / "project"
    for name in ("pv.toml", "contracts", "runtime", "pv", "models/tiny-qwen2"):
        source, target = ROOT / name, project / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(source, target)
    (project / "kernels").mkdir()
    file, beside = folder / "model.gguf", folder / "model.safetensors"
    (listed,) = tensors(LAYERS, sizes, lambda name, shape: (gguf_name(name), quantised(name, shape)[1]))
    write_gguf(str(file), listed, {"general.architecture": "qwen2", "qwen2.block_count": LAYERS})
    twin(str(file), str(beside))
    yield project, {QUANTISED: file, TWIN: beside}


def pv(project: Path, *words: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """Run a command of ``pv`` in `project`; return how it ended, and the seconds that it took."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pv", *words], cwd=project, capture_output=True, text=True, check=False
    )
    return done, time.perf_counter() - started


def lie(path: Path, number: int) -> None:
    """Let the record say of `number` tensors, at even distances, that their cosine is a little smaller."""
    predicate: dict[str, Any] = json.loads(json.dumps(dict(read_record(path).predicate)))
    del predicate["seal"]
    series = predicate["measurements"]["cosine"]
    for place in range(0, len(series["values"]), math.ceil(len(series["values"]) / number)):
        series["values"][place] = 0.9995
    metrics = metrics_from_json(predicate["rule"]["metrics"])
    measured = measurements_from_json(predicate["measurements"])
    predicate["verdict"] = judge(predicate["rule"]["lines"], measured, metrics).to_json()
    predicate["commitment"] = commitment(predicate["measurements"])
    write_record(path, predicate)


def measure(sizes: Sizes = SMALL, trials: int = TRIALS) -> Audited:
    """Make a pair, judge it, audit it, and audit lies about it `trials` times.

    Raises
    ------
    RuntimeError
        A command did not end as it must.
    """
    with tempfile.TemporaryDirectory() as folder, copied(Path(folder), sizes) as (project, files):
        subject = [word for name, path in files.items() for word in ("--subject", f"{name}={path}")]
        # Once, so that what is shown of counter-examples and digests is there, as on a host that sweeps.
        done, _ = pv(project, "discharge", f"{CONTRACT}#{ID}", "--level", "algorithm")
        done, whole = pv(project, "discharge", f"{CONTRACT}#{ID}", "--level", "live", *subject)
        if done.returncode:
            raise RuntimeError(f"the pair is not as claimed: {done.stdout}{done.stderr}")
        config = load_config(project)
        (path,) = (each for each in records_of(config.evidence, CONTRACT, ID) if each.name.startswith("live"))
        done, part = pv(project, "evidence", "audit", str(path), "--share", str(SHARE), *subject)
        if done.returncode or not done.stdout.startswith("AGREES"):
            raise RuntimeError(f"an honest record was not agreed with: {done.stdout}{done.stderr}")
        leaves = leaves_of(read_record(path).predicate["measurements"])
        count = sum(leaf.label is not None for leaf in leaves)
        drawn = draws_of(SHARE, count)
        lies = draws_of(0.01, count)
        lie(path, lies)
        record, subjects = read_record(path), Subjects(config, subjects_given(subject[1::2]))
        falsifier = falsifier_of(record, config).falsifier
        found = 0
        with Runner(project / ".pv") as runner:
            for trial in range(trials):
                audited = audit(
                    record, falsifier, config, subjects, runner,
                    challenge=f"trial {trial}", share=SHARE, tolerance=1e-6,
                )  # fmt: skip
                found += bool(audited.disagreements)
        return Audited(count, whole, part, drawn, lies, trials, found, 1 - survival(count, lies, drawn))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hidden", type=int, help="width of the pair, a multiple of 256 (default: 256)")
    parser.add_argument("--trials", type=int, default=TRIALS)
    given = parser.parse_args()
    sizes = SMALL
    if given.hidden:
        sizes = Sizes(given.hidden, 256, given.hidden * 35 // 6 // 256 * 256, 152064)
    found = measure(sizes, given.trials)
    print(
        f"{found.tensors} tensors: the whole in {found.whole_seconds:.1f} s, {found.drawn} of them audited in"
    )
    print(f"{found.audit_seconds:.1f} s, {found.audit_seconds / found.whole_seconds:.3f} of it")
    print(f"lies about {found.lies}: found by {found.found} of {found.trials} challenges,", end=" ")
    print(f"{found.trials * found.stated:.1f} +- {found.deviation:.1f} stated")
    return 0 if found.as_stated else 1


if __name__ == "__main__":
    sys.exit(main())
