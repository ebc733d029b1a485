from __future__ import annotations

import pytest
from pv_runtime.bisect.prompt import listed
from pv_runtime.errors import ModelError


@pytest.mark.parametrize("text", ["1,2,3", "1 2 3", " 1, 2 ,3 "])
def test_ids_stand_between_commas_or_blanks(text: str) -> None:
    assert listed(text) == [1, 2, 3]


@pytest.mark.parametrize("text", ["", " , ", "-1", "1.0", "\u0661", "x", "9" * 5000])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match="token"):
        listed(text)
