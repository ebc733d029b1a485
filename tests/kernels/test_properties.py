"""What holds of all inputs, of every kernel of the registry."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_kernels.interpreter import interpreting
from pv_kernels.registry import KERNELS
from pv_kernels.spec import KernelSpec, Property

pytestmark = pytest.mark.kernel

PROPERTIES = [
    pytest.param(spec, law, id=f"{spec.name}-{law.name}")
    for spec in KERNELS.values()
    for law in spec.properties
]


@pytest.mark.parametrize(("spec", "law"), PROPERTIES)
def test_what_a_specification_says_of_all_inputs_holds(spec: KernelSpec, law: Property) -> None:
    drawn = st.fixed_dictionaries({name: st.integers(*bounds) for name, bounds in law.draws.items()})

    @settings(max_examples=6, deadline=None, database=None)
    @given(drawn)
    def holds(numbers: dict[str, int]) -> None:
        assert law.used(spec.call, **numbers) <= 1

    with interpreting() as launches:
        holds()
    assert launches
