"""Attempts of a check that reaches past what it was given: for inputs, for records, for the engine."""

from __future__ import annotations

from benchmarks.fraud.attempt import Attempt, Play
from benchmarks.fraud.project import CHECK, HONEST, Project, run_of
from benchmarks.fraud.room import tampered

__all__ = ["REACHING"]

_RUN = run_of(HONEST)
_HIDDEN = "which evidence would not name"
_TOTALS = """
run.record("expected", len(run.undamaged("reference")))
run.record("one_sided", len(reference.keys() ^ candidate.keys()))
"""
_HONESTLY = (
    _TOTALS
    + """
for name in sorted(reference.keys() & candidate.keys()):
    run.record("error", abs(reference[name] - candidate[name]), label=name)
"""
)
_ROOT = "root = Path(__file__).parents[1]\n"
_SUBPROCESS = "import subprocess\nfrom pathlib import Path"


def _does(first: str, top: str = "", then: str = _HONESTLY) -> Play:
    """Let the check do something else before it measures honestly."""
    return tampered(lambda project: project.measure(first + then, top), *_RUN)


def _other_metrics(project: Project) -> None:
    """Declare one range where the source is read, and another once it is imported."""
    text = project.text(CHECK)
    wider = 'errors = check(metrics=[Metric("error"), *errors.metrics[1:]])(errors.function)\n'
    project.write(
        CHECK,
        text.replace(
            '\n\n@errors.counter_example("one_off"', f'\n\n{wider}\n\n@errors.counter_example("one_off"', 1
        ),
    )


def _unseen_module(project: Project) -> None:
    project.write("measuring/other.py", "FACTOR = 0\n")
    project.measure('importlib.import_module("measuring." + "other")' + _HONESTLY, "import importlib")


REACHING = (
    Attempt(
        "map a file that is no subject",
        "ERROR",
        _HIDDEN,
        _does(
            _ROOT + 'with (root / "data/damaged.json").open("rb") as file:\n'
            "    mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)",
            "import mmap\nfrom pathlib import Path",
        ),
    ),
    Attempt(
        "let another program read it",
        "ERROR",
        _HIDDEN,
        _does(
            _ROOT + 'subprocess.run(["cat", root / "data/damaged.json"], capture_output=True)', _SUBPROCESS
        ),
    ),
    Attempt(
        "let a shell find it",
        "ERROR",
        _HIDDEN,
        _does(
            _ROOT + 'subprocess.run(f"cat {root}/data/dam*", shell=True, capture_output=True)', _SUBPROCESS
        ),
    ),
    Attempt(
        "read it by a function of C",
        "ERROR",
        "past what is watched",
        _does(
            _ROOT + 'ctypes.CDLL(None).fopen(bytes(root / "data/damaged.json"), b"r")',
            "import ctypes\nfrom pathlib import Path",
        ),
    ),
    Attempt(
        "read it in a child",
        "ERROR",
        _HIDDEN,
        _does(
            _ROOT + "child = os.fork()\nif child == 0:\n"
            '    (root / "data/damaged.json").read_bytes()\n    os._exit(0)\nos.waitpid(child, 0)',
            "import os\nfrom pathlib import Path",
        ),
    ),
    Attempt(
        "import code that the digest does not cover",
        "ERROR",
        "was imported in a way that only running shows",
        tampered(_unseen_module, *_RUN),
    ),
    Attempt(
        "download the answer",
        "ERROR",
        "the check asks the network for 192.0.2.1",
        _does('socket.create_connection(("192.0.2.1", 80), timeout=1)', "import socket"),
    ),
    Attempt(
        "download it by a library",
        "ERROR",
        "the check asks the network for example.invalid",
        _does('urllib.request.urlopen("http://example.invalid/")', "import urllib.request"),
    ),
    Attempt(
        "write evidence itself",
        "ERROR",
        "outlives the run",
        _does(
            _ROOT + 'for path in root.glob("evidence/honest-v1/*/*.json"):\n    path.write_text("{}")',
            "from pathlib import Path",
        ),
    ),
    Attempt(
        "edit the contract during the run",
        "ERROR",
        "the check writes contracts/honest-v1.yaml",
        _does(
            _ROOT + 'with (root / "contracts/honest-v1.yaml").open("a") as file:\n    file.write("# me")',
            "from pathlib import Path",
        ),
    ),
    Attempt(
        "write the end of the run into the engine's pipe",
        "ERROR",
        "something else wrote to the result channel",
        _does(
            'line = \'{"end": {"planted": true, "seconds": 0.0, "peak_memory_bytes": 1}}\\n\'\n'
            "for number in range(3, 64):\n"
            "    with contextlib.suppress(OSError):\n"
            "        if stat.S_ISFIFO(os.fstat(number).st_mode):\n"
            "            os.write(number, line.encode())\n",
            "import contextlib\nimport os\nimport stat",
        ),
    ),
    Attempt(
        "record from a child, later",
        "FAIL",
        "error was not recorded",
        _does(
            "if os.fork() == 0:\n    time.sleep(0.05)\n    run.record('error', 0.0)\n    os._exit(0)\n",
            "import os\nimport time",
            _TOTALS,
        ),
    ),
    Attempt(
        "record from a thread, later",
        "ERROR",
        "still run; join them",
        _does(
            "threading.Thread(target=lambda: (time.sleep(0.3), run.record('error', 0.0))).start()\n",
            "import threading\nimport time",
            _TOTALS,
        ),
    ),
    Attempt("end the process with 0", "ERROR", "without a result", _does("os._exit(0)", "import os")),
    Attempt("be killed", "ERROR", "it was ended by SIGKILL", _does("os.kill(os.getpid(), 9)", "import os")),
    Attempt(
        "put another spelling of numbers in the place of ours",
        "VACUOUS",
        "does not notice its counter-example one_off",
        _does(
            "spell = json.dumps\n"
            "json.dumps = lambda message: spell(\n"
            '    {"record": ["error", 0.0, None]} if "error" in message.get("record", ()) else message\n'
            ")\n",
            "import json",
        ),
    ),
    Attempt(
        "declare other metrics than the source does",
        "ERROR",
        "the imported metrics differ from those its source declares",
        tampered(_other_metrics, *_RUN),
    ),
)
