from __future__ import annotations

from pathlib import Path

from pv.contract import load_contract
from pv.gathered_contracts import GatheredContracts, by_stem

TEXT = 'metadata: {version: "1", description: x}\nfalsification_tests: [{id: %s, aliases: [%s]}]\n'


def test_contracts_are_found_by_file_name_and_id(tmp_path: Path) -> None:
    for name, identifier in (("b-v1.yaml", "B"), ("a-v1.yaml", "A"), ("deep/a-v1.yaml", "C")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(TEXT % (identifier, f"OLD-{identifier}"), encoding="utf-8")
    (tmp_path / "link.yaml").symlink_to("b-v1.yaml")
    named = [tmp_path / "link.yaml", tmp_path / "a-v1.yaml", tmp_path / "deep/a-v1.yaml"]
    gathered = GatheredContracts.of(map(load_contract, named))
    top = tmp_path.resolve()
    b = str(top / "b-v1.yaml")
    assert gathered.files == (top / "a-v1.yaml", top / "b-v1.yaml", top / "deep/a-v1.yaml")
    assert b in gathered
    assert str(tmp_path / "link.yaml") not in gathered
    assert gathered.resolved(str(named[0])) == b
    assert gathered.resolved(str(tmp_path / "deep/../link.yaml")) == b
    assert gathered.contract(b).falsifiers[0].id == "B"
    assert [*gathered.holding(["OLD-B", "none", "B"])] == [b]
    assert gathered.by_stem["a-v1"] == [gathered.files[0], gathered.files[2]]


def test_files_of_one_name_keep_their_order() -> None:
    files = [Path("b/x.yaml"), Path("a/x.yml"), Path("y.yaml")]
    assert by_stem(files) == {"x": files[:2], "y": files[2:]}
