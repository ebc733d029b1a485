"""Type numbers of ggml and GGUF."""

from __future__ import annotations

__all__ = ["FILE_TYPES", "GGML_NUMBERS", "GGML_TYPES", "REFUSED_TYPES", "SCALARS"]

GGML_TYPES: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292), 16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2),
    26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18),
}  # fmt: skip
"""ggml's tensor types: number to (name, elements of a block, bytes of a block)."""

REFUSED_TYPES: dict[int, str] = {
    4: "Q4_2, which ggml has removed",
    5: "Q4_3, which ggml has removed",
    9: "Q8_1, a format of activations on whose size ggml (36 bytes) and gguf-py (40) disagree",
    31: "Q4_0_4_4, which ggml has removed",
    32: "Q4_0_4_8, which ggml has removed",
    33: "Q4_0_8_8, which ggml has removed",
    36: "IQ4_NL_4_4, which ggml has removed",
    37: "IQ4_NL_4_8, which ggml has removed",
    38: "IQ4_NL_8_8, which ggml has removed",
}
"""Numbers that meant something once, or mean two things."""

GGML_NUMBERS: dict[str, int] = {name: number for number, (name, _, _) in GGML_TYPES.items()}

FILE_TYPES: dict[str, int] = {
    "F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10, "Q3_K": 11,
    "Q4_K": 14, "Q5_K": 16, "Q6_K": 18, "BF16": 32,
}  # fmt: skip
"""``general.file_type`` of llama.cpp: the type that most weights have."""

SCALARS: dict[int, tuple[str, str]] = {
    0: ("UINT8", "B"), 1: ("INT8", "b"), 2: ("UINT16", "H"), 3: ("INT16", "h"), 4: ("UINT32", "I"),
    5: ("INT32", "i"), 6: ("FLOAT32", "f"), 7: ("BOOL", "B"), 10: ("UINT64", "Q"), 11: ("INT64", "q"),
    12: ("FLOAT64", "d"),
}  # fmt: skip
"""GGUF's value types of fixed size: number to (name, `struct` code); 8 is a string, 9 an array."""
