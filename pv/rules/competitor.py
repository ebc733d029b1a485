from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule

COMPETITORS = (
    *("apr-qa-playbook", "autogluon", "burn", "ecosystem", "hf-kernels-community", "huggingface", "jena"),
    *("linfa", "llama_cpp", "none", "ollama", "openclaw", "openclip", "pulp-free-chat", "pytorch", "qwen"),
    *("unsloth", "vllm"),
)
"""The closed list of the Rust tool, as its contracts used it in October 2026."""


@rule(
    "CRUX-002",
    "error",
    summary="competitor names none of the products that stories are taken from",
    remedy=f"Write one of {', '.join(COMPETITORS)}.",
)
def competitor(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find stories from nowhere; a row of stories must name its source, a contract need not."""
    document = contract.document
    name = contract.metadata.get("competitor")
    if name is not None and name.strip() not in COMPETITORS:
        yield document.where("metadata", "competitor"), f"competitor {name!r} is none that is known"
    for index, story in enumerate(document.value.get("stories") or ()):
        name = story.get("competitor")
        where = document.where("stories", index, "competitor")
        if name is None:
            yield where, f"story {story.get('id') or index} has no competitor"
        elif name.strip() not in COMPETITORS:
            yield where, f"competitor {name!r} of story {story.get('id') or index} is none that is known"
