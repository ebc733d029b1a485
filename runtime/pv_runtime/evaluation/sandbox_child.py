"""The process that runs one program and its test; `sandbox` starts it, with ``python -I``.

It takes its own rights away, says what it could take, and only then is given the program: what is said is
said before a line of the program has run. The token comes with the program, and is written only when the
test has returned. A program that ends before, however it ends, has not passed.

Imports `confinement`, which lies beside it, and little else: it is started for every program.
"""

from __future__ import annotations

import json
import os
import sys
import types

TYPE_CHECKING = False  # as type checkers know it; typing itself takes a tenth of the start
if TYPE_CHECKING:
    from typing import Any

__all__ = ["judged", "main"]

_MOST_WORDS = 500


def judged(job: dict[str, Any]) -> dict[str, Any]:
    """Run program and test, and say what came of it; ``passed`` only if ``check`` has returned.

    The test has names and builtins of its own: those of the program are copied but for what would stand
    in for a builtin, and builtins are those from before the program ran.
    """
    builtins = dict(vars(sys.modules["builtins"]))
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    names = vars(module)
    stage = "program"
    try:
        _execute(job["program"], "<program>", names)
        if not callable(names.get(job["entry_point"])):
            return {"outcome": "wrong", "detail": f"the program defines no function {job['entry_point']}"}
        stage = "test"
        sys.settrace(None)
        sys.setprofile(None)
        apart = {name: value for name, value in names.items() if name not in builtins and name != "check"}
        apart.update(__builtins__=builtins, __name__="__test__")
        _execute(job["test"], "<test>", apart)
        apart["check"](names[job["entry_point"]])
    except AssertionError as error:
        return {"outcome": "wrong", "detail": _words(error)}
    except SyntaxError as error:
        return {"outcome": "no Python", "detail": f"{stage}: {_words(error)}"}
    except MemoryError:
        return {"outcome": "memory", "detail": f"{stage}: more memory was asked for than there is"}
    except SystemExit as error:
        return {"outcome": "ended early", "detail": f"{stage}: {_words(error)}"}
    except BaseException as error:
        return {"outcome": "error", "detail": f"{stage}: {_words(error)}"}
    return {"outcome": "passed", "detail": ""}


def _execute(text: str, name: str, names: dict[str, Any]) -> None:
    exec(compile(text, name, "exec", dont_inherit=True), names)  # noqa: S102 - it is what this process is for


def _words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:_MOST_WORDS]
    except BaseException:  # its text is the program's, too
        return "an error that cannot be put into words"


def _confined(settings: dict[str, Any], answers: int) -> dict[str, Any]:
    """Take the rights away in the order in which that is possible; forks into the namespaces."""
    # The folder of a program is no place to import from with -I, and is none for what comes later.
    sys.path.insert(0, os.path.dirname(__file__))  # noqa: PTH120
    confinement = __import__("confinement")  # of no package here: what reads imports would not find it
    del sys.path[0], sys.modules["confinement"]
    apart = confinement.enter_namespaces()
    folder = apart and confinement.only_write_here(
        settings["folder"], settings["folder_bytes"], settings["folder_files"]
    )
    if apart:
        _fork(answers)
    confinement.give_up_power()
    limits = confinement.set_limits(settings["limits"])
    return {
        "pid": int(os.readlink("/proc/self")),  # noqa: PTH115 - as the host counts, from within a namespace, too
        "namespaces": apart,
        "writes_only_to_scratch": folder,
        "no_processes": confinement.filter_calls(),
        "limits": limits,
    }


def _fork(answers: int) -> None:
    """Go on in a child, the first process of its namespace; this one waits, and ends as it does."""
    child = os.fork()
    if child == 0:
        return
    os.closerange(0, max(64, answers + 1))
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def main() -> None:
    """Confine this process, say how, read the job, run it, say what came of it."""
    answers = int(sys.argv[1])
    settings = json.loads(sys.argv[2])
    os.chdir(settings["folder"])
    confined = _confined(settings, answers)
    os.write(answers, json.dumps(confined).encode() + b"\n")
    with open(0, "rb") as stream:
        job = json.loads(stream.read())
    os.open(os.devnull, os.O_RDONLY)  # takes the number of standard input, which is closed
    token = job.pop("token")
    sys.argv[:] = ["<program>"]
    found = judged(job)
    if found["outcome"] == "passed":
        found["token"] = token
    try:
        os.write(answers, json.dumps(found).encode() + b"\n")
    finally:
        os._exit(0)  # whatever the program has left to be done at the end is not done


if __name__ == "__main__":
    main()
