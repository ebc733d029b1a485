from __future__ import annotations

import ast

import pytest
from pv_kernels.registry import KERNELS

from tests.kernels.mutants.catalogue import OPERATORS, Mutant, catalogue, chosen, mutants_of, reached

KERNEL = '''
@jit
def kernel(x_ptr, out_ptr, x_stride, out_stride, columns, block):
    """Subtract 1 < 2."""
    row = tl.program_id(0).to(tl.int64)
    offsets = tl.arange(0, block)
    top = tl.full([block], float("-inf"), dtype=tl.float32)
    for start in range(0, columns, block):
        mask = start + offsets < columns
        x = tl.load(x_ptr + row * x_stride + offsets, mask=mask, other=0.0).to(tl.float32)
        kept = x.to(out_ptr.dtype.element_ty)
        top = tl.maximum(top, kept)
    tl.store(
        out_ptr + row * out_stride,  # a comment
        tl.sum(top[:, None] - 3, axis=0).to(out_ptr.dtype.element_ty),
    )
'''
LAUNCH = """
def launch(x, out):
    rows, columns = x.shape
    kernel[(rows, -(-columns // 16))](x, out, x.stride(0), out.stride(0), columns)
"""
WANTED = {
    "mask dropped": "x = tl.load(x_ptr + row * x_stride + offsets).to(tl.float32)",
    "other changed": "other=float('nan')).to(tl.float32)",
    "comparison": "mask = start + offsets <= columns",
    "sign": "mask = start - (offsets) < columns",
    "factor dropped": "x = tl.load(x_ptr + row + offsets, mask=mask, other=0.0).to(tl.float32)",
    "operands exchanged": "tl.sum(3 - top[:, None], axis=0)",
    "constant changed": "tl.sum(top[:, None] - 4, axis=0)",
    "upcast dropped": "x = tl.load(x_ptr + row * x_stride + offsets, mask=mask, other=0.0)",
    "int64 dropped": "row = tl.program_id(0)",
    "rounding dropped": "kept = x",
    "float64": 'top = tl.full([block], float("-inf"), dtype=tl.float64)',
    "wrong stride": "x = tl.load(x_ptr + row * out_stride + offsets, mask=mask, other=0.0).to(tl.float32)",
    "wrong pointer": "x = tl.load(out_ptr + row * x_stride + offsets, mask=mask, other=0.0).to(tl.float32)",
    "tail skipped": "for start in range(0, columns - block, block):",
    "index swapped": "tl.sum(top[None, :] - 3, axis=0)",
    "accumulator": "top = tl.full([block], 0.0, dtype=tl.float32)",
    "wrong function": "top = tl.minimum(top, kept)",
    "statement dropped": "pass",
    "grid smaller": "kernel[(rows - 1, -(-columns // 16))]",
    "grid rounded down": "kernel[(rows, columns // 16)]",
    "stride of another": "(x, out, out.stride(0), out.stride(0), columns)",
    "wrong count": "(x, out, x.stride(0), out.stride(0), columns - 1)",
}  # fmt: skip


def mutants() -> list[Mutant]:
    return [
        *mutants_of(KERNEL, "any", "module", "kernel"),
        *mutants_of(LAUNCH, "any", "module", "launch"),
    ]


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_makes_the_change_that_it_is_named_after(operator: str) -> None:
    found = [mutant.after for mutant in mutants() if mutant.operator == operator]
    assert any(WANTED[operator] in after for after in found), found


def test_a_mutant_differs_in_one_statement_and_in_no_other_line() -> None:
    for mutant in mutants():
        original = KERNEL if mutant.function == "kernel" else LAUNCH
        assert mutant.before != mutant.after
        assert ast.unparse(ast.parse(mutant.text)) != ast.unparse(ast.parse(original))
        lines, others = original.splitlines(), mutant.text.splitlines()
        assert len(lines) == len(others)
        differing = [at for at, pair in enumerate(zip(lines, others, strict=True), 1) if pair[0] != pair[1]]
        assert differing
        assert differing[0] >= mutant.line
        assert "#" not in mutant.before


def test_docstrings_and_parameters_are_left_alone() -> None:
    for mutant in mutants():
        tree = ast.parse(mutant.text).body[0]
        original = ast.parse(KERNEL if mutant.function == "kernel" else LAUNCH).body[0]
        assert isinstance(tree, ast.FunctionDef)
        assert isinstance(original, ast.FunctionDef)
        assert ast.dump(tree.args) == ast.dump(original.args)
        assert ast.get_docstring(tree) == ast.get_docstring(original)


def test_what_stands_behind_a_mask_does_not_matter_where_the_store_has_it_too() -> None:
    text = """
@jit
def kernel(x_ptr, mask):
    tl.store(x_ptr, tl.load(x_ptr, mask=mask, other=0.0), mask=mask)
"""
    made = [mutant.operator for mutant in mutants_of(text, "any", "module", "kernel")]
    assert "mask dropped" in made
    assert "other changed" not in made
    summed = text.replace(
        "tl.load(x_ptr, mask=mask, other=0.0)", "tl.sum(tl.load(x_ptr, mask=mask, other=0.0))"
    )
    assert "other changed" in [one.operator for one in mutants_of(summed, "any", "module", "kernel")]


@pytest.mark.parametrize("kernel", KERNELS)
def test_wrappers_kernels_and_what_they_call_are_reached(kernel: str) -> None:
    names = {function.__name__ for function in reached(KERNELS[kernel])}
    assert KERNELS[kernel].call.__name__ in names
    assert {program.kernel.fn.__name__ for program in KERNELS[kernel].programs} <= names
    assert "product" in names or "attention" not in kernel


@pytest.mark.kernel
def test_a_run_has_every_operator_and_some_mutants_of_every_kernel() -> None:
    every = catalogue(KERNELS.values())
    taken = chosen(every)
    assert len(taken) == len(set(taken)) >= 60
    assert {mutant.operator for mutant in taken} == {mutant.operator for mutant in every} == set(OPERATORS)
    # A program that two kernels launch is broken once, as that of the first.
    shared = {kernel for kernel in KERNELS if not any(mutant.kernel == kernel for mutant in every)}
    assert shared <= {"rope_backward"}
    for kernel in KERNELS.keys() - shared:
        assert sum(mutant.kernel == kernel for mutant in taken) >= 4


def test_what_is_chosen_of_a_kernel_does_not_depend_on_the_others() -> None:
    every = catalogue([KERNELS["swiglu"], KERNELS["softmax"]])
    alone = [mutant for mutant in every if mutant.kernel == "softmax"]
    both = [mutant for mutant in chosen(every) if mutant.kernel == "softmax"]
    assert both[:7] == chosen(alone)[:7]


@pytest.mark.parametrize(
    ("use", "dropped"),
    [("x * x", True), ("x * y", False), ("tl.exp(x) * y", True), ("x[:, None] + y", False)],
)
def test_an_upcast_is_dropped_where_nothing_else_makes_it(use: str, dropped: bool) -> None:
    text = f"""
@jit
def kernel(x_ptr, y):
    y = tl.zeros([4], dtype=tl.float32)
    x = tl.load(x_ptr).to(tl.float32)
    z = {use}
"""
    made = [mutant.operator for mutant in mutants_of(text, "any", "module", "kernel")]
    assert ("upcast dropped" in made) == dropped
