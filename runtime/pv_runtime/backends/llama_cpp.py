"""llama.cpp as a back-end, on the CPU, through llama-cpp-python.

It computes a GGUF file; a model of another format, or one that was altered, is exported to one first, bit
for bit. Each node of its graph passes through the scheduler's evaluation callback (``cb_eval``), where
it can be read, and written before the rest is computed.

| stage                            | node (``-L`` is the block) and its operation                          |
|----------------------------------|-----------------------------------------------------------------------|
| embedding                        | ``embd`` or ``inp_embd``                                              |
| attn_norm, ffn_norm              | ``attn_norm-L``, ``ffn_norm-L`` (MUL)                                 |
| qkv_matmul                       | ``Qcur-L``, ``Kcur-L``, ``Vcur-L`` (MUL_MAT): shown, not taken        |
| qkv_bias                         | the same (ADD; MUL_MAT where there is no bias): shown, not taken      |
| q_post_rope, k_post_rope         | ``Qcur-L``, ``Kcur-L`` (ROPE)                                         |
| attention, attn_out              | ``kqv_out-L``, and the first MUL_MAT after it                         |
| post_attn_residual, layer_output | ``ffn_inp-L``, ``l_out-L`` (ADD)                                      |
| ffn_gate, ffn_up                 | ``ffn_gate-L``, ``ffn_up-L`` (MUL_MAT)                                |
| ffn_silu                         | not shown: one operation with the product                             |
| ffn_swiglu, ffn_out              | ``ffn_swiglu-L``, ``ffn_out-L``                                       |
| final_norm, lm_head              | ``result_norm``, ``result_output``                                    |

The three projections come one after another with the rotation of the queries in between, so that what a
tap returns for all three would come too late. Rows of a llama's queries and keys are interleaved in
GGUF; they are shown, and taken, in Hugging Face's order. Keys and values are kept as float32 and
flash attention is off, so that its nodes exist. Products with F16 weights round the activations to
F16, products with block formats round them to 8 bits (Q8_0, Q8_K): that is what llama.cpp computes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from pv_runtime.architecture import Architecture, architecture_of
from pv_runtime.backends.llama_cpp_library import (
    Node,
    complaints,
    library,
    node_of,
    read_node,
    write_node,
)
from pv_runtime.carried import Carried
from pv_runtime.errors import LoadError, ModelError
from pv_runtime.export import export
from pv_runtime.formats import Checkpoint
from pv_runtime.formats.table import TableCheckpoint
from pv_runtime.model import check_tokens
from pv_runtime.stages import STAGES, Tap, untapped

__all__ = ["LlamaCppBackend"]

_NODES = {
    ("attn_norm", "MUL"): "attn_norm",
    ("Qcur", "ROPE"): "q_post_rope",
    ("Kcur", "ROPE"): "k_post_rope",
    ("kqv_out", "CONT"): "attention",
    ("ffn_inp", "ADD"): "post_attn_residual",
    ("ffn_norm", "MUL"): "ffn_norm",
    ("ffn_gate", "MUL_MAT"): "ffn_gate",
    ("ffn_up", "MUL_MAT"): "ffn_up",
    ("ffn_swiglu", "SWIGLU"): "ffn_swiglu",
    ("ffn_out", "MUL_MAT"): "ffn_out",
    ("l_out", "ADD"): "layer_output",
    ("embd", "GET_ROWS"): "embedding",
    ("inp_embd", "GET_ROWS"): "embedding",
    ("result_norm", "MUL"): "final_norm",
    ("result_output", "MUL_MAT"): "lm_head",
}
_PROJECTIONS = {"Qcur": 0, "Kcur": 1, "Vcur": 2}
_IN_LAYER = re.compile(r"([A-Za-z_]+)-(\d+)")


class LlamaCppBackend:
    """`llama.cpp` behind `Backend`.

    Parameters
    ----------
    path
        A GGUF file.
    architecture
        What it holds.
    """

    name = "llama.cpp"
    shows = frozenset(STAGES) - {"ffn_silu"}
    takes = shows - {"qkv_matmul", "qkv_bias"}

    def __init__(self, path: str, architecture: Architecture) -> None:
        self.architecture = architecture
        self._bindings, _ = library()
        parameters = self._bindings.llama_model_default_params()
        parameters.n_gpu_layers = 0
        self._model = self._bindings.llama_model_load_from_file(path.encode(), parameters)
        if not self._model:
            raise LoadError(f"llama.cpp does not load it: {complaints()}", path)

    def __del__(self) -> None:
        if getattr(self, "_model", None):
            self._bindings.llama_model_free(self._model)

    @property
    def version(self) -> str:
        """llama-cpp-python's."""
        import llama_cpp  # type: ignore[import-not-found, unused-ignore]

        return str(llama_cpp.__version__)

    @classmethod
    def open(cls, model: Checkpoint, *, dtype: torch.dtype = torch.float32) -> LlamaCppBackend:
        """Load a GGUF file, or export what `model` is to one that lives as long as this call.

        A GGUF file without a tokenizer, which llama.cpp refuses, is exported too: here it is not asked for.

        Raises
        ------
        ModelError
            `dtype` is another than float32: llama.cpp computes in the types of the file.
        LoadError
            The model has no exact counterpart in GGUF, or llama.cpp does not load it.
        """
        if dtype != torch.float32:
            raise ModelError(f"llama.cpp computes in the types of the file, and not in {dtype}")
        library()
        architecture = architecture_of(model)
        as_it_is = isinstance(model, TableCheckpoint) and "tokenizer.ggml.model" in model.metadata
        if model.format == "gguf" and as_it_is:
            return cls(model.path, architecture)
        with tempfile.TemporaryDirectory(prefix="pv-llama-cpp-") as folder:
            path = str(Path(folder) / "model.gguf")
            export(model, path, "gguf", with_tokenizer=False, alter=_without_words)
            return cls(path, architecture)

    def forward(self, tokens: Tensor, *, attended: Tensor | None = None, tap: Tap = untapped) -> Tensor:
        """Compute logits, one sequence after another and without its padding: see `Backend.forward`.

        Raises
        ------
        ModelError
            As `Backend.forward`; a tap where there are several sequences, or padding.
        """
        check_tokens(self.architecture, tokens)
        if tap is not untapped and (
            tokens.shape[0] > 1 or (attended is not None and not bool(attended.all()))
        ):
            raise ModelError("llama.cpp is traced with one sequence at a time, and without padding")
        logits = torch.zeros((*tokens.shape, self.architecture.vocab_size))
        for row, ids in enumerate(tokens):
            there = torch.ones_like(ids, dtype=torch.bool) if attended is None else attended[row]
            logits[row, there] = self._sequence(ids[there].tolist(), tap)
        return logits

    def _sequence(self, ids: list[int], tap: Tap) -> Tensor:
        """Return the logits of all positions: ``[tokens, vocab]``."""
        watcher = _Watcher(self.architecture, tap)
        with self._context(len(ids), watcher) as context, self._batch(ids) as batch:
            status = self._bindings.llama_decode(context, batch)
            if watcher.error is not None:
                raise watcher.error
            if status:
                raise ModelError(f"llama.cpp does not decode these tokens (status {status}): {complaints()}")
            pointer = self._bindings.llama_get_logits(context)
            count = len(ids) * self.architecture.vocab_size
            return torch.tensor(pointer[:count]).view(len(ids), -1)

    @contextlib.contextmanager
    def _context(self, count: int, watcher: _Watcher) -> Iterator[object]:
        parameters = self._bindings.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = max(count, 32)
        parameters.n_threads = parameters.n_threads_batch = torch.get_num_threads()
        parameters.flash_attn_type = 0
        parameters.type_k = parameters.type_v = 0
        callback = self._bindings.ggml_backend_sched_eval_callback(watcher)
        if watcher.tap is not untapped:
            parameters.cb_eval = callback
        context = self._bindings.llama_init_from_model(self._model, parameters)
        if not context:
            raise ModelError(f"llama.cpp makes no context of {count} tokens: {complaints()}")
        try:
            yield context
        finally:
            self._bindings.llama_free(context)

    @contextlib.contextmanager
    def _batch(self, ids: list[int]) -> Iterator[object]:
        batch = self._bindings.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for position, token in enumerate(ids):
            batch.token[position] = token
            batch.pos[position] = position
            batch.n_seq_id[position] = 1
            batch.seq_id[position][0] = 0
            batch.logits[position] = 1
        try:
            yield batch
        finally:
            self._bindings.llama_batch_free(batch)


def _without_words(model: Checkpoint, carried: Carried) -> tuple[Checkpoint, Carried]:
    """Say that there is no tokenizer, without which llama.cpp asks for one."""
    size = {f"{carried.config['model_type']}.vocab_size": carried.config["vocab_size"]}
    aside = {**carried.elsewhere.get("gguf", {}), "tokenizer.ggml.model": "no_vocab", **size}
    return model, dataclasses.replace(carried, elsewhere={**carried.elsewhere, "gguf": aside})


class _Watcher:
    """The evaluation callback of one forward pass."""

    def __init__(self, architecture: Architecture, tap: Tap) -> None:
        self.architecture = architecture
        self.tap = tap
        self.error: BaseException | None = None
        self._layer_of_projection: int | None = None
        self._projected: dict[str, dict[int, Tensor]] = {"qkv_matmul": {}, "qkv_bias": {}}

    def __call__(self, address: int, ask: bool, _data: int | None) -> bool:
        """Say that every node is wanted, and show each; an error ends the computation."""
        if ask:
            return True
        try:
            self._see(node_of(address))
        except BaseException as error:  # it would be lost in the library's frames
            self.error = error
            return False
        return True

    def _see(self, node: Node) -> None:
        match = _IN_LAYER.fullmatch(node.name)
        name, layer = (match[1], int(match[2])) if match else (node.name, None)
        if name in _PROJECTIONS and layer is not None and node.operation in {"MUL_MAT", "ADD"}:
            self._project(node, name, layer)
        elif self._layer_of_projection is not None and node.operation == "MUL_MAT":
            self._show(node, "attn_out", self._layer_of_projection)
            self._layer_of_projection = None
        elif stage := _NODES.get((name, node.operation)):
            self._show(node, stage, layer)
            if stage == "attention":
                self._layer_of_projection = layer

    def _project(self, node: Node, name: str, layer: int) -> None:
        values = self._values(node, interleaved=name != "Vcur")
        stages = ["qkv_matmul"] if node.operation == "MUL_MAT" else ["qkv_bias"]
        if not self.architecture.qkv_bias:
            stages = ["qkv_matmul", "qkv_bias"]
        for stage in stages:
            parts = self._projected[stage]
            parts[_PROJECTIONS[name]] = values
            if len(parts) == len(_PROJECTIONS):
                self.tap(stage, layer, torch.cat([parts[part] for part in range(3)], dim=-1))
                parts.clear()

    def _show(self, node: Node, stage: str, layer: int | None) -> None:
        interleaved = stage in {"q_post_rope", "k_post_rope"}
        values = self._values(node, interleaved=interleaved)
        taken = self.tap(stage, layer, values)
        if taken is not values:
            if interleaved and self.architecture.family == "llama":
                taken = taken.view(-1, 2, self.architecture.head_dim // 2).transpose(1, 2)
            write_node(node, taken)

    def _values(self, node: Node, *, interleaved: bool) -> Tensor:
        """Return a node's values as ``[1, tokens, features]``, heads in Hugging Face's order of rows."""
        values = read_node(node)
        if interleaved and self.architecture.family == "llama":
            values = values.view(-1, self.architecture.head_dim // 2, 2).transpose(1, 2).contiguous()
        first, second, third, _ = node.shape
        heads_apart = node.operation == "ROPE"
        tokens = third if heads_apart else second
        return values.view(1, tokens, first * second if heads_apart else first)
