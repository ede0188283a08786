"""ONNX Runtime: the CPU, a GPU where one works, and what is said where it does not.

There is no GPU where tests run, so a stand-in for ONNX Runtime's session has one.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from timbretree.modelfile import SHIPPED, ModelFile, ModelFileError
from timbretree.runtime import CPU, CUDA, RuntimeUnusableError, Session

MODEL = SHIPPED.read_bytes()
REAL = onnxruntime.InferenceSession


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """An ONNX Runtime that has CUDA, which works, raises or is left out in silence."""
    state: dict[str, Any] = {"works": True, "raises": None, "asked": []}

    class StandIn:
        def __init__(self, model: bytes, options: Any, providers: list[Any], **more: Any) -> None:
            names = [each if isinstance(each, str) else each[0] for each in providers]
            state["asked"].append((providers, more))
            if CUDA in names and state["raises"]:
                raise state["raises"]
            self._real = REAL(model, options, providers=[CPU])
            self._providers = names if state["works"] else [CPU]

        def get_providers(self) -> list[str]:
            return self._providers

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    def preload_dlls() -> None:
        print("what a library prints while it is loaded")

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", StandIn)
    monkeypatch.setattr(onnxruntime, "preload_dlls", preload_dlls, raising=False)
    return state


def test_without_a_gpu_it_is_the_cpu() -> None:
    for device in ("auto", "cpu"):
        session = Session(MODEL, device)
        assert (session.provider, session.note) == ("CPU", None)
    with pytest.raises(RuntimeUnusableError, match=r"no CUDA; it comes with .*onnxruntime-gpu"):
        Session(MODEL, "cuda")
    with pytest.raises(ModelFileError, match=r"no device 'gpu'; choose from auto, cpu, cuda"):
        ModelFile(SHIPPED, device="gpu")


def test_a_gpu_that_works_is_used_unless_told_otherwise(
    gpu: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    for device in ("auto", "cuda"):
        session = Session(MODEL, device)
        assert (session.provider, session.note) == ("CUDA", None)
    assert capfd.readouterr().out == ""
    (cuda, options), cpu = gpu["asked"][0][0]
    assert (cuda, cpu, options["use_tf32"]) == (CUDA, CPU, "0")
    assert gpu["asked"][0][1] == {"enable_fallback": 0}
    assert Session(MODEL, "cpu").provider == "CPU"
    mel = np.random.default_rng(0).normal(0, 1, (1, 300, 128)).astype(np.float32)
    ours, theirs = (ModelFile(SHIPPED, device=each).raw(mel) for each in ("cuda", "cpu"))
    np.testing.assert_allclose(ours.fine, theirs.fine, atol=1e-6)


@pytest.mark.parametrize("failure", [RuntimeError("CUDA failure 100: no device"), None])
def test_a_gpu_that_does_not_work_is_left_with_a_note(
    gpu: dict[str, Any], failure: Exception | None, capfd: pytest.CaptureFixture[str]
) -> None:
    gpu.update(works=False, raises=failure)
    model = ModelFile(SHIPPED)
    assert model.runtime.provider == "CPU"
    said = "no device" if failure else "could not load CUDA or cuDNN"
    assert said in model.runtime.note
    assert model.run(np.zeros((1, 300, 128), np.float32)).fine.shape == (1, 20)
    with pytest.raises(ModelFileError, match=f"the GPU is not used, .*{said}"):
        ModelFile(SHIPPED, device="cuda")
    assert capfd.readouterr().out == ""


def test_what_is_no_network() -> None:
    with pytest.raises(RuntimeUnusableError, match="ONNX Runtime can't load it"):
        Session(Path(__file__).read_bytes())
