"""Names → artefacts: find the bytes that a subject names, and refuse bytes that are not those."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from pv.builds import Build, make_build
from pv.config import Config, SubjectSpec
from pv.digests import DigestCache, Stamp, covered_files, digest_path, stamps_of
from pv.errors import ConfigError, SubjectError
from pv.hub import hub_path

__all__ = ["Artefact", "Missing", "Subjects", "Unbuilt"]

DIGESTS = Path(".pv", "digests.json")
"""Where digests of big files are remembered, below the project."""


@dataclasses.dataclass(frozen=True)
class Missing:
    """A subject that is not here: why, and what to type where it is not."""

    name: str
    why: str
    remedy: str


@dataclasses.dataclass(frozen=True)
class Artefact:
    """A subject that is here, with the digest of what was read."""

    name: str
    path: Path
    sha256: str
    loader: str
    derived_from: tuple[str, ...] = ()
    build: Build | None = None
    """What a built subject is built from and by; None for one that is not built."""
    stamp: tuple[Stamp, ...] = ()
    """Of every file when it was hashed."""

    @property
    def build_key(self) -> str | None:
        """The key of its build; None for one that is not built."""
        return self.build.key if self.build else None

    @property
    def identity(self) -> str:
        """What evidence knows it by: the key of its build, else the digest of its bytes."""
        return self.build_key or self.sha256

    def changed(self) -> bool:
        """Tell whether a file was replaced since it was hashed."""
        return stamps_of([Path(stamp[0]) for stamp in self.stamp]) != self.stamp


@dataclasses.dataclass(frozen=True)
class Unbuilt:
    """A subject that its builder can make here from an artefact that is here."""

    spec: SubjectSpec
    source: Artefact
    build: Build
    target: Path

    @property
    def build_key(self) -> str:
        """The key of its build."""
        return self.build.key


class Subjects:
    """The subjects of a project, with the paths that the command line put in their place.

    Raises
    ------
    ConfigError
        An override names a subject that ``pv.toml`` does not have.
    """

    def __init__(self, config: Config, overrides: Mapping[str, Path] | None = None) -> None:
        self._config = config
        self._overrides = dict(overrides or {})
        self._known: dict[str, Artefact] = {}
        self._asked: set[str] = set()
        self._digests = DigestCache(config.root / DIGESTS)
        for name in self._overrides:
            self.spec(name)

    def spec(self, name: str) -> SubjectSpec:
        """Return what ``pv.toml`` says of `name`.

        Raises
        ------
        ConfigError
            It says nothing.
        """
        try:
            return self._config.subjects[name]
        except KeyError:
            known = ", ".join(sorted(self._config.subjects)) or "none"
            raise ConfigError(
                f"subject {name!r} is not in pv.toml (known: {known})",
                remedy=f"add [subjects.{name}] with its path and loader",
            ) from None

    @property
    def sources(self) -> tuple[Path, ...]:
        """The folders in which the project's modules are found."""
        return self._config.sources

    def overridden(self, name: str) -> bool:
        """Tell whether the command line gave a path for `name`."""
        return name in self._overrides

    def resolve(self, name: str) -> Artefact | Missing | Unbuilt:
        """Find the bytes of `name` and hash them.

        Raises
        ------
        ConfigError
            The name is unknown.
        SubjectError
            The bytes differ from the pinned sha256, or cannot be read.
        """
        if name in self._known and not self._known[name].changed():
            return self._known[name]
        spec = self.spec(name)
        if name in self._overrides:
            path = self._overrides[name]
            if not path.exists():
                raise SubjectError(
                    f"subject {name}: {path} is not there", remedy="correct the path given with --subject"
                )
            return self._keep(spec, path, pinned=None)
        if spec.builder:
            return self._built(spec)
        return self._found(spec)

    def read_together(self, names: Iterable[str]) -> None:
        """Hash those of `names` that are files, several at once; :meth:`resolve` then knows them.

        Raises
        ------
        ConfigError, SubjectError
            As :meth:`resolve`.
        """
        wanted = [
            name
            for name in dict.fromkeys(names)
            if name not in self._known and (name in self._overrides or not self.spec(name).builder)
        ]
        if len(wanted) > 1:
            from concurrent.futures import ThreadPoolExecutor  # late: a status hashes nothing

            # Threads: hashing does not hold the interpreter's lock.
            with ThreadPoolExecutor(min(len(wanted), os.cpu_count() or 1)) as pool:
                list(pool.map(self.resolve, wanted))

    def _found(self, spec: SubjectSpec) -> Artefact | Missing:
        if spec.path.startswith("hf://"):
            hub = hub_path(spec)
            path, remedy, there = hub.cached, f"pv fetch {spec.name}", not hub.missing()
        else:
            path, remedy = self._config.root / spec.path, ""
            there = path.exists()
        if there:
            return self._keep(spec, path, pinned=spec.sha256)
        return Missing(
            spec.name,
            f"subject {spec.name} is not on this host ({spec.path})",
            spec.how_to_get or remedy or f"put it at {spec.path}",
        )

    def _built(self, spec: SubjectSpec) -> Artefact | Missing | Unbuilt:
        source = self.resolve(spec.derived_from[0])
        if isinstance(source, Missing):
            return source
        if isinstance(source, Unbuilt):
            # Built one by one, innermost first: the caller builds this one and asks again.
            return source
        build = make_build(spec, self._config, source.identity, source.build)
        key = build.key
        built = self._config.root / ".pv" / "built"
        target = built / key[:16] / spec.path
        stated = built / f"{key[:16]}.sha256"
        if target.exists() and (key in self._asked or stated.is_file()):
            return self._kept(spec, target, build, stated)
        # Nobody says what an unfinished build should be: it is made again.
        _remove(target)
        self._asked.add(key)
        return Unbuilt(spec, source, build, target)

    def _kept(self, spec: SubjectSpec, target: Path, build: Build, stated: Path) -> Artefact:
        artefact = self._keep(spec, target, pinned=spec.sha256, build=build)
        if build.key in self._asked:
            self._asked.discard(build.key)
            partial = stated.with_name(f"partial-{os.getpid()}-{stated.name}")
            partial.write_text(artefact.sha256 + "\n", encoding="ascii")
            partial.replace(stated)
        elif stated.read_text(encoding="utf-8", errors="replace").strip() != artefact.sha256:
            del self._known[spec.name]
            raise SubjectError(
                f"subject {spec.name} was altered after it was built: {self._config.relative(target)}",
                remedy=f"remove {self._config.relative(stated)}, and it is built again",
            )
        return artefact

    def _keep(
        self, spec: SubjectSpec, path: Path, *, pinned: str | None, build: Build | None = None
    ) -> Artefact:
        try:
            before = stamps_of(covered_files(path, spec.files))
            sha256, files = digest_path(path, spec.files, self._digests)
            if pinned not in {None, sha256}:
                # Before bytes are called wrong, they are read.
                sha256, files = digest_path(path, spec.files)
        except OSError as error:
            raise SubjectError(
                f"subject {spec.name}: {error.strerror}: {self._config.relative(path)}",
                remedy="mend the file",
            ) from error
        if stamps_of(files) != before:
            raise SubjectError(
                f"subject {spec.name} changed while it was read", remedy="let nothing write it"
            )
        if pinned is not None and sha256 != pinned:
            raise SubjectError(
                f"subject {spec.name} is not the one that pv.toml pins: sha256 {sha256}, pinned {pinned}",
                remedy=f"restore {spec.path}, or judge other bytes with --subject {spec.name}=PATH",
            )
        self._digests.save()
        artefact = Artefact(spec.name, path, sha256, spec.loader, spec.derived_from, build, before)
        self._known[spec.name] = artefact
        return artefact


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
