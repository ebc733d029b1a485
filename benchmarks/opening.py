"""How long opening takes: a model file's header is read, and nothing else.

Each figure stands beside what somebody would use instead, on the same file and in the same process:
`gguf.GGUFReader` for a GGUF with the vocabulary and merges of a 7B model, `safetensors.safe_open` for
a header of 339 tensors, with names, shapes and dtypes asked of both. `apr inspect` as a program stands
beside ``python -c pass``, and beside itself on a file of one key, which is what start-up costs.

Files are sparse: they take the room of their headers. Printed are the best of many
runs, since a busy machine adds to every other, and ratios with their targets.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import gguf
import safetensors
from pv_runtime.formats import open_checkpoint

ROOT = Path(__file__).resolve().parents[1]
TOKENS, MERGES, LAYERS = 152_064, 151_387, 28
ROUNDS = 30
SAFE_OPEN, GGUF_MILLISECONDS = 2.0, 50.0
"""Targets: a multiple of `safe_open`; milliseconds for the GGUF, and for `apr inspect` over start-up."""


def shapes() -> dict[str, tuple[int, ...]]:
    """Return the tensors of a 7B model by name: 339 of them."""
    layer = {
        "input_layernorm.weight": (3584,), "post_attention_layernorm.weight": (3584,),
        "self_attn.q_proj.weight": (3584, 3584), "self_attn.q_proj.bias": (3584,),
        "self_attn.k_proj.weight": (512, 3584), "self_attn.k_proj.bias": (512,),
        "self_attn.v_proj.weight": (512, 3584), "self_attn.v_proj.bias": (512,),
        "self_attn.o_proj.weight": (3584, 3584), "mlp.gate_proj.weight": (18944, 3584),
        "mlp.up_proj.weight": (18944, 3584), "mlp.down_proj.weight": (3584, 18944),
    }  # fmt: skip
    ends = {"model.embed_tokens.weight": (152064, 3584), "lm_head.weight": (152064, 3584)}
    found: dict[str, tuple[int, ...]] = {**ends, "model.norm.weight": (3584,)}
    for number in range(LAYERS):
        found.update({f"model.layers.{number}.{name}": shape for name, shape in layer.items()})
    return found


def size_of(shape: tuple[int, ...]) -> int:
    """Return the bytes of an fp16 tensor."""
    return 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)


def write_safetensors(path: Path) -> None:
    """Write the header of a 7B model in fp16, and a hole where its 15 GB would be."""
    header, position = {}, 0
    for name, shape in shapes().items():
        end = position + size_of(shape)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [position, end]}
        position = end
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + position)


def text(value: bytes) -> bytes:
    """Return a string as GGUF has it."""
    return struct.pack("<Q", len(value)) + value


def strings(key: bytes, items: list[bytes]) -> bytes:
    """Return a key with an array of strings."""
    return text(key) + struct.pack("<IIQ", 9, 8, len(items)) + b"".join(map(text, items))


def write_gguf(path: Path, tokens: int, merges: int) -> None:
    """Write the header of a 7B model in F16 with a vocabulary, and a hole where its weights would be."""
    words = [b"%x" % (number * 2_654_435_761 % 2**40) for number in range(max(tokens, merges))]
    keys = [
        text(b"general.architecture") + struct.pack("<I", 8) + text(b"qwen2"),
        strings(b"tokenizer.ggml.tokens", words[:tokens]),
        text(b"tokenizer.ggml.token_type") + struct.pack("<IIQ", 9, 5, tokens) + bytes(4 * tokens),
        strings(b"tokenizer.ggml.merges", [word[:3] + b" " + word[3:] for word in words[:merges]]),
    ]
    table, position = [], 0
    for name, shape in shapes().items():
        dims = struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
        table.append(text(name.encode()) + dims + struct.pack("<IQ", 1, position))
        position += size_of(shape)
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(table), len(keys)) + b"".join(keys) + b"".join(table)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + -len(head) % 32 + position)


def best(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the least wall time in milliseconds, after a first run that fills the caches."""
    work()
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken) * 1e3


def ours(path: Path) -> None:
    """Open a file and look at every tensor's description."""
    model = open_checkpoint(path)
    for name in model.names():
        model.info(name)


def theirs(path: Path) -> None:
    """Do the same through safetensors."""
    with safetensors.safe_open(path, "np") as file:
        for name in file.keys():  # noqa: SIM118 - the file is no mapping
            described = file.get_slice(name)
            described.get_shape()
            described.get_dtype()


def program(arguments: list[str], bytecode: str) -> Callable[[], object]:
    """Return a function that runs the interpreter once."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    paths = os.pathsep.join([str(ROOT), str(ROOT / "runtime")])
    environment = {**kept, "PYTHONPATH": paths, "PYTHONPYCACHEPREFIX": bytecode}
    command = [sys.executable, *arguments]
    return lambda: subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)


def line(what: str, milliseconds: float, beside: str = "") -> None:
    """Print one row."""
    print(f"{what:<52} {milliseconds:9.2f} ms   {beside}")


def judged(value: float, target: float) -> str:
    """Return whether the target is met."""
    return f"target {target:g}: {'met' if value <= target else 'missed'}"


def main() -> None:
    """Write the files, time every way of opening them, and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        large, small, header = (Path(folder) / name for name in ("large.gguf", "small.gguf", "x.safetensors"))
        write_gguf(large, TOKENS, MERGES)
        write_gguf(small, 1, 1)
        write_safetensors(header)
        started = time.perf_counter()
        gguf.GGUFReader(large)
        reader = (time.perf_counter() - started) * 1e3
        mine = best(lambda: ours(large))
        line("GGUF of 152,064 tokens, gguf.GGUFReader", reader)
        line("  ours", mine, f"{reader / mine:.0f} times as fast; {judged(mine, GGUF_MILLISECONDS)}")
        peer, mine = best(lambda: theirs(header)), best(lambda: ours(header))
        line("safetensors of 339 tensors, safe_open and describe", peer)
        line("  ours", mine, f"{mine / peer:.1f} times; {judged(mine / peer, SAFE_OPEN)}")
        peer = best(lambda: safetensors.safe_open(header, "np"))
        mine = best(lambda: open_checkpoint(header))
        line("the same, safe_open alone", peer)
        line("  ours", mine, f"{mine / peer:.1f} times; {judged(mine / peer, SAFE_OPEN)}")
        run = ["-m", "pv_runtime.cli", "inspect"]
        empty = best(program(["-c", "pass"], folder), rounds=15)
        start = best(program([*run, str(small)], folder), rounds=15)
        whole = best(program([*run, str(large)], folder), rounds=15)
        line("python -c pass", empty)
        line("apr inspect, a GGUF of one token", start, f"{start / empty:.1f} times python -c pass")
        line("apr inspect, of 152,064 tokens", whole)
        line("  over start-up", whole - start, judged(whole - start, GGUF_MILLISECONDS))


if __name__ == "__main__":
    main()
