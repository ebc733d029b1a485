"""What is claimed of every kernel's speed, by the kernel's name."""

from __future__ import annotations

from pv_kernels.speed import Speed
from pv_kernels.speeds.attention import ATTENTION_SPEED
from pv_kernels.speeds.backward import (
    RMS_NORM_BACKWARD_SPEED,
    ROPE_BACKWARD_SPEED,
    SWIGLU_BACKWARD_SPEED,
)
from pv_kernels.speeds.cross_entropy import CROSS_ENTROPY_SPEED, CROSS_ENTROPY_WITH_GRADIENT_SPEED
from pv_kernels.speeds.decode_attention import DECODE_ATTENTION_SPEED
from pv_kernels.speeds.matmul import MATMUL_SPEED
from pv_kernels.speeds.quantised_gemv import Q4K_GEMV_SPEED, Q6K_GEMV_SPEED, Q8_0_GEMV_SPEED
from pv_kernels.speeds.rmsnorm import ADD_RMS_NORM_SPEED, RMS_NORM_SPEED
from pv_kernels.speeds.rope import ROPE_SPEED
from pv_kernels.speeds.softmax import SOFTMAX_SPEED
from pv_kernels.speeds.swiglu import SWIGLU_SPEED

__all__ = ["SPEEDS"]

_ROWS = (RMS_NORM_SPEED, ADD_RMS_NORM_SPEED, SOFTMAX_SPEED, SWIGLU_SPEED, ROPE_SPEED)
_PRODUCTS = (MATMUL_SPEED, Q4K_GEMV_SPEED, Q6K_GEMV_SPEED, Q8_0_GEMV_SPEED)
_ATTENTION = (DECODE_ATTENTION_SPEED, ATTENTION_SPEED)

_ENTROPY = (CROSS_ENTROPY_SPEED, CROSS_ENTROPY_WITH_GRADIENT_SPEED)
_BACKWARD = (RMS_NORM_BACKWARD_SPEED, SWIGLU_BACKWARD_SPEED, ROPE_BACKWARD_SPEED)

SPEEDS: dict[str, Speed] = {
    speed.spec.name: speed for speed in (*_ROWS, *_PRODUCTS, *_ATTENTION, *_ENTROPY, *_BACKWARD)
}
