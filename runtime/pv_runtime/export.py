"""Write a model in another format: the same tensors, bit for bit, and what is said of them.

Block formats are passed through and never quantised anew. What changes is the container: names, the
order in which dimensions are listed, how metadata are spelt, and for `llama` the order of the rows of
query and key projections, which GGUF interleaves.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import struct
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pv_runtime import config as configs
from pv_runtime import tokenizer_files, vocabulary
from pv_runtime.canonical import canonical
from pv_runtime.carried import (
    FOLDER_FILES,
    HUGGING_FACE,
    Carried,
    apr_metadata,
    carried_of,
    gguf_metadata,
    safetensors_metadata,
    with_folder,
)
from pv_runtime.errors import LoadError, QuantisationError
from pv_runtime.formats import Checkpoint, LazyTensor
from pv_runtime.formats.apr import AprCheckpoint, footer_matches
from pv_runtime.formats.apr_writer import WRITTEN, write_apr
from pv_runtime.formats.checkpoint import PLAIN
from pv_runtime.formats.ggml_types import GGML_NUMBERS
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.formats.whole_folder import replace_folder
from pv_runtime.formats.writing import naming, writing
from pv_runtime.names import gguf_name
from pv_runtime.origin import GGUF_PREFIX, PREFIX, Origin, origin_keys, origin_of
from pv_runtime.rope_rows import interleave, with_rows

__all__ = ["FORMATS", "Alteration", "Exported", "export"]

Tensors = list[tuple[Any, Callable[[], Any]]]
Alteration = Callable[[Checkpoint, Carried], tuple[Checkpoint, Carried]]


@dataclasses.dataclass(frozen=True)
class Exported:
    """What was written.

    Parameters
    ----------
    files
        The files, the one with the tensors first.
    tensors, dtypes
        How many there are, and how many of each type.
    widened
        Tensors that the format cannot hold as they were, and now holds exactly as F32.
    source_sha256
        Digest of what it was made from.
    tokenizer
        Whether a tokenizer was carried over.
    notes
        What the reader of the source had to say of it.
    """

    files: tuple[str, ...]
    tensors: int
    dtypes: Mapping[str, int]
    widened: tuple[str, ...]
    source_sha256: str
    tokenizer: bool
    notes: tuple[str, ...]


def export(
    model: Checkpoint,
    output: str,
    to: str,
    *,
    folder: Path | None = None,
    with_tokenizer: bool = True,
    alter: Alteration | None = None,
    options: Mapping[str, object] | None = None,
) -> Exported:
    """Write `model` to `output` in the format `to`.

    Parameters
    ----------
    model
        Of any format that is read here, `qwen2` or `llama`.
    output
        A file; for safetensors a folder, unless the name ends in ``.safetensors``. It is written whole
        or not at all, and what was there before is replaced.
    to
        One of `FORMATS`.
    folder
        Where the source's tokenizer.json lies, if it has one.
    with_tokenizer
        Whether the tokenizer is carried over.
    alter
        Changes the tensors, as Hugging Face names and lays them out, and what is said of them, on the way;
        `options` are then what the written file records of it.

    Raises
    ------
    LoadError
        A tensor is missing, damaged, of another shape than the config says, of a type that the format does
        not have, or of a name that it does not know; or the model or its tokenizer has no exact counterpart.
    """
    notes = _sound(model)
    config = configs.config_of(model)
    view = canonical(model, config)
    layers = config["num_hidden_layers"]
    if layers > len(view.names()):  # before listing what so many would need
        raise LoadError(f"says it has {layers} layers, and has {len(view.names())} tensors", model.path)
    expected = configs.expected_tensors(config)
    if missing := sorted(expected.keys() - set(view.names())):
        raise LoadError(
            f"lacks {len(missing)} of the tensors that its {layers} layers need, first {missing[0]}",
            model.path,
        )
    for name, shape in expected.items():
        if view.info(name).shape != shape:
            raise LoadError(
                f"tensor {name} has the shape {list(view.info(name).shape)}; its config asks for "
                f"{list(shape)}",
                model.path,
            )
    configs.require_one_head(view, config)
    alone = to == "safetensors" and output.endswith(".safetensors")  # a tokenizer is a file beside it
    words = _words(model, config, folder) if with_tokenizer and not alone else None
    carried = with_folder(carried_of(model, config, words), folder)
    if alter is not None:
        view, carried = alter(view, carried)
    stated = options or {"command": "export", "format": to}
    origin = origin_of(model, {**stated, "tokenizer": words is not None})
    try:
        tensors, widened, files = FORMATS[to](view, output, carried, origin)
    except QuantisationError:
        raise
    except (ValueError, OverflowError, struct.error) as error:  # a value of somebody's that has no type there
        raise LoadError(f"cannot be written as {to}: {error}", model.path) from error
    return Exported(
        tuple(files),
        len(tensors),
        dict(sorted(Counter(tensor.info.dtype for tensor in tensors).items())),
        tuple(widened),
        origin.sha256,
        words is not None,
        notes,
    )


def _sound(model: Checkpoint) -> tuple[str, ...]:
    """Refuse a file whose own checksum says that it was damaged; return what its reader noted."""
    if not isinstance(model, AprCheckpoint):
        return ()
    if footer_matches(model) is False:
        raise LoadError("does not have the checksum that its last bytes state", model.path, "fetch it again")
    return model.notes


def _words(model: Checkpoint, config: Mapping[str, Any], folder: Path | None) -> vocabulary.Vocabulary | None:
    if model.format == "gguf":
        return vocabulary.gguf_vocabulary(model.metadata, model.path)
    if model.format == "apr":
        return vocabulary.apr_vocabulary(model.metadata, model.path)
    return tokenizer_files.folder_vocabulary(folder, config["vocab_size"]) if folder else None


def _require(model: Checkpoint, tensors: Sequence[LazyTensor], types: Mapping[str, int], form: str) -> None:
    misfits = [tensor for tensor in tensors if tensor.info.dtype not in types]
    if misfits:
        kinds = ", ".join(sorted({tensor.info.dtype for tensor in misfits}))
        raise LoadError(
            f"{len(misfits)} tensors are {kinds}, which {form} cannot hold, first {misfits[0].info.name}",
            model.path,
            "`apr convert --quantize f16` dequantises them, other types of it quantise; export never changes "
            "values",
        )


def _lazy(model: Checkpoint, names: Sequence[str]) -> list[LazyTensor]:
    return [LazyTensor(model.info(name), functools.partial(model.raw, name)) for name in names]


def _pairs(tensors: Sequence[LazyTensor]) -> Tensors:
    return [(tensor.info, tensor.raw) for tensor in tensors]


Written = tuple[Sequence[LazyTensor], Sequence[str], Sequence[str]]


def _to_apr(model: Checkpoint, output: str, carried: Carried, origin: Origin) -> Written:
    tensors = _lazy(model, model.names())
    _require(model, tensors, WRITTEN, "APR")
    metadata = apr_metadata(carried, sum(tensor.info.elements for tensor in tensors))
    write_apr(output, _pairs(tensors), {**metadata, **origin_keys(origin, PREFIX)})
    return tensors, (), (output,)


def _to_gguf(model: Checkpoint, output: str, carried: Carried, origin: Origin) -> Written:
    unknown = [
        name for name in model.names() if gguf_name(name) == name and name.startswith(("model.", "lm_head"))
    ]
    if unknown:
        raise LoadError(
            f"{len(unknown)} tensors have no name in GGUF, first {unknown[0]}; no reader would find them",
            model.path,
        )
    config = carried.config
    if config["model_type"] == "llama":
        model = with_rows(model, interleave, config["num_attention_heads"], config["num_key_value_heads"])
    # llama.cpp computes with vectors as F32 and refuses others.
    widened = [
        name for name in model.names()
        if len(model.info(name).shape) == 1 and model.info(name).dtype in {"F16", "BF16"}
    ]  # fmt: skip
    wide = set(widened)
    tensors = [
        from_values(name, model.info(name).shape, functools.partial(model.tensor, name), "F32")
        if name in wide
        else LazyTensor(model.info(name), functools.partial(model.raw, name))
        for name in model.names()
    ]
    _require(model, tensors, GGML_NUMBERS, "GGUF")
    metadata = gguf_metadata(carried, [tensor.info for tensor in tensors])
    write_gguf(output, _pairs(tensors), {**metadata, **origin_keys(origin, GGUF_PREFIX)})
    return tensors, widened, (output,)


def _to_safetensors(model: Checkpoint, output: str, carried: Carried, origin: Origin) -> Written:
    if unknown := [name for name in model.names() if not name.startswith(("model.", "lm_head."))]:
        raise LoadError(
            f"{len(unknown)} tensors have no name in Hugging Face's models, first {unknown[0]}", model.path
        )
    tensors = _lazy(model, model.names())
    _require(model, tensors, PLAIN, "safetensors")
    if output.endswith(".safetensors"):
        config = json.dumps(carried.config, sort_keys=True, ensure_ascii=False)
        metadata = {**safetensors_metadata(carried), **origin_keys(origin, PREFIX), configs.CONFIG: config}
        write_safetensors(output, _pairs(tensors), metadata)
        return tensors, (), (output,)
    elsewhere = dict(carried.elsewhere)
    files = {**elsewhere.pop(HUGGING_FACE, {}), "config.json": carried.config}
    texts = {
        name: json.dumps(files[name], indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for name in ("config.json", *FOLDER_FILES)
        if name in files
    }
    carried = dataclasses.replace(carried, elsewhere=elsewhere)
    metadata = {**safetensors_metadata(carried), **origin_keys(origin, PREFIX)}
    if carried.vocabulary is not None:
        texts |= tokenizer_files.files_of(carried.vocabulary, model.path)
    target = Path(output).absolute()
    _require_ours(target)
    with (
        naming(output),
        tempfile.TemporaryDirectory(prefix=f".{target.name[:32]}.", dir=target.parent) as temporary,
    ):
        fresh = Path(temporary) / "new"
        fresh.mkdir()
        write_safetensors(str(fresh / "model.safetensors"), _pairs(tensors), metadata)
        for name, text in texts.items():
            with writing(fresh / name) as file:
                file.write(text.encode())
        replace_folder(fresh, target)
    return tensors, (), [f"{output}/{name}" for name in ("model.safetensors", *texts)]


def _require_ours(target: Path) -> None:
    """Refuse to replace a folder that holds more than an export writes."""
    if target.is_dir():
        foreign = {path.name for path in target.iterdir()} - {
            "model.safetensors",
            "config.json",
            *FOLDER_FILES,
            *tokenizer_files.FILES,
        }
        if foreign:
            raise LoadError(
                f"holds {', '.join(sorted(foreign)[:3])}, and would be replaced", target, "name a new folder"
            )
    elif target.exists():
        raise LoadError("is a file, and safetensors is written as a folder", target, "name a new folder")


FORMATS: dict[str, Callable[[Checkpoint, str, Carried, Origin], Written]] = {
    "apr": _to_apr,
    "gguf": _to_gguf,
    "safetensors": _to_safetensors,
}
"""Names of formats, and what writes them."""
