"""The ``apr`` command: parses, and hands over to one module a sub-command.

Exit codes: 0 accepted, 1 rejected (an invalid file, a model that has no answer), 2 usage (a wrong
command line, a file that is not there), 4 an error in the program, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from pv_runtime import version
from pv_runtime.commands import (
    bench,
    bisect,
    convert,
    diff,
    eval,  # noqa: A004 - the command is so called
    export,
    inspect,
    pretrain,
    qa,
    run,
    stamp,
    tokenize,
    trace,
)
from pv_runtime.errors import LoadError, ModelError, QuantisationError, printable, printable_lines

__all__ = ["main", "parser"]

_EXTRA = {
    **dict.fromkeys(("numpy", "safetensors", "gguf", "packaging"), "formats"),
    **dict.fromkeys(("torch", "tokenizers", "jinja2"), "runtime"),
}
"""What may be missing, and the extra that brings it."""

ACCEPTED, REJECTED, USAGE, ERROR, INTERRUPTED = 0, 1, 2, 4, 130


class _Parser(argparse.ArgumentParser):
    """Repeats words of the command line, which may be names of files, as printable text."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``apr``, with all its commands."""
    whole: argparse.ArgumentParser = _Parser(
        prog="apr", description="Look at, build and measure model files."
    )
    whole.add_argument("--version", action="store_true", help="print the version and end")
    whole.add_argument(
        "--json", action="store_true", dest="version_json", help="with --version: what is installed, as JSON"
    )
    whole.set_defaults(run=version.run)
    commands = whole.add_subparsers(title="commands", metavar="COMMAND")
    inspect.register(commands)
    bench.register(commands)
    bisect.register(commands)
    convert.register(commands)
    diff.register(commands)
    eval.register(commands)
    export.register(commands)
    pretrain.register(commands)
    qa.register(commands)
    run.register(commands)
    stamp.register(commands)
    tokenize.register(commands)
    trace.register(commands)
    return whole


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse; an optional last word may stand behind options, which older argparse has no eyes for."""
    whole = parser()
    parsed, left = whole.parse_known_args(arguments)
    last = getattr(parsed, "optional_last", None)
    if last and len(left) == 1 and not left[0].startswith("-") and getattr(parsed, last) is None:
        setattr(parsed, last, left.pop())
    if parsed.run is not version.run and (parsed.version or parsed.version_json):
        whole.error("--version, with --json or without, stands alone: options of a command stand behind it")
    if left:
        whole.error(f"unrecognized arguments: {' '.join(left)}")
    return parsed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``apr`` with `arguments` (those of the process by default) and return the exit code."""
    closed = _open_streams()
    try:
        parsed = _parsed(arguments)
    except SystemExit as end:  # argparse has said why; 0 after --help and --version
        return end.code if isinstance(end.code, int) else USAGE
    with _ending_in_order():
        reads = parsed.run is not version.run
        code = _guarded(lambda: parsed.run(parsed), getattr(parsed, "unread", REJECTED) if reads else None)
    if code == ACCEPTED and "stdout" in closed:
        print("error: there is no standard output to report to", file=sys.stderr)
        return ERROR
    return code


@contextlib.contextmanager
def _ending_in_order() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the program as an error does, which leaves no half-made folder behind."""
    previous = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores one, and so do we then
                previous[number] = signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _end(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)


def _open_streams() -> set[str]:
    """Stand in for standard streams that were closed (``>&-``), and return their names.

    Otherwise the next file opened takes the number of one, and what a library prints goes into it; and what
    is printed to no stderr goes to stdout.
    """
    modes = {"stdin": "r", "stdout": "w", "stderr": "w"}
    closed = {name for name in modes if getattr(sys, name) is None}
    for name, mode in modes.items():
        if name in closed:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - to the end
    return closed


def _guarded(run: Callable[[], int], unread: int | None) -> int:
    """Turn every ending into an exit code, and those of bad input into one clear message.

    `unread` is the code for a file that shrinks while it is read; None where none is read.
    """
    try:
        if unread is None:
            code = run()
        else:
            from pv_runtime.bus_error import said_in_words

            with said_in_words(unread):
                code = run()
        sys.stdout.flush()
    except (LoadError, ModelError, QuantisationError) as error:
        print(printable_lines(f"error: {error}"), file=sys.stderr)
        return REJECTED
    except ModuleNotFoundError as error:
        extra = _EXTRA.get((error.name or "").split(".")[0])
        if extra is None:
            return _fault()
        print(f"error: {error.name} is not installed, and apr needs it", file=sys.stderr)
        print(f"    install the extra: pip install 'pv[{extra}]'", file=sys.stderr)
        return ERROR
    except FileNotFoundError as error:
        print(f"error: {printable(str(error.filename))}: there is no such file", file=sys.stderr)
        return USAGE
    except BrokenPipeError:
        # Whoever read our output has seen enough; nothing more may be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ACCEPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except MemoryError:
        print("error: memory ran out; `apr run` and `apr trace` have --one-layer-at-a-time", file=sys.stderr)
        return ERROR
    except OSError as error:
        where = f"{printable(str(error.filename))}: " if error.filename is not None else ""
        print(printable_lines(f"error: {where}{error.strerror or error}"), file=sys.stderr)
        return ERROR
    except Exception:
        return _fault()
    return code


def _fault() -> int:
    """Say what happened, and that it is no fault of the input."""
    import traceback

    print(printable_lines(traceback.format_exc().rstrip()), file=sys.stderr)
    print("error: this is a fault in apr itself; please report it", file=sys.stderr)
    return ERROR


if __name__ == "__main__":
    sys.exit(main())
