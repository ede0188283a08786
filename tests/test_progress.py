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


def test_the_gauge_says_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    state = progress.State(0, 0, None, False, 0.0, 0)
    gauge = progress.Gauge(lambda: state)
    assert gauge.words() == "0 files"
    now += 100
    state = progress.State(1200, 200, 5000, False, 36_000.0, 3)
    counting = "1,200 of 5,000+ files, 10.0 h of sound, 360 x real time"
    assert gauge.words() == f"{counting}, 3 failed"
    state = state._replace(counted=True)  # 200 in 100 seconds, 3800 to go
    assert gauge.words() == f"{counting.replace('+', '')}, 32 min left, 3 failed"
    state = progress.State(0, 0, 1, True, 3600.0, 0)
    assert gauge.words() == "0 of 1 file, 60 min of sound, 36 x real time"


def test_the_gauge_tells_now_and_then_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.01)
    told = progress.State(1, 1, 2, True, 0.0, 0)
    with progress.gauge(lambda: told):
        while "1 of 2 files" not in (said := capsys.readouterr().err):
            progress.time.sleep(0.01)
    assert said.startswith("1 of 2 files, ")
