from __future__ import annotations

import hashlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pv.merkle import leaf_hash, path_to, root_by, root_of

# The published test vectors of Certificate Transparency: github.com/google/certificate-transparency,
# merkle_tree_test.cc, "Some reference test vectors".
INPUTS = [
    bytes.fromhex(word)
    for word in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
trees = st.lists(st.binary(max_size=8), min_size=1, max_size=40).map(lambda data: [*map(leaf_hash, data)])


def test_roots_are_those_that_certificate_transparency_publishes() -> None:
    leaves = [leaf_hash(data) for data in INPUTS]
    assert [root_of(leaves[: n + 1]).hex() for n in range(len(leaves))] == ROOTS
    assert root_of([]) == hashlib.sha256(b"").digest()


@given(trees, st.data())
def test_a_path_leads_from_its_leaf_to_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = path_to(leaves, index)
    assert root_by(leaves[index], index, len(leaves), path) == root_of(leaves)
    assert len(path) <= (len(leaves) - 1).bit_length()


@given(trees, st.data())
def test_no_other_leaf_place_or_path_leads_there(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = path_to(leaves, index)
    root = root_of(leaves)
    assert root_by(leaf_hash(b"another leaf"), index, len(leaves), path) != root
    with pytest.raises(ValueError, match="is not that of leaf"):
        root_by(leaves[index], index, len(leaves), [*path, root])
    other = data.draw(st.integers(0, len(leaves) - 1))
    assume(leaves[other] != leaves[index])
    if len(path_to(leaves, other)) == len(path):
        assert root_by(leaves[index], other, len(leaves), path) != root
    changed = data.draw(st.integers(0, len(path) - 1))
    path[changed] = bytes([path[changed][0] ^ 1]) + path[changed][1:]
    assert root_by(leaves[index], index, len(leaves), path) != root


@pytest.mark.parametrize("index", [-1, 3])
def test_a_leaf_that_is_not_there_has_no_path(index: int) -> None:
    leaves = [leaf_hash(bytes([n])) for n in range(3)]
    with pytest.raises(IndexError):
        path_to(leaves, index)
    with pytest.raises(IndexError):
        root_by(leaves[0], index, 3, [])
