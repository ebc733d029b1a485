"""Names → artefacts: find the bytes that a subject names, and refuse bytes that are not those."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from pv.canonical import digest_of
from pv.closure import find_closure
from pv.config import Config, SubjectSpec
from pv.errors import ConfigError, SubjectError

__all__ = ["Artefact", "Missing", "Subjects", "build_key", "digest_path"]

_HUB = re.compile(r"^hf://(?P<repo>[\w.-]+/[\w.-]+)@(?P<revision>[\w.-]+)/(?P<file>[\w./-]+)$")
_CHUNK = 1 << 20
Stamp = tuple[str, *tuple[int, ...]]
"""Path; inode, size, modification and change time in ns; inode and change time of the link, if it is one."""


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
    build_key: str | None = None
    """Digest of what a built subject is built from and by; None for one that is not built."""
    stamp: tuple[Stamp, ...] = ()
    """Of every file when it was hashed."""

    def changed(self) -> bool:
        """Tell whether a file was replaced since it was hashed."""
        return _stamp([Path(stamp[0]) for stamp in self.stamp]) != self.stamp


@dataclasses.dataclass(frozen=True)
class Unbuilt:
    """A subject that its builder can make here from an artefact that is here."""

    spec: SubjectSpec
    source: Artefact
    build_key: str
    target: Path


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

    def _found(self, spec: SubjectSpec) -> Artefact | Missing:
        if spec.path.startswith("hf://"):
            path, remedy = _hub_path(spec)
        else:
            path, remedy = self._config.root / spec.path, ""
        if path.exists():
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
        key = build_key(
            spec.name, self._config, {source.name: source.build_key or source.sha256}, strict=True
        )
        built = self._config.root / ".pv" / "built"
        target = built / key[:16] / spec.path
        stated = built / f"{key[:16]}.sha256"
        if target.exists() and (key in self._asked or stated.is_file()):
            return self._kept(spec, target, key, stated)
        # Nobody says what an unfinished build should be: it is made again.
        _remove(target)
        self._asked.add(key)
        return Unbuilt(spec, source, key, target)

    def _kept(self, spec: SubjectSpec, target: Path, key: str, stated: Path) -> Artefact:
        artefact = self._keep(spec, target, pinned=spec.sha256, key=key)
        if key in self._asked:
            self._asked.discard(key)
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

    def _keep(self, spec: SubjectSpec, path: Path, *, pinned: str | None, key: str | None = None) -> Artefact:
        try:
            before = _stamp(_covered(path, spec.files))
            sha256, files = digest_path(path, spec.files)
        except OSError as error:
            raise SubjectError(
                f"subject {spec.name}: {error.strerror}: {self._config.relative(path)}",
                remedy="mend the file",
            ) from error
        if _stamp(files) != before:
            raise SubjectError(
                f"subject {spec.name} changed while it was read", remedy="let nothing write it"
            )
        if pinned is not None and sha256 != pinned:
            raise SubjectError(
                f"subject {spec.name} is not the one that pv.toml pins: sha256 {sha256}, pinned {pinned}",
                remedy=f"restore {spec.path}, or judge other bytes with --subject {spec.name}=PATH",
            )
        artefact = Artefact(spec.name, path, sha256, spec.loader, spec.derived_from, key, before)
        self._known[spec.name] = artefact
        return artefact


def build_key(
    name: str, config: Config, digests: Mapping[str, str] | None = None, *, strict: bool = False
) -> str:
    """Digest of what decides a built subject's bytes: its source, its builder's closure, its arguments.

    Without `digests` the source's pin stands for its bytes, so that the key is a function of the tree.

    Raises
    ------
    ConfigError
        A source has neither pin nor builder, and `strict` is set.
    """
    spec = config.subjects[name]
    if spec.builder is None:
        if digests and name in digests:
            return digests[name]
        if spec.sha256 is None and strict:
            raise ConfigError(
                f"subject {name} has no sha256 in pv.toml",
                remedy="pin it: what is built from it must be known",
            )
        return spec.sha256 or "unpinned"
    source = spec.derived_from[0]
    source_key = digests[source] if digests and source in digests else build_key(source, config)
    return digest_of(
        {
            "source": source_key,
            "builder": spec.builder,
            "closure": find_closure([spec.builder.split(":")[0]], config.sources).sha256,
            "with": dict(spec.arguments),
            "path": spec.path,
        }
    )


def digest_path(path: Path, only: tuple[str, ...] = ()) -> tuple[str, list[Path]]:
    r"""Hash a file, or a folder by its files' digests and names.

    A folder's digest is the sha256 of the lines ``<sha256>  <relative name>\n`` in the order of
    names: what ``sha256sum`` prints for them. Links that lead outside the folder are followed as
    files; other kinds of files are refused.

    Returns
    -------
    tuple[str, list[Path]]
        The hexadecimal digest, and the files that it covers.

    Raises
    ------
    OSError
        Something cannot be read, or is neither file nor folder.
    """
    files = _covered(path, only)
    if files == [path]:
        return _digest_file(path), files
    names = sorted(only) or sorted(file.relative_to(path).as_posix() for file in files)
    lines = "".join(f"{_digest_file(path / name)}  {name}\n" for name in names)
    return hashlib.sha256(lines.encode()).hexdigest(), files


def _covered(path: Path, only: tuple[str, ...]) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise OSError(0, "neither a file nor a folder", str(path))
    files = [path / name for name in only] or sorted(f for f in path.rglob("*") if f.is_file())
    if not files:
        raise OSError(0, "an empty folder", str(path))
    for file in files:
        if file.exists() and not file.is_file():
            raise OSError(0, f"{file.name} is no regular file", str(path))
    return files


def _digest_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _stamp(files: list[Path]) -> tuple[Stamp, ...]:
    def one(path: Path) -> Stamp:
        # Anyone can set the modification time back; nobody the change time.
        try:
            link, status = path.lstat(), path.stat()
        except OSError:
            return str(path), -1
        times = status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        return str(path), *times, link.st_ino, link.st_ctime_ns

    return tuple(one(path) for path in files)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _hub_path(spec: SubjectSpec) -> tuple[Path, str]:
    match = _HUB.match(spec.path)
    if match is None:
        raise ConfigError(
            f"subject {spec.name}: {spec.path!r} is not hf://owner/repo@revision/file",
            remedy="name the revision: a branch moves, a revision does not",
        )
    repo, revision, file = match["repo"], match["revision"], match["file"]
    if ".." in file.split("/"):
        raise ConfigError(
            f"subject {spec.name}: the file leaves its repository", remedy="name a file inside it"
        )
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    path = hub / f"models--{repo.replace('/', '--')}" / "snapshots" / revision / file
    return path, f"hf download {repo} {file} --revision {revision}"
