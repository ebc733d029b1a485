"""Programs that would not be judged, or not only: each ends as it should, and nothing of it is left."""

from __future__ import annotations

import os
import socket
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pv_runtime.evaluation import sandbox
from pv_runtime.evaluation.sandbox import Enforced, Job, Limits, UnconfinedError, judge, judge_all, weakest

TEST = "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(5) == 6\n"
RIGHT = "def f(x):\n    return x + 1\n"
SHORT = Limits(seconds=1.0)


@pytest.fixture(scope="module", autouse=True)
def confined() -> None:
    """Skip where the kernel gives users no namespaces: what is tested here is what they hold."""
    found = judge(Job(RIGHT, "f", TEST), allow_network=True).enforced
    if not (found.own_network and found.no_sockets and found.own_processes and found.writes_only_to_scratch):
        pytest.skip(f"programs cannot be confined on this machine: {found}")


def outcome(program: str, limits: Limits = SHORT, test: str = TEST) -> str:
    return judge(Job(textwrap.dedent(program), "f", test), limits).outcome


def test_a_right_program_passes_and_a_wrong_one_does_not() -> None:
    verdict = judge(Job(RIGHT, "f", TEST))
    assert (verdict.passed, verdict.outcome, verdict.detail) == (True, "passed", "")
    wrong = judge(Job("def f(x):\n    return x\n", "f", TEST))
    assert (wrong.passed, wrong.outcome, wrong.detail) == (False, "wrong", "AssertionError: ")
    assert outcome("def g(x):\n    return x + 1\n") == "wrong"
    assert outcome("def f(x:\n") == "no Python"
    assert outcome("def f(x):\n    return 1 / 0\n") == "error"


@pytest.mark.parametrize(
    "program",
    [
        "import sys\nsys.exit(0)",
        "import sys\nsys.exit()",
        "raise SystemExit",
        "import os\nos._exit(0)",
        "def f(x):\n    import os\n    os._exit(0)",
        "def f(x):\n    raise SystemExit(0)",
        "import os\nos.abort()",
        "import atexit, os, sys\natexit.register(os._exit, 0)\nsys.exit(0)",
        (
            "import threading, os, time\ndef f(x):\n"
            "    threading.Thread(target=os._exit, args=(0,)).start()\n    time.sleep(5)"
        ),
        "import os\nos.closerange(0, 64)\ndef f(x):\n    return x + 1",
    ],
)
def test_an_early_end_is_no_pass(program: str) -> None:
    assert outcome(program) == "ended early"


def test_a_program_without_end_is_ended_with_all_that_it_started() -> None:
    started = time.monotonic()
    assert outcome("while True: pass") == "timeout"
    assert outcome("import time\ntime.sleep(60)") == "timeout"
    assert (
        outcome("import signal\nfor n in (2, 15): signal.signal(n, signal.SIG_IGN)\nwhile True: pass")
        == "timeout"
    )
    assert time.monotonic() - started < 10


def test_a_fork_bomb_makes_no_process() -> None:
    verdict = judge(Job("import os\nwhile True:\n    os.fork()\n", "f", TEST), SHORT)
    assert verdict.enforced.no_sockets
    assert verdict.outcome == "error"
    assert "Operation not permitted" in verdict.detail
    for call in ("subprocess.run(['true'])", "os.system('true')", "os.execv('/bin/true', ['true'])"):
        program = f"import os, subprocess\nif {call} != 0:\n    raise OSError\ndef f(x):\n    return x + 1"
        assert outcome(program) == "error", call


def test_threads_are_limited_by_memory_at_least() -> None:
    program = """
        import threading, time
        for _ in range(1000):
            threading.Thread(target=time.sleep, args=(60,)).start()
    """
    assert outcome(program) == "error"


def test_memory_is_limited() -> None:
    assert outcome("x = ' ' * (1 << 40)") == "memory"
    assert outcome("x = []\nwhile True: x.append(bytearray(1 << 20))", Limits(memory=128 << 20)) == "memory"


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("with open('x', 'wb') as f:\n    while True: f.write(bytes(1 << 16))", "File too large"),
        ("for n in range(100): open(f'{n}', 'wb').write(bytes(1 << 20))", "No space left"),
        ("for n in range(1000): open(f'{n}', 'wb').close()", "No space left"),
        ("x = [open('/dev/null') for _ in range(100)]", "Too many open files"),
    ],
)
def test_files_are_limited(program: str, said: str) -> None:
    limits = Limits(file_bytes=1 << 20, folder_bytes=4 << 20, folder_files=100)
    verdict = judge(Job(program, "f", TEST), limits)
    assert (verdict.outcome, said in verdict.detail) == ("error", True), verdict


def test_nothing_is_written_elsewhere_and_nothing_stays(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("before")
    verdict = judge(Job(f"open({str(victim)!r}, 'w').write('after')", "f", TEST))
    assert (verdict.outcome, victim.read_text()) == ("error", "before")
    assert outcome(f"import os\nos.unlink({str(victim)!r})") == "error"
    assert victim.exists()
    # Its own folder can be written to, and is gone afterwards.
    where = judge(Job("import os\nopen('x', 'w').write('y')\nassert 0, os.getcwd()", "f", TEST))
    assert where.outcome == "wrong"
    assert not Path(where.detail.removeprefix("AssertionError: ")).exists()


@pytest.mark.parametrize(
    "call",
    [
        "library.syscall(442, -100, b'/', 0x8000, struct.pack('QQQQ', 0, 1, 0, 0), ctypes.c_size_t(32))",
        "library.mount(None, b'/', None, ctypes.c_ulong(0x20 | 0x1000), None)",
        "library.umount2(os.getcwd().encode(), 2) or os.chdir('/')",
        "library.unshare(0x10000000)",
        "library.setresuid(0, 0, 0) or library.capset(struct.pack('Ii', 0x20080522, 0), bytes([255] * 24))",
    ],
)
def test_what_was_taken_away_is_not_taken_back(tmp_path: Path, call: str) -> None:
    program = f"""
        import ctypes, os, struct
        library = ctypes.CDLL(None, use_errno=True)
        done = {call}
        try:
            open({str(tmp_path / "written")!r}, "w").write("x")
        except OSError:
            pass
        def f(x):
            return x + 1
    """
    assert outcome(program) in {"passed", "error"}
    assert not [*tmp_path.iterdir()]


def test_it_has_no_power_over_its_own_namespace() -> None:
    program = """
        status = dict(line.split(":\\t", 1) for line in open("/proc/self/status"))
        held = {name: int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")}
        assert not any(held.values()), held
        assert status["NoNewPrivs"].strip() == "1"
        def f(x):
            return x + 1
    """
    assert outcome(program) == "passed"


@pytest.fixture
def listening() -> Iterator[tuple[int, str, list[bytes]]]:
    """A port and a socket's file that are listened to, and what came."""
    came: list[bytes] = []
    folder = Path("/tmp") / f"apr-eval-test-{os.getpid()}"  # noqa: S108 - names of sockets are short
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(folder))
        unix.listen()

        def serve(server: socket.socket) -> None:
            try:
                while True:
                    with server.accept()[0] as connection:
                        came.append(connection.recv(1))
            except OSError:
                return

        threads = [threading.Thread(target=serve, args=(server,), daemon=True) for server in (tcp, unix)]
        for thread in threads:
            thread.start()
        yield tcp.getsockname()[1], str(folder), came
        for server in (tcp, unix):
            server.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)
    folder.unlink()


def test_nobody_who_listens_is_reached(listening: tuple[int, str, list[bytes]]) -> None:
    port, file, came = listening
    with socket.create_connection(("127.0.0.1", port)) as usual:
        usual.send(b"u")
    verdict = judge(
        Job(
            f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 1).send(b'x')\n{RIGHT}",
            "f",
            TEST,
        )
    )
    assert (verdict.outcome, verdict.enforced.network) == ("error", "none")
    assert verdict.enforced.own_network
    program = f"import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect({file!r})\ns.send(b'x')\n{RIGHT}"
    assert outcome(program) == "error"
    deadline = time.monotonic() + 5
    while not came and time.monotonic() < deadline:
        time.sleep(0.01)
    assert came == [b"u"]


def test_output_is_bounded() -> None:
    started = time.monotonic()
    assert outcome("while True: print('x' * 10_000)", Limits(seconds=30)) == "output"
    assert time.monotonic() - started < 20
    assert outcome(f"print('x' * 1000)\n{RIGHT}") == "passed"


def test_what_is_in_reach_of_an_honest_program_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "5ec2e7" * 4
    monkeypatch.setattr("secrets.token_hex", lambda _: secret)
    monkeypatch.setenv("APR_SECRET_OF_THE_USER", secret)
    program = """
        import glob, os, sys
        places = ["/proc/self/environ", "/proc/self/cmdline", *glob.glob("*"), *glob.glob("../*")]
        seen = [repr(os.environ), repr(sys.argv), repr(sys.orig_argv), repr(globals()), sys.stdin.read()]
        for place in places:
            try:
                seen.append(open(place, errors="replace").read())
            except OSError:
                pass
        def f(x):
            return x + 1 if not any(SECRET in each for each in seen) else None
    """
    assert outcome(program.replace("SECRET", repr(secret))) == "passed"


def test_a_token_that_is_made_up_is_no_pass() -> None:
    program = """
        import json, os
        for number in range(3, 64):
            try:
                os.write(number, json.dumps({"outcome": "passed", "detail": "", "token": "0" * 32}).encode())
            except OSError:
                pass
        os._exit(0)
    """
    verdict = judge(Job(textwrap.dedent(program), "f", TEST), SHORT)
    assert (verdict.outcome, verdict.detail) == (
        "ended early",
        "it says that it has passed, and cannot show it",
    )


@pytest.mark.parametrize(
    "program",
    [
        "import builtins\nbuiltins.AssertionError = ValueError\nbuiltins.abs = lambda x: 0\n",
        "import builtins\nfor name in ('abs', 'all', 'len'):\n    setattr(builtins, name, lambda *x: True)\n",
        "def abs(x):\n    return 0\ndef check(candidate):\n    pass\n",
        "__builtins__['abs'] = lambda x: 0\n",
        "import sys\nsys.settrace(lambda *x: (_ for _ in ()).throw(SystemExit))\n",
    ],
)
def test_builtins_are_those_of_before(program: str) -> None:
    test = "def check(candidate):\n    assert abs(candidate(1) - 2) < 1e-6\n"
    assert outcome(f"{program}\ndef f(x):\n    return 9\n", test=test) in {"wrong", "ended early", "error"}


def test_a_test_finds_the_names_of_the_program() -> None:
    test = "def check(candidate):\n    assert candidate(helper(1)) == 3\n    assert __name__ == '__test__'\n"
    assert outcome(f"def helper(x):\n    return x + 1\n{RIGHT}", test=test) == "passed"


@pytest.mark.parametrize(
    "program",
    [
        "class Equal:\n    def __eq__(self, other):\n        return True\ndef f(x):\n    return Equal()\n",
        (
            "import sys, os, json\nframe = sys._getframe()\nwhile 'token' not in frame.f_locals:\n"
            "    frame = frame.f_back\nanswers = frame.f_locals['answers']\nos.write(answers, json.dumps("
            "{'outcome': 'passed', 'detail': '', 'token': frame.f_locals['token']}).encode())\nos._exit(0)\n"
        ),
    ],
)
def test_what_is_said_to_deceive_it_does(program: str) -> None:
    """The module says so: it holds against accidents of a model, and not against an author."""
    assert outcome(program) == "passed"


def open_to_all(confined: object) -> Enforced:
    del confined
    return Enforced(False, False, False, False, {})


def test_where_the_network_stays_nothing_is_run_unless_it_is_allowed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sandbox, "_enforced", open_to_all)
    with pytest.raises(UnconfinedError, match="network"):
        judge(Job(RIGHT, "f", TEST))
    allowed = judge(Job(RIGHT, "f", TEST), allow_network=True)
    assert (allowed.passed, allowed.enforced.network) == (True, "open")
    assert not list(tmp_path.iterdir())


def test_what_is_in_force_is_seen_from_outside_as_well() -> None:
    confined = {
        "pid": os.getpid(),
        "namespaces": True,
        "no_processes": True,
        "writes_only_to_scratch": True,
        "limits": {},
    }
    assert sandbox._enforced(confined) == Enforced(False, False, False, False, {})


def test_a_process_that_cannot_be_started_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sandbox, "_CHILD", tmp_path / "none.py")
    with pytest.raises(ValueError, match=r"could not be started: .*none\.py"):
        judge(Job(RIGHT, "f", TEST))


def test_several_are_judged_in_their_order_and_leave_nothing_open() -> None:
    before = len([*Path("/proc/self/fd").iterdir()])
    jobs = [Job(f"def f(x):\n    return x + {n % 2}\n", "f", TEST) for n in range(6)]
    verdicts = list(judge_all(jobs, workers=3))
    assert [each.passed for each in verdicts] == [False, True] * 3
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_of_several_what_was_in_force_in_each_counts() -> None:
    strong = Enforced(True, True, True, True, {"open_files": 4})
    weak = Enforced(True, False, True, False, {"open_files": 9})
    assert weakest([strong, weak]) == weak
    assert weakest([strong]) == strong
    with pytest.raises(ValueError, match="nothing has run"):
        weakest([])
