"""Every kernel by name. A contract names one with ``with: {kernel: NAME}``."""

from __future__ import annotations

from pv_kernels.spec import KernelSpec
from pv_kernels.specs.attention import ATTENTION
from pv_kernels.specs.cross_entropy import CROSS_ENTROPY, CROSS_ENTROPY_WITH_GRADIENT
from pv_kernels.specs.decode_attention import DECODE_ATTENTION
from pv_kernels.specs.matmul import MATMUL
from pv_kernels.specs.q4k_gemv import Q4K_GEMV
from pv_kernels.specs.q6k_gemv import Q6K_GEMV
from pv_kernels.specs.q8_0_gemv import Q8_0_GEMV
from pv_kernels.specs.rmsnorm import ADD_RMS_NORM, RMS_NORM
from pv_kernels.specs.rmsnorm_backward import RMS_NORM_BACKWARD
from pv_kernels.specs.rope import ROPE
from pv_kernels.specs.rope_backward import ROPE_BACKWARD
from pv_kernels.specs.softmax import SOFTMAX
from pv_kernels.specs.swiglu import SWIGLU
from pv_kernels.specs.swiglu_backward import SWIGLU_BACKWARD

__all__ = ["KERNELS"]

_NORMS = (RMS_NORM, ADD_RMS_NORM, SOFTMAX)
_PRODUCTS = (MATMUL, Q4K_GEMV, Q6K_GEMV, Q8_0_GEMV)
_ATTENTION = (ROPE, DECODE_ATTENTION, ATTENTION)
_ENTROPY = (CROSS_ENTROPY, CROSS_ENTROPY_WITH_GRADIENT)
_BACKWARD = (RMS_NORM_BACKWARD, SWIGLU_BACKWARD, ROPE_BACKWARD)

KERNELS: dict[str, KernelSpec] = {
    spec.name: spec for spec in (*_NORMS, *_PRODUCTS, *_ATTENTION, SWIGLU, *_ENTROPY, *_BACKWARD)
}
