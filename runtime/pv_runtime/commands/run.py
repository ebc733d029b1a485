"""``apr run MODEL [PROMPT]``: let a model go on from a text, and show it as it comes."""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv_runtime.commands.output import print_interpreted, require
from pv_runtime.errors import ModelError, escaped, printable_json, printable_lines

if TYPE_CHECKING:
    from pv_runtime.formats import Checkpoint
    from pv_runtime.generate import Generation
    from pv_runtime.sampling import Sampling
    from pv_runtime.tokenizer import Tokenizer

__all__ = ["DECODERS", "DEVICES", "DTYPES", "MOST_THREADS", "register", "token_ids"]

DTYPES = ("float32", "bfloat16", "float16")
DECODERS = ("reference", "triton")
"""Back-ends of ours, which keep a cache."""
DEVICES = ("cpu", "cuda")
MOST_THREADS = 1024
"""Beyond it, threads are a slip of the finger, and libraries end the process over them."""

_MOST_DIGITS = 30


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "run",
        help="let a model go on from a prompt",
        description="Generate text. It goes to standard output as it comes; what it took, to standard error. "
        "The prompt is PROMPT, a file, or standard input.",
    )
    parser.add_argument("model", metavar="MODEL", help="a file, or a folder that holds exactly one model")
    prompt = parser.add_argument_group("the prompt")
    prompt.add_argument("prompt", metavar="PROMPT", nargs="?", help="the text; without it, standard input")
    prompt.add_argument("--prompt-file", metavar="FILE", help="read the prompt from FILE, as it stands")
    prompt.add_argument(
        "--token-ids", metavar="IDS", help="the prompt as token ids, with commas or blanks between"
    )
    prompt.add_argument(
        "--chat", action="store_true", help="ask it as a question, by the model's chat template"
    )
    prompt.add_argument("--system", metavar="TEXT", help="the system message of --chat")
    prompt.add_argument("--tokenizer", metavar="DIR", help="take tokenizer.json from DIR, not from the model")
    choice = parser.add_argument_group("which token comes next")
    choice.add_argument("--max-tokens", type=int, default=128, metavar="N", help="most new tokens (128)")
    choice.add_argument(
        "--temperature",
        type=float,
        default=0.0,
        metavar="T",
        help="0, the default, takes the most likely token",
    )
    choice.add_argument("--top-k", type=int, default=0, metavar="K", help="of the K most likely; 0 is all")
    choice.add_argument("--top-p", type=float, default=1.0, metavar="P", help="of the fewest that sum to P")
    choice.add_argument(
        "--min-p",
        type=float,
        default=0.0,
        metavar="P",
        help="of those at least P times as likely as the first",
    )
    choice.add_argument(
        "--repetition-penalty", type=float, default=1.0, metavar="X", help="above 1, avoid what occurred"
    )
    choice.add_argument("--seed", type=int, default=0, metavar="N", help="for other draws (0)")
    choice.add_argument("--ignore-stop", action="store_true", help="go on beyond tokens that end a text")
    how = parser.add_argument_group("how it is computed")
    how.add_argument(
        "--dtype", choices=DTYPES, default="float32", help="of weights and computation (float32)"
    )
    how.add_argument(
        "--backend", choices=DECODERS, default="reference", help="the reference, or our Triton kernels"
    )
    how.add_argument("--device", choices=DEVICES, default="cpu", help="where it is computed (cpu)")
    how.add_argument("--threads", type=int, metavar="N", help="of the processor; all cores by default")
    how.add_argument(
        "--one-layer-at-a-time", action="store_true",
        help="decode each block's weights when it is computed: slow, for models that do not fit in memory",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="report as JSON when it is done")
    parser.set_defaults(run=run, optional_last="prompt")


@dataclasses.dataclass(frozen=True)
class _Prompt:
    text: str | None
    ids: Sequence[int]


def run(arguments: argparse.Namespace) -> int:
    """Generate; 2 for a command line that asks for nothing or for two things at once."""
    require(arguments.model)
    if problem := _contradiction(arguments):
        print(printable_lines(f"error: {problem}"), file=sys.stderr)
        return 2
    from pv_runtime.sampling import Sampling

    try:
        sampling = Sampling(
            **{each.name: getattr(arguments, each.name) for each in dataclasses.fields(Sampling)}
        )
    except ModelError as error:
        print(printable_lines(f"error: {error}"), file=sys.stderr)
        return 2
    text = _text(arguments)
    if text == "" or (text is None and not arguments.token_ids.strip()):
        print("error: the prompt is empty: there is nothing to go on from", file=sys.stderr)
        return 2
    generation, tokenizer, prompt, loading = _prepare(arguments, text, sampling)
    show = _print_piece if not arguments.json else _nothing
    shown = _follow(generation, tokenizer, show, continues=not arguments.chat)
    report = _report(arguments, generation, prompt, shown if tokenizer else None, loading)
    if arguments.json:
        print(printable_json(json.dumps(report, indent=2, allow_nan=False)))
    else:
        print("\n".join(_statistics(report)), file=sys.stderr)
    return 0


def _contradiction(arguments: argparse.Namespace) -> str | None:
    given = [arguments.prompt, arguments.prompt_file, arguments.token_ids]
    if sum(each is not None for each in given) > 1:
        return "PROMPT, --prompt-file and --token-ids are three ways of giving one prompt"
    if arguments.token_ids is not None and (arguments.chat or arguments.system is not None):
        return "--token-ids are computed as they are, and --chat needs a text"
    if arguments.system is not None and not arguments.chat:
        return "--system is a message of a conversation: say --chat, too"
    cut = {
        "--top-k": arguments.top_k,
        "--top-p": 1 - arguments.top_p,
        "--min-p": arguments.min_p,
        "--seed": arguments.seed,
    }
    if arguments.temperature == 0 and any(cut.values()):
        named = next(name for name, value in cut.items() if value)
        return f"{named} changes nothing where the most likely token is taken: say --temperature, too"
    if arguments.max_tokens < 1:
        return f"--max-tokens cannot be {arguments.max_tokens}"
    if arguments.threads is not None and not 1 <= arguments.threads <= MOST_THREADS:
        return f"--threads cannot be {arguments.threads}"
    if arguments.one_layer_at_a_time and arguments.backend != "reference":
        return f"{arguments.backend} loads a model whole: drop --one-layer-at-a-time"
    return None


def _text(arguments: argparse.Namespace) -> str | None:
    """Return the prompt, None for token ids; what is no UTF-8 is refused where it is encoded."""
    if arguments.token_ids is not None:
        return None
    if arguments.prompt is not None:
        return str(arguments.prompt)
    if arguments.prompt_file is not None:
        return Path(arguments.prompt_file).read_bytes().decode("utf-8", "surrogateescape")
    if sys.stdin.isatty():
        print("the prompt, ended by Ctrl-D:", file=sys.stderr)
    return sys.stdin.buffer.read().decode("utf-8", "surrogateescape")


def _prepare(
    arguments: argparse.Namespace, text: str | None, sampling: Sampling
) -> tuple[Generation, Tokenizer | None, _Prompt, float]:
    """Load the model; what can be refused before is refused before."""
    import torch

    from pv_runtime.architecture import architecture_of
    from pv_runtime.backends import require_device
    from pv_runtime.formats import open_checkpoint
    from pv_runtime.generate import Generation, cache_bytes, check_prompt, first_positions
    from pv_runtime.memory import require_memory
    from pv_runtime.quickest import quickest
    from pv_runtime.stop_tokens import stop_tokens

    require_device(arguments.device)
    folder = Path(arguments.model) if Path(arguments.model).is_dir() else None
    model = open_checkpoint(arguments.model)
    architecture = architecture_of(model)
    tokenizer = _tokenizer(arguments, model, folder, architecture.vocab_size)
    prompt = _encode(arguments, tokenizer, text)
    check_prompt(prompt.ids, architecture.max_positions, architecture.vocab_size)
    stop = frozenset() if arguments.ignore_stop else stop_tokens(model, tokenizer, folder)
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    if _interpreted(arguments):
        print_interpreted()
    started = time.perf_counter()
    decoder = quickest(
        model,
        dtype=getattr(torch, arguments.dtype),
        device=arguments.device,
        backend=arguments.backend,
        streamed=arguments.one_layer_at_a_time,
        # Block by block, each tensor would be looked through for each token.
        finite=not arguments.one_layer_at_a_time,
    )
    positions = first_positions(decoder, len(prompt.ids), arguments.max_tokens)
    if arguments.device == "cpu":
        require_memory(
            cache_bytes(decoder, positions), f"keys and values of {positions} positions", model.path
        )
    loading = time.perf_counter() - started
    generation = Generation(decoder, prompt.ids, limit=arguments.max_tokens, stop=stop, sampling=sampling)
    return generation, tokenizer, prompt, loading


def _interpreted(arguments: argparse.Namespace) -> bool:
    return bool(arguments.backend == "triton" and arguments.device == "cpu")


def _tokenizer(
    arguments: argparse.Namespace, model: Checkpoint, folder: Path | None, rows: int
) -> Tokenizer | None:
    from pv_runtime.errors import LoadError
    from pv_runtime.tokenizer import require_rows, tokenizer_in, tokenizer_of

    if arguments.tokenizer is not None:
        return require_rows(tokenizer_in(Path(arguments.tokenizer)), rows)
    try:
        return tokenizer_of(model, folder, rows=rows)
    except LoadError:
        if arguments.token_ids is None:
            raise
        return None  # then ids come out, as they went in


def _encode(arguments: argparse.Namespace, tokenizer: Tokenizer | None, text: str | None) -> _Prompt:
    if text is None or tokenizer is None:
        return _Prompt(None, token_ids(arguments.token_ids))
    if not arguments.chat:
        return _Prompt(text, tokenizer.encode(text))
    if tokenizer.chat_template is None:
        raise ModelError("the model carries no chat template: it was not made for conversations; drop --chat")
    from pv_runtime.chat_template import conversation, render

    tokenizer.encode(text)  # refuses what is no UTF-8
    rendered = render(
        tokenizer.chat_template, conversation(text, arguments.system), special=tokenizer.special
    )
    return _Prompt(rendered, tokenizer.encode(rendered, begin=False))


def token_ids(text: str) -> list[int]:
    """Read token ids with commas or blanks between them; they may still be out of range.

    Raises
    ------
    ModelError
        A word is no number, or longer than any id: Python refuses to read numbers of thousands of digits.
    """
    words = text.replace(",", " ").split()
    for word in words:
        digits = word.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= _MOST_DIGITS):
            shown = word if len(word) <= _MOST_DIGITS else f"{word[:_MOST_DIGITS]}…"
            raise ModelError(f"{shown!r} is no token id")
    return [int(word) for word in words]


def _follow(generation: Generation, tokenizer: Tokenizer | None, show: Any, *, continues: bool) -> str:
    """Run it to its end; return the text, which `continues` the prompt or answers it."""
    stream = tokenizer.stream(skip_special=True, continues=continues) if tokenizer else None
    pieces: list[str] = []
    try:
        for token in generation:
            pieces.append(stream.feed(token) if stream else f"{token} ")
            show(pieces[-1])
        pieces.append(stream.end() if stream else "")
        show(pieces[-1])
    finally:
        show("\n" if pieces else "")
    return "".join(pieces)


def _nothing(_: str) -> None:
    pass


_BLANKS = re.compile(r"([\t\n])")
"""What a text may have that is no space and prints as it should."""


def _print_piece(piece: str) -> None:
    """Write to standard output at once; on a terminal, nothing that would drive it."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")
    if sys.stdout.isatty():
        piece = "".join(part if part in {"\t", "\n"} else escaped(part) for part in _BLANKS.split(piece))
    sys.stdout.write(piece)
    sys.stdout.flush()


def _report(
    arguments: argparse.Namespace, generation: Generation, prompt: _Prompt, text: str | None, loading: float
) -> dict[str, Any]:
    decoding = sum(generation.decode_seconds)
    count = len(generation.decode_seconds)
    return {
        "schema_version": 1,
        "model": arguments.model,
        "architecture": dataclasses.asdict(generation.decoder.architecture),
        "dtype": arguments.dtype,
        "backend": arguments.backend,
        "device": arguments.device,
        "interpreted": _interpreted(arguments),
        "sampling": dataclasses.asdict(generation.sampling),
        "prompt": prompt.text,
        "prompt_tokens": list(prompt.ids),
        "tokens": generation.tokens,
        "text": text,
        "stop_reason": generation.reason,
        "timings": {
            "load_seconds": loading,
            "prefill_seconds": generation.prefill_seconds,
            "prefill_tokens_per_second": len(prompt.ids) / generation.prefill_seconds,
            "decode_seconds": decoding,
            "decode_tokens": count,
            "decode_tokens_per_second": count / decoding if decoding else None,
        },
    }


def _statistics(report: dict[str, Any]) -> list[str]:
    timings = report["timings"]
    reasons = {
        "stop": "the model ended its text",
        "limit": "--max-tokens is reached",
        "context": "the model was made for no more positions",
    }
    speed = timings["decode_tokens_per_second"]
    decode = f", {speed:,.1f} a second" if speed is not None else ""
    count = len(report["prompt_tokens"])
    prefill = f"{timings['prefill_seconds']:.3f} s, {timings['prefill_tokens_per_second']:,.1f} a second"
    return [
        f"load     {timings['load_seconds']:.2f} s, {report['dtype']}",
        f"prefill  {count} tokens in {prefill}",
        f"decode   {timings['decode_tokens']} tokens in {timings['decode_seconds']:.3f} s{decode}",
        f"ended    {reasons[report['stop_reason']]}",
    ]
