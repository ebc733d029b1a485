"""A publish manifest beside the model that it describes: where that comes from, and how it is stored."""

from __future__ import annotations

import random
import re
from urllib.parse import urlsplit

from pv.check import CheckError, Metric, Run, check
from pv_runtime.build_publish import main_type
from pv_runtime.checks import damage
from pv_runtime.checks.manifest_text import edited, statements
from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint, FileBytes, Overlay
from pv_runtime.formats.open import read_checkpoint
from pv_runtime.origin import stated_origins
from pv_runtime.provenance import file_sha256

__all__ = ["magic", "parent_chain", "stored_types"]

_DIGEST = re.compile(r"[0-9a-f]{64}")


@check(
    metrics=[
        Metric("depth", unit="1", kind="count"),
        Metric("expected_depth", unit="1", kind="count"),
        Metric("differing", unit="1", kind="count"),
        Metric("cycles", unit="1", kind="count"),
        Metric("documented", unit="1", kind="count"),
    ]
)
def parent_chain(run: Run, *, manifest: FileBytes, artefact: Checkpoint) -> None:
    """Follow the parents that `manifest` names, and hold them against what `artefact` records of its origin.

    `differing` is 1 for each parent whose digest is not the one at its place in the record; `cycles` counts
    those that are named before, or are the artefact itself. `documented` is 1 if the last one, which nothing
    was made into, has an https address.
    """
    said = (statements(manifest) or {}).get("provenance")
    parents = said.get("parents") if isinstance(said, dict) else None
    chain = [each for each in parents if isinstance(each, dict)] if isinstance(parents, list) else []
    recorded = stated_origins(artefact)
    run.record("depth", len(chain))
    run.record("expected_depth", len(recorded))
    seen = {file_sha256(artefact.path)}
    cycles = 0
    for place, parent in enumerate(chain):
        digest = parent.get("sha256")
        there = recorded[place] if place < len(recorded) else None
        well_formed = isinstance(digest, str) and _DIGEST.fullmatch(digest) is not None
        run.record("differing", int(not well_formed or digest != there), label=f"parent {place}")
        cycles += digest in seen
        seen.add(str(digest))
    run.record("cycles", cycles)
    address = chain[-1].get("address") if chain else None
    parts = urlsplit(address) if isinstance(address, str) else None
    run.record("documented", int(parts is not None and parts.scheme == "https" and bool(parts.hostname)))


@parent_chain.counter_example("parent_left_out", of="manifest")
def parent_left_out(manifest: FileBytes) -> FileBytes:
    """Leave the nearest parent out."""
    return edited(manifest, lambda said: said["provenance"]["parents"].pop(0))


@parent_chain.counter_example("its_own_parent", of="manifest")
def its_own_parent(manifest: FileBytes) -> FileBytes:
    """Name the file itself as its nearest parent."""
    return edited(
        manifest, lambda said: said["provenance"]["parents"][0].update(sha256=said["files"][0]["sha256"])
    )


@parent_chain.counter_example("another_root", of="manifest")
def another_root(manifest: FileBytes) -> FileBytes:
    """Name a better-known model's digest at the end of the chain."""
    return edited(manifest, lambda said: said["provenance"]["parents"][-1].update(sha256="0" * 64))


@parent_chain.counter_example("root_nowhere", of="manifest")
def root_nowhere(manifest: FileBytes) -> FileBytes:
    """Leave out where the last parent is documented."""
    return edited(manifest, lambda said: said["provenance"]["parents"][-1].pop("address"))


@parent_chain.counter_example("made_of_nothing", of="artefact")
def made_of_nothing(artefact: Checkpoint) -> Checkpoint:
    """Let the file forget what it was made from."""
    return damage.without_metadata(artefact)


@check(
    metrics=[
        Metric("format_equal", unit="1", kind="count"),
        Metric("main_type_equal", unit="1", kind="count"),
        Metric("matrices", unit="1", kind="count"),
        Metric("expected_matrices", unit="1", kind="count"),
        Metric("another_type", unit="1", kind="count"),
        Metric("vectors_not_float", unit="1", kind="count"),
    ]
)
def stored_types(run: Run, *, manifest: FileBytes, artefact: Checkpoint) -> None:
    """Compare the types of the tensors of `artefact` with the ``quantization`` and ``format`` stated.

    `main_type_equal` is 1 if most elements of matrices have the stated type; `another_type` is 1 for each
    matrix that has another one. `vectors_not_float` counts norms and biases that are stored in blocks.
    """
    said = statements(manifest) or {}
    stated = str(said.get("quantization")).upper()
    run.record("format_equal", int(said.get("format") == artefact.format))
    run.record("main_type_equal", int(main_type(artefact) == stated))
    names = artefact.matrices()
    run.record("matrices", len(names))
    run.record("expected_matrices", len(run.undamaged("artefact").matrices()))
    for name in names:
        run.record("another_type", int(artefact.info(name).dtype != stated), label=name)
    others = set(artefact.names()) - set(names)
    plain = {"F32", "F16", "BF16"}
    run.record("vectors_not_float", sum(artefact.info(name).dtype not in plain for name in others))


@stored_types.counter_example("all_in_float32", of="artefact")
def all_in_float32(artefact: Checkpoint) -> Checkpoint:
    """Store every matrix in float32, as an exporter did whose manifest said fp16."""
    return damage.replaced_values(artefact, artefact.matrices(), lambda values: values, "F32")


@stored_types.counter_example("one_in_float32", of="artefact")
def one_in_float32(artefact: Checkpoint) -> Checkpoint:
    """Store one matrix in float32."""
    return damage.replaced_values(artefact, artefact.matrices()[-1:], lambda values: values, "F32")


@stored_types.counter_example("type_of_another_file", of="manifest")
def type_of_another_file(manifest: FileBytes) -> FileBytes:
    """State the type of the next file in the list."""
    return edited(manifest, lambda said: said.update(quantization="q6_k"))


@stored_types.counter_example("format_of_another_file", of="manifest")
def format_of_another_file(manifest: FileBytes) -> FileBytes:
    """State the format of the next file in the list."""
    return edited(manifest, lambda said: said.update(format="apr" if said["format"] != "apr" else "gguf"))


@stored_types.counter_example("matrix_missing", of="artefact")
def matrix_missing(artefact: Checkpoint) -> Checkpoint:
    """Leave a matrix out."""
    return Overlay(artefact, drop=artefact.matrices()[:1])


@check(
    metrics=[
        Metric("format_stated", unit="1", kind="text"),
        Metric("magic_ok", unit="1", kind="count"),
        Metric("opens", unit="1", kind="count"),
    ]
)
def magic(run: Run, *, manifest: FileBytes, artefact: FileBytes) -> None:
    r"""Look at the first bytes of `artefact`, and whether the file opens as the ``format`` that is stated.

    `magic_ok` is 1 if it begins with ``APR\0``, with ``GGUF``, or with a header of JSON behind eight bytes;
    `opens` if its header can be read, and is that of the stated format.
    """
    form = (statements(manifest) or {}).get("format")
    run.record("format_stated", str(form))
    head = artefact.read(0, min(artefact.size, 9)).tobytes()
    sound = {"apr": head[:4] == b"APR\0", "gguf": head[:4] == b"GGUF", "safetensors": head[8:] == b"{"}
    run.record("magic_ok", int(sound.get(str(form), False)))
    try:
        found = read_checkpoint(artefact).format
    except LoadError as error:
        run.record("opens", 0, label=str(error)[:200])
    else:
        run.record("opens", int(found == form))


def _beginning(artefact: FileBytes, head: bytes) -> FileBytes:
    return artefact.with_head(head, instead_of=len(head))


@magic.counter_example("earlier_magic", of="artefact")
def earlier_magic(artefact: FileBytes) -> FileBytes:
    """Begin as files did before version 2."""
    return _beginning(artefact, b"APRN")


@magic.counter_example("magic_of_another_format", of="artefact")
def magic_of_another_format(artefact: FileBytes) -> FileBytes:
    """Begin with another format's name."""
    return _beginning(artefact, b"GGUF")


@magic.counter_example("empty_file", of="artefact")
def empty_file(artefact: FileBytes) -> FileBytes:
    """Leave nothing."""
    return artefact.cut(0)


@magic.counter_example("another_format_stated", of="manifest")
def another_format_stated(manifest: FileBytes) -> FileBytes:
    """State another format."""
    return edited(manifest, lambda said: said.update(format="gguf"))


@magic.dose("header_bits", of="artefact")
def header_bits(artefact: FileBytes, amount: int, place: int) -> FileBytes:
    """Turn bits of the first 64 bytes, which are the header of an APR file.

    Raises
    ------
    CheckError
        The file is shorter.
    """
    if artefact.size < 64:
        raise CheckError(f"{artefact.path} has no header to damage")
    head = bytearray(artefact.read(0, 64).tobytes())
    for bit in random.Random(f"header bits {place}").sample(range(8 * 64), amount):  # noqa: S311
        head[bit // 8] ^= 1 << bit % 8
    return _beginning(artefact, bytes(head))
