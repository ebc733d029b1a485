"""Inputs are guessed from annotations alone: what is guessed is read as a property, and nothing runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pv.errors import BindingError
from pv.guessed_inputs import TODO, Guessed, guess_inputs
from pv.schema_property import PROPERTY_INPUT

if TYPE_CHECKING:
    from tests.pv.conftest import Project

UNBOUNDED = [None, None]
SIZE = {"integers": [1, 8]}
KNOWN: dict[str, Any] = {
    "int": {"integers": UNBOUNDED},
    "float": {"floats": UNBOUNDED},
    "bool": {"choices": [False, True]},
    "str": {"text": UNBOUNDED},
    "bytes": {"bytes": UNBOUNDED},
    "'int'": {"integers": UNBOUNDED},
    "int | None": {"integers": UNBOUNDED},
    "None | float": {"floats": UNBOUNDED},
    "Optional[int]": {"integers": UNBOUNDED},
    "Annotated[int, 'rows']": {"integers": UNBOUNDED},
    "Literal['up', 'down']": {"choices": ["up", "down"]},
    "list[int]": {"integers": UNBOUNDED, "shape": ["x_length"], "as": "list"},
    "Sequence[float]": {"floats": UNBOUNDED, "shape": ["x_length"], "as": "list"},
    "list[list[int]]": {"integers": UNBOUNDED, "shape": ["x_size_0", "x_size_1"], "as": "list"},
    "np.ndarray": {"floats": UNBOUNDED, "shape": ["x_length"], "as": "numpy"},
    "npt.NDArray[np.int32]": {"integers": UNBOUNDED, "shape": ["x_length"], "dtype": "int32", "as": "numpy"},
    "np.ndarray[Any, np.dtype[np.float32]]":
        {"floats": UNBOUNDED, "shape": ["x_length"], "dtype": "float32", "as": "numpy"},
    "torch.Tensor": {"floats": UNBOUNDED, "shape": ["x_length"], "as": "torch"},
}  # fmt: skip
UNKNOWN = [
    *("complex", "object", "int | float", "dict[str, int]", "list[str]", "list[list]", "'not python ('"),
    *("Literal[1.5]", "tuple[int, int]", "Mapping", "x.int", "list[Literal[1]]", "list[list[bool]]"),
]


def guess(project: Project, text: str, name: str = "f") -> Guessed:
    # Whoever imports or runs it ends here.
    (project.root / "grid.py").write_text(f"raise SystemExit('imported')\n{text}\n", encoding="utf-8")
    return guess_inputs(f"grid:{name}", project.config())


@pytest.mark.parametrize(("annotation", "wanted"), KNOWN.items())
def test_an_annotation_becomes_an_input(project: Project, annotation: str, wanted: dict[str, Any]) -> None:
    found = guess(project, f"def f(x: {annotation}) -> int: ...")
    assert found.parameters == ("x",)
    assert found.inputs["x"] == wanted
    lengths = [name for name in found.inputs if name != "x"]
    assert lengths == wanted.get("shape", [])
    assert all(found.inputs[name] == SIZE for name in lengths)
    from pydantic_core import SchemaValidator

    for given_input in found.inputs.values():
        SchemaValidator(PROPERTY_INPUT).validate_python(given_input)


@pytest.mark.parametrize("annotation", UNKNOWN)
def test_what_says_nothing_is_left_to_be_written(project: Project, annotation: str) -> None:
    assert guess(project, f"def f(x: {annotation}): ...").inputs == {"x": TODO}


def test_only_what_has_to_be_given_is_an_input(project: Project) -> None:
    found = guess(
        project, "def f(a: int, b, c: int = 3, *rest: int, d: float, e: float = 1, **more: int): ..."
    )
    assert found.parameters == ("a", "b", "d")
    assert found.inputs == {"a": KNOWN["int"], "b": TODO, "d": KNOWN["float"]}


def test_a_length_takes_no_name_of_a_parameter(project: Project) -> None:
    found = guess(project, "def f(x: list[int], x_length: int): ...")
    assert found.inputs["x"]["shape"] == ["x_length_"]
    assert found.inputs["x_length"] == KNOWN["int"]


def test_functions_in_classes_and_under_conditions_are_found(project: Project) -> None:
    text = """
if True:
    class Grid:
        @staticmethod
        def f(x: int): ...
        @classmethod
        def g(cls, y: int): ...
def h(x: float): ...
def h(x: int): ...
"""
    assert guess(project, text, "Grid.f").parameters == ("x",)
    assert guess(project, text, "Grid.g").parameters == ("y",)
    assert guess(project, text, "h").inputs == {"x": KNOWN["int"]}, (
        "the last definition is the one that counts"
    )


@pytest.mark.parametrize(
    ("text", "name", "why"),
    [
        ("x = 1", "f", "defines no function f"),
        ("async def f(x: int): ...", "f", "defines no function f"),
        ("def f(x, /): ...", "f", "cannot be given by name"),
        ("class A:\n    def f(self): ...", "A.f", "is a method"),
        ("def f(TODO: int): ...", "f", "has a parameter TODO"),
        ("def f(:", "f", "cannot be parsed"),
    ],
)
def test_what_cannot_be_called_by_name_is_refused(project: Project, text: str, name: str, why: str) -> None:
    with pytest.raises(BindingError, match=why):
        guess(project, text, name)


@pytest.mark.parametrize(
    ("reference", "why"), [("f", "names no function"), ("absent:f", "none of the project")]
)
def test_a_reference_is_to_code_of_the_project(project: Project, reference: str, why: str) -> None:
    with pytest.raises(BindingError, match=why):
        guess_inputs(reference, project.config())


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([*KNOWN, *UNKNOWN]), max_size=5))
def test_every_parameter_has_an_input_in_order_and_every_shape_names_one(
    project: Project, annotations: list[str]
) -> None:
    parameters = ", ".join(f"p{index}: {annotation}" for index, annotation in enumerate(annotations))
    found = guess(project, f"def f({parameters}): ...")
    assert [name for name in found.inputs if name in found.parameters] == list(found.parameters)
    for value in found.inputs.values():
        assert value == TODO or set(value.get("shape", [])) <= set(found.inputs)
