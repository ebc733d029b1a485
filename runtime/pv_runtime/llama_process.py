"""llama.cpp as a peer: run on a model file in a process of its own, since a bad file may end it by a signal.

It is reached through llama-cpp-python, which is never imported here. The Makefile has the options it is
built with (``make oracles``).
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence

__all__ = ["Generation", "generate", "installed", "tokenise"]

_TIMED_OUT = 124
"""The exit code of a program that was ended for its time, as ``timeout`` of coreutils has it."""

_TEXT_OF = """
import ctypes, json, sys
import llama_cpp

def text_of(model, tokens):
    # The package's own `detokenize` cuts tokens of more than 32 bytes.
    ids = (llama_cpp.llama_token * len(tokens))(*tokens)
    vocabulary = llama_cpp.llama_model_get_vocab(model.model)
    piece = ctypes.create_string_buffer(1)
    size = -llama_cpp.llama_detokenize(vocabulary, ids, len(tokens), piece, 0, False, True)
    if size <= 0:
        return b""
    piece = ctypes.create_string_buffer(size)
    written = llama_cpp.llama_detokenize(vocabulary, ids, len(tokens), piece, size, False, True)
    return piece.raw[:written]
"""

_GENERATE = f"""{_TEXT_OF}
import numpy
path, prompt, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
model = llama_cpp.Llama(path, n_ctx=256, n_threads=2, verbose=False)
tokens = model.tokenize(prompt.encode())
generated, odd = [], 0
for _ in range(count):
    model.eval(tokens)
    last = llama_cpp.llama_get_logits_ith(model.ctx, -1)
    logits = numpy.ctypeslib.as_array(last, shape=(model.n_vocab(),))
    odd += int(logits.size - numpy.isfinite(logits).sum())
    tokens = [int(logits.argmax())]
    generated += tokens
text = text_of(model, generated).decode(errors="replace")
print(json.dumps(dict(version=llama_cpp.__version__, tokens=generated, text=text, odd=odd)))
"""

_TOKENISE = f"""{_TEXT_OF}
model = llama_cpp.Llama(sys.argv[1], vocab_only=True, verbose=False)
texts = [bytes.fromhex(text) for text in json.load(sys.stdin)]
ids = [model.tokenize(text, add_bos=False, special=True) for text in texts]
print(json.dumps(dict(ids=ids, texts=[text_of(model, each).hex() for each in ids])))
"""


@dataclasses.dataclass(frozen=True)
class Generation:
    """How llama.cpp ended, and what it generated until then.

    Parameters
    ----------
    exit_code
        0 to 255; 128 and its number where a signal ended it, 124 where it took too long.
    tokens
        Ids, each the likeliest; empty where it did not end with 0.
    text
        The same in words.
    odd_logits
        How many logits were NaN or infinite, of all steps together.
    version
        That of llama-cpp-python; empty where it did not come so far.
    message
        The last of what it complained of.
    """

    exit_code: int
    tokens: tuple[int, ...] = ()
    text: str = ""
    odd_logits: int = 0
    version: str = ""
    message: str = ""


def installed() -> bool:
    """Tell whether llama-cpp-python is installed beside this."""
    return importlib.util.find_spec("llama_cpp") is not None


def generate(path: str, prompt: str, count: int, *, timeout_seconds: float = 600.0) -> Generation:
    """Load the GGUF file `path` in llama.cpp, on the processor, and generate `count` tokens greedily.

    A file that it refuses or that ends it is no error here: the exit code says so.
    """
    try:
        done = _run(_GENERATE, [path, prompt, str(count)], timeout_seconds=timeout_seconds)
    except subprocess.TimeoutExpired:
        return Generation(_TIMED_OUT, message=f"it took longer than {timeout_seconds:g} s")
    if done.returncode:
        code = done.returncode if done.returncode > 0 else 128 - done.returncode
        return Generation(code, message=done.stderr[-2000:])
    said = json.loads(done.stdout.splitlines()[-1])
    return Generation(
        0, tuple(said["tokens"]), said["text"], said["odd"], said["version"], done.stderr[-2000:]
    )


def tokenise(path: str, texts: Sequence[str]) -> list[tuple[list[int], bytes]]:
    """Let llama.cpp encode each text with the tokenizer in `path`, and decode that again.

    Names of special tokens are read as these tokens; none is put before the text.

    Returns
    -------
    list
        For each text its ids, and the bytes that these stand for.

    Raises
    ------
    RuntimeError
        It cannot read the file.
    """
    done = _run(_TOKENISE, [path], json.dumps([text.encode().hex() for text in texts]))
    if done.returncode:
        raise RuntimeError(f"llama.cpp ended with {done.returncode} on {path}: {done.stderr[-2000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    return list(zip(said["ids"], map(bytes.fromhex, said["texts"]), strict=True))


def _run(
    program: str, words: Sequence[str], stdin: str = "", *, timeout_seconds: float = 600.0
) -> subprocess.CompletedProcess[str]:
    # What is found from here must be found there.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        input=stdin,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env=environment,
        timeout=timeout_seconds,
    )
