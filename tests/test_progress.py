"""The bar where there is no terminal: a line now and then, and how long it still takes."""

import pytest

from timbretree.cli import progress


def test_what_an_earlier_run_did_is_not_taken_for_speed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 1000.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    bar = progress.Bar("rendering")
    bar.update(5000, 6000)  # found done
    now += 31
    bar.update(5010, 6000)  # ten in 31 seconds, 990 to go
    assert capsys.readouterr().err == "rendering: 5,010 of 6,000, 51 min left\n"
