"""A PostgreSQL server of one's own, to be written to by many and killed; it listens at no port."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.sweep import children

__all__ = ["Server", "running"]

START_SECONDS = 60.0


class Server:
    """A server whose data lie in `folder`. It refuses to run as root, so root runs it as another user."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._programs = _programs()
        self._process: subprocess.Popen[bytes] | None = None
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            owner = _somebody()
            shutil.chown(folder, owner.pw_uid, owner.pw_gid)
            self._as = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        make = [self._programs / "initdb", "--pgdata", folder / "data", "--username", "pv", "--auth", "trust"]
        self._run([*make, "--no-locale", "--encoding", "UTF8", "--no-sync"])

    @property
    def url(self) -> str:
        """What a ledger is told."""
        return f"postgresql://pv@/postgres?host={self._folder}"

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises
        ------
        RuntimeError
            It does not within a minute.
        """
        until = time.monotonic() + START_SECONDS
        options = ["-c", "listen_addresses=", "-k", str(self._folder), "-c", "max_connections=64"]
        while time.monotonic() < until:
            # Right after a kill, processes of the old server may still hold its memory.
            if self._process is None or self._process.poll() is not None:
                with (self._folder / "log").open("ab") as log:
                    self._process = subprocess.Popen(
                        [self._programs / "postgres", "-D", self._folder / "data", *options],
                        cwd=self._folder,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                        **self._as,
                    )
            ready = [str(self._programs / "pg_isready"), "--quiet", "--host", str(self._folder)]
            if subprocess.run(ready, check=False).returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError(f"PostgreSQL does not start; see {self._folder / 'log'}")

    def kill(self) -> None:
        """End it and all its processes with SIGKILL, as a crash of the host would."""
        if self._process is not None:
            below = children(self._process.pid)
            self._process.kill()
            for process in below:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, 9)
            self._process.wait()

    def _run(self, words: list[Any]) -> None:
        done = subprocess.run(
            words, cwd=self._folder, capture_output=True, text=True, check=False, **self._as
        )
        if done.returncode:
            raise RuntimeError(f"{words[0].name} failed: {done.stderr.strip()}")


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """Yield a server that runs, in a folder of its own that is gone afterwards.

    Not below pytest's: that one is closed to the user as whom root runs the server.
    """
    folder = Path(tempfile.mkdtemp(prefix="pv-postgresql-"))
    try:
        server = Server(folder)
        try:
            server.start()
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    # Debian keeps them off the path, a folder a version.
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if named := shutil.which("postgres"):
        found.append(Path(named).resolve())
    if not found:
        raise RuntimeError("PostgreSQL's server is not here: apt-get install postgresql")
    return found[0].parent


def _somebody() -> pwd.struct_passwd:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")
