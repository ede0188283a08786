"""What a folder is for is written down once and kept to."""

from pathlib import Path

import pytest

from timbretree.claim import ClaimError, claim

PLAN: dict[str, object] = {"seed": 0, "train": {"epochs": 2, "parts": [1, 2]}}


def test_a_folder_keeps_to_its_plan(tmp_path: Path) -> None:
    path = tmp_path / "new" / "plan.json"
    claim(path, PLAN)
    claim(path, PLAN)
    with pytest.raises(ClaimError, match=r"its train\.epochs is 2, now asked for is 3"):
        claim(path, {"seed": 0, "train": {"epochs": 3, "parts": [1, 2]}})
    with pytest.raises(ClaimError, match=r"its more is None, now asked for is 1"):
        claim(path, PLAN | {"more": 1})
    claim(path, PLAN)


def test_other_things_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(ClaimError, match=r"holds other things and no plan\.json"):
        claim(tmp_path / "plan.json", PLAN)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_damaged_plan(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(ClaimError, match="is damaged"):
        claim(path, PLAN)
    assert path.read_text() == text


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ClaimError, match=r"expected a folder, but .*out is a file"):
        claim(tmp_path / "out" / "plan.json", PLAN)
    assert (tmp_path / "out").read_text() == "mine"
