"""Block formats of ggml, both ways, by name."""

from __future__ import annotations

from pv_runtime.errors import QuantisationError
from pv_runtime.quant.q4_k import Q4_K
from pv_runtime.quant.q5_k import Q5_K
from pv_runtime.quant.q6_k import Q6_K
from pv_runtime.quant.q8_0 import Q8_0
from pv_runtime.quant.scheme import Scheme

__all__ = ["SCHEMES", "Scheme", "scheme_named"]

SCHEMES: dict[str, Scheme] = {scheme.name: scheme for scheme in (Q8_0, Q4_K, Q5_K, Q6_K)}


def scheme_named(name: str) -> Scheme:
    """Look a scheme up by its name, in either case (``"q4_k"``).

    Raises
    ------
    QuantisationError
        There is no such scheme.
    """
    try:
        return SCHEMES[name.upper()]
    except KeyError:
        raise QuantisationError(f"no block format {name!r}; there are {', '.join(SCHEMES)}") from None
