"""A plain pipeline: soundfile, soxr, a mel by scipy, the shipped network in ONNX Runtime.

    python plain.py MODEL.onnx FILE ...

Windows of ten seconds that follow each other; the mean of their probabilities. All that a file is
tagged with more than this (windows that overlap, calibration, checks of what is decoded) it lacks.
"""

import os
import sys

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import onnxruntime
import scipy.fft
import soundfile
import soxr

RATE, SIZE = 32_000, 320_000


def filters() -> np.ndarray:
    """(513, 128): Kaldi's mel filters up to 15 kHz."""
    mel = 1127 * np.log1p(np.arange(513) * RATE / 1024 / 700)
    edges = np.linspace(0, 1127 * np.log1p(15_000 / 700), 130)
    width = edges[1]
    weights = np.maximum(0, 1 - np.abs(mel[:, None] - edges[1:-1]) / width)
    weights[-1] = 0
    return weights.astype(np.float32)


FILTERS = filters()
HANN = np.hanning(800).astype(np.float32)


def log_mel(samples: np.ndarray) -> np.ndarray:
    """(T,) to (frames, 128)."""
    wave = np.pad(samples[1:] - np.float32(0.97) * samples[:-1], 512, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(wave, 1024)[::320, 112:-112] * HANN
    spectrum = scipy.fft.rfft(frames, n=1024, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    return (np.log(power @ FILTERS + np.float32(1e-5)) + np.float32(4.5)) / np.float32(5)


def main() -> None:
    """Tag the files named."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    network = onnxruntime.InferenceSession(sys.argv[1], options, ["CPUExecutionProvider"])
    for path in sys.argv[2:]:
        found, held = [], np.zeros(0, np.float32)
        with soundfile.SoundFile(path) as file:
            resampler = soxr.ResampleStream(file.samplerate, RATE, 1, dtype="float32")
            for block in file.blocks(1 << 17, dtype="float32", always_2d=True):
                mono = (block[:, 0] + block[:, -1]) / 2
                held = np.concatenate([held, resampler.resample_chunk(mono)])
                while len(held) >= SIZE:
                    mel, held = log_mel(held[:SIZE]), held[SIZE:]
                    found.append(network.run(None, {"mel": mel[None]})[0][0])
        if len(held) > RATE or not found:
            mel = log_mel(np.pad(held, (0, max(0, RATE - len(held)))))
            found.append(network.run(None, {"mel": mel[None]})[0][0])
        print(path, np.mean(found, axis=0).round(3).tolist())


main()
