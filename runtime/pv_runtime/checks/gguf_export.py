"""An exported GGUF file in the hands of others: its head, PyPI's reader, and llama.cpp."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pv.check import CheckError, Metric, Run, check
from pv_runtime import llama_process
from pv_runtime.checks import damage
from pv_runtime.formats import Checkpoint, FileBytes
from pv_runtime.names import gguf_name
from pv_runtime.provenance import GGUF_DERIVED_FROM, file_sha256

__all__ = ["gguf_export", "read_by_others"]

_PROMPT = "def fib(n):"
_TOKENS = 4
_CHUNK = 16 << 20


@check(
    metrics=[
        Metric("magic_ok", unit="1", kind="count"),
        Metric("version", unit="1", kind="count"),
        Metric("reader_ok", unit="1", kind="count"),
        Metric("expected_tensors", unit="1", kind="count"),
        Metric("tensors", unit="1", kind="count"),
        Metric("compared", unit="1", kind="count"),
        Metric("one_sided", unit="1", kind="count"),
        Metric("shape_mismatches", unit="1", kind="count"),
        Metric("differing_elements", unit="1", kind="count"),
        Metric("derived", unit="1", kind="count"),
        Metric("llama_exit", unit="1", kind="count"),
        Metric("generated", unit="1", kind="count"),
        Metric("odd_logits", unit="1", kind="count"),
        Metric("llama_version", kind="text"),
    ]
)
def gguf_export(run: Run, *, source: Checkpoint, exported: FileBytes) -> None:
    """Read `exported` as strangers do, and let llama.cpp generate four tokens from it.

    Beside what `read_by_others` records: `llama_exit` is the exit code of a process that loads the file
    in llama.cpp and generates greedily, `generated` the number of tokens that came of it, `odd_logits`
    how many logits were NaN or infinite, and `llama_version` that of llama-cpp-python (``none`` where it
    did not come so far).

    Raises
    ------
    CheckError
        llama-cpp-python is not installed.
    """
    if not llama_process.installed():
        raise CheckError("llama-cpp-python is not installed; type: make oracles")
    path = read_by_others(run, source=source, exported=exported)
    made = llama_process.generate(path, _PROMPT, _TOKENS)
    run.record("llama_exit", made.exit_code, label=made.message.strip().rpartition("\n")[2][:200] or None)
    run.record("generated", len(made.tokens), label=repr(made.text) if made.tokens else None)
    run.record("odd_logits", made.odd_logits)
    run.record("llama_version", made.version or "none")


def read_by_others(run: Run, *, source: Checkpoint, exported: FileBytes) -> str:
    """Look at the head of `exported`, and at its tensors with the ``gguf`` package; return its path.

    `magic_ok` is 1 if the first four bytes are ``GGUF``; `version` is the little-endian 32-bit number
    after them, 0 where there is none. `reader_ok` is 1 if ``gguf.GGUFReader`` takes the file, and
    `tensors` how many it lists. Of each that `source` has too, `differing_elements` are the float32
    values whose bits differ between what ``gguf`` dequantises and what `source` holds. `derived` is 1 if
    the file names the sha256 of `source`, digested now.

    Notes
    -----
    The head: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
    """
    original: Checkpoint = run.undamaged("source")
    head = exported.read(0, min(exported.size, 8)).tobytes()
    run.record("magic_ok", int(head[:4] == b"GGUF"))
    run.record("version", struct.unpack("<I", head[4:8])[0] if len(head) == 8 else 0)
    run.record("expected_tensors", len(original.names()))
    path = _file(run, exported)
    try:
        reader = _reader(path)
    except Exception as error:
        # What a stranger's reader raises is not ours to know; that it raised is what counts.
        run.record("reader_ok", 0, label=str(error)[:200])
        return path
    run.record("reader_ok", 1)
    stated = reader.fields.get(GGUF_DERIVED_FROM)
    digest = stated.contents() if stated is not None else None
    run.record("derived", int(digest == file_sha256(original.path)))
    _compare(run, source, {tensor.name: tensor for tensor in reader.tensors})
    return path


def _file(run: Run, exported: FileBytes) -> str:
    """Return the path of a file with these bytes; only damaged ones are written anew."""
    original: FileBytes = run.undamaged("exported")
    if exported is original:
        return original.path
    path = Path(run.scratch()) / "damaged.gguf"
    with path.open("wb") as file:
        for start in range(0, exported.size, _CHUNK):
            file.write(exported.read(start, min(_CHUNK, exported.size - start)).tobytes())
    return str(path)


def _reader(path: str) -> Any:
    import gguf

    return gguf.GGUFReader(path)


def _compare(run: Run, source: Checkpoint, theirs: dict[str, Any]) -> None:
    import gguf

    ours = {gguf_name(name): name for name in source.names()}
    one_sided = sorted(set(ours) ^ set(theirs))
    run.record("tensors", len(theirs))
    run.record("one_sided", len(one_sided), label=", ".join(one_sided[:8]) or None)
    compared = mismatches = 0
    common = sorted(set(ours) & set(theirs))
    for name in run.progress(common, len(common)):
        tensor, values = theirs[name], source.tensor(ours[name])
        if tuple(int(size) for size in reversed(tensor.shape)) != values.shape:
            mismatches += 1
            continue
        decoded = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(values.shape)
        differing = np.count_nonzero(decoded.view(np.uint32) != values.view(np.uint32))
        run.record("differing_elements", int(differing), label=name)
        compared += 1
    run.record("compared", compared)
    run.record("shape_mismatches", mismatches)


def _replaced(exported: FileBytes, at: int, change: Callable[[bytes], bytes], length: int = 1) -> FileBytes:
    before = exported.read(0, at + length).tobytes()
    return exported.with_head(before[:at] + change(before[at:]), instead_of=at + length)


def _place(exported: FileBytes, text: str) -> int:
    """Return where the string `text` of the metadata begins: behind its length in 64 bits."""
    spelt = struct.pack("<Q", len(text)) + text.encode()
    at = exported.read(0, min(exported.size, 64 << 20)).tobytes().find(spelt)
    if at < 0:
        raise CheckError(f"{exported.path} has no {text} to damage")
    return at + 8


def _tensor(exported: FileBytes, name: str) -> int:
    """Return where the data of a tensor begin."""
    found = {tensor.name: tensor.data_offset for tensor in _reader(exported.path).tensors}
    if name not in found:
        raise CheckError(f"{exported.path} has no {name} to damage")
    return int(found[name])


@gguf_export.counter_example("wrong_magic", of="exported")
def wrong_magic(exported: FileBytes) -> FileBytes:
    """Begin with the name of the format that came before."""
    return _replaced(exported, 0, lambda _: b"GGJT", 4)


@gguf_export.counter_example("magic_in_lower_case", of="exported")
def magic_in_lower_case(exported: FileBytes) -> FileBytes:
    """Spell the magic in small letters."""
    return _replaced(exported, 0, bytes.lower, 4)


@gguf_export.counter_example("version_1", of="exported")
def version_1(exported: FileBytes) -> FileBytes:
    """State the first version, whose lengths have 32 bits."""
    return _replaced(exported, 4, lambda _: struct.pack("<I", 1), 4)


@gguf_export.counter_example("version_4", of="exported")
def version_4(exported: FileBytes) -> FileBytes:
    """State a version that does not exist."""
    return _replaced(exported, 4, lambda _: struct.pack("<I", 4), 4)


@gguf_export.counter_example("truncated", of="exported")
def truncated(exported: FileBytes) -> FileBytes:
    """Cut off what is at least one byte of the last tensor, however it is aligned."""
    return exported.cut(exported.size - 32)


@gguf_export.counter_example("empty_file", of="exported")
def empty_file(exported: FileBytes) -> FileBytes:
    """Leave nothing."""
    return exported.cut(0)


@gguf_export.counter_example("flipped_bit", of="exported")
def flipped_bit(exported: FileBytes) -> FileBytes:
    """Turn the lowest bit of one byte of the embeddings: every reader takes the file as before."""
    return _replaced(exported, _tensor(exported, "token_embd.weight"), lambda byte: bytes([byte[0] ^ 1]))


@gguf_export.counter_example("infinity", of="exported")
def infinity(exported: FileBytes) -> FileBytes:
    """Put an infinity into the last norm: the file loads and generates, from logits that are NaN."""
    return _replaced(
        exported, _tensor(exported, "output_norm.weight"), lambda _: struct.pack("<f", float("inf")), 4
    )


@gguf_export.counter_example("no_tokenizer", of="exported")
def no_tokenizer(exported: FileBytes) -> FileBytes:
    """Misspell the key of the tokenizer: every reader of tensors takes the file, and llama.cpp does not."""
    return _replaced(exported, _place(exported, "tokenizer.ggml.model"), lambda _: b"T")


@gguf_export.counter_example("no_block_count", of="exported")
def no_block_count(exported: FileBytes) -> FileBytes:
    """Misspell a key that llama.cpp must have and no reader of tensors asks for."""
    architecture = _reader(exported.path).fields["general.architecture"].contents()
    return _replaced(exported, _place(exported, f"{architecture}.block_count"), lambda _: b"X")


@gguf_export.counter_example("underived", of="exported")
def underived(exported: FileBytes) -> FileBytes:
    """Misspell the key under which the file says what it was made from."""
    return _replaced(exported, _place(exported, GGUF_DERIVED_FROM), lambda _: b"P")


@gguf_export.counter_example("tensor_not_exported", of="source")
def tensor_not_exported(source: Checkpoint) -> Checkpoint:
    """Let the source have a tensor that was left behind."""
    return damage.with_extra(source)


@gguf_export.counter_example("tensor_added", of="source")
def tensor_added(source: Checkpoint) -> Checkpoint:
    """Let the source lack a tensor that was exported."""
    return damage.without_last(source)
