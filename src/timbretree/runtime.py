"""ONNX Runtime on the CPU, or on an NVIDIA GPU where that is there and works.

On the CPU one thread runs the network: two cost 43 % more processor time for 5 % less waiting, and
more is won by a process for each file.
"""

import sys
from contextlib import redirect_stdout
from typing import Any

import numpy as np
from numpy.typing import NDArray

DEVICES = ("auto", "cpu", "cuda")
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
EXACT = {
    "use_tf32": "0",  # or probabilities would differ from the CPU's in the third digit
    "cudnn_conv_algo_search": "HEURISTIC",  # the default tries all of them for each new length
}


class RuntimeUnusableError(ValueError):
    """A network that ONNX Runtime can't load, or a device that it can't use."""


class Session:
    """A network, loaded. ``device`` is auto (a GPU where one works), cpu or cuda.

    ``provider`` says where it runs, ``note`` why not on the GPU that was found, and ``inputs``,
    ``optional`` and ``outputs`` give name and shape of what goes in and comes out. Raises
    RuntimeUnusableError.
    """

    def __init__(self, model: bytes, device: str = "auto") -> None:
        import onnxruntime

        if device not in DEVICES:
            raise RuntimeUnusableError(
                f"there is no device {device!r}; choose from {', '.join(DEVICES)}"
            )
        available = onnxruntime.get_available_providers()
        self.note: str | None = None
        self._session: Any = None
        if device == "cuda" and CUDA not in available:
            raise RuntimeUnusableError(
                "this ONNX Runtime has no CUDA; it comes with `pip install onnxruntime-gpu` (after "
                f"`pip uninstall onnxruntime`), and here are only {', '.join(available)}"
            )
        if device != "cpu" and CUDA in available:
            self._try_cuda(onnxruntime, model)
            if self._session is None and device == "cuda":
                raise RuntimeUnusableError(str(self.note))
        if self._session is None:
            try:
                self._session = _open(onnxruntime, model, [CPU])
            except Exception as error:  # ONNX Runtime's own exceptions share no base
                raise RuntimeUnusableError(f"ONNX Runtime can't load it: {error}") from error
        self.provider = str(self._session.get_providers()[0]).removesuffix("ExecutionProvider")
        self.inputs = _shapes(self._session.get_inputs())
        self.optional = _shapes(self._session.get_overridable_initializers())
        self.outputs = _shapes(self._session.get_outputs())

    def run(self, inputs: dict[str, NDArray[np.float32]]) -> dict[str, Any]:
        """All outputs by name."""
        return dict(zip(self.outputs, self._session.run(None, inputs), strict=True))

    def _try_cuda(self, onnxruntime: Any, model: bytes) -> None:
        """Open it on the GPU, or note why that failed; ONNX Runtime may fail without raising."""
        try:
            with redirect_stdout(sys.stderr):  # stdout is for data
                onnxruntime.preload_dlls()  # CUDA from pip's packages, where they are installed
            session = _open(onnxruntime, model, [(CUDA, EXACT), CPU])
        except Exception as error:  # ONNX Runtime's own exceptions share no base
            self.note = f"the GPU is not used, ONNX Runtime can't open it: {error}"
            return
        if CUDA in session.get_providers():
            self._session = session
        else:
            self.note = (
                "the GPU is not used, ONNX Runtime could not load CUDA or cuDNN; run Python with "
                "`import onnxruntime; onnxruntime.preload_dlls()` to see which file is missing"
            )


def _open(onnxruntime: Any, model: bytes, providers: list[Any]) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4 if len(providers) > 1 else 3  # what fails is told by us
    # its own way back to the CPU prints to stdout, where our data goes
    return onnxruntime.InferenceSession(model, options, providers=providers, enable_fallback=0)


def _shapes(nodes: list[Any]) -> dict[str, list[Any]]:
    return {node.name: node.shape for node in nodes}
