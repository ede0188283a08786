"""The floor: decode and resample to 32 kHz mono, as a plain program would, and nothing else.

python floor.py FILE ...
"""

import sys

import soundfile
import soxr

for path in sys.argv[1:]:
    with soundfile.SoundFile(path) as file:
        resampler = soxr.ResampleStream(file.samplerate, 32_000, 1, dtype="float32")
        samples = 0
        for block in file.blocks(1 << 17, dtype="float32", always_2d=True):
            mono = (block[:, 0] + block[:, -1]) / 2
            samples += len(resampler.resample_chunk(mono))
        samples += len(resampler.resample_chunk(mono[:0], last=True))
    print(path, samples)
