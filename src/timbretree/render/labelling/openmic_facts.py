"""Numbers of OpenMIC-2018 that its imitation is made by, and what sounds like what.

The counts are from OpenMIC-2018 (Humphrey, Durand, McFee, ISMIR 2018), CC BY 4.0: labels per tag
from its authors' baseline notebook, labels a clip from the labels of its test split and of 2,223
training clips.
"""

LABELS: dict[str, dict[str, tuple[int, int]]] = {
    "train": {
        "accordion": (374, 1159),
        "banjo": (592, 1148),
        "bass": (415, 1010),
        "cello": (598, 866),
        "clarinet": (396, 1349),
        "cymbals": (814, 485),
        "drums": (828, 495),
        "flute": (472, 1050),
        "guitar": (852, 362),
        "mallet_percussion": (522, 802),
        "mandolin": (652, 1185),
        "organ": (482, 977),
        "piano": (885, 420),
        "saxophone": (830, 906),
        "synthesizer": (823, 399),
        "trombone": (635, 1405),
        "trumpet": (828, 1303),
        "ukulele": (556, 1279),
        "violin": (779, 623),
        "voice": (764, 426),
    },
    "test": {
        "accordion": (115, 423),
        "banjo": (140, 338),
        "bass": (134, 329),
        "cello": (226, 259),
        "clarinet": (137, 503),
        "cymbals": (297, 139),
        "drums": (278, 146),
        "flute": (175, 387),
        "guitar": (286, 150),
        "mallet_percussion": (211, 267),
        "mandolin": (193, 434),
        "organ": (121, 310),
        "piano": (285, 130),
        "saxophone": (305, 324),
        "synthesizer": (268, 112),
        "trombone": (228, 492),
        "trumpet": (318, 467),
        "ukulele": (182, 408),
        "violin": (394, 237),
        "voice": (224, 150),
    },
}
"""How often each tag is labelled present, and absent, in 14,915 training and 5,085 test clips."""

LABELS_A_CLIP: dict[str, tuple[int, ...]] = {
    "train": (3085, 2022, 1103, 893, 176, 21, 7, 1),
    "test": (2125, 1420, 769, 631, 120, 14, 6),
}
"""How many clips have one label, two, and so on. Of training clips only 2,223 are known, which come
to 2.047 labels a clip; together with the test clips, as here, to 2.063, and all 14,915 have 2.061.
"""

ALIKE: dict[tuple[str, str], float] = {
    ("trombone", "trumpet"): 1.0,
    ("mandolin", "ukulele"): 1.0,
    ("banjo", "mandolin"): 0.9,
    ("banjo", "ukulele"): 0.8,
    ("cello", "violin"): 0.8,
    ("clarinet", "flute"): 0.8,
    ("clarinet", "saxophone"): 0.8,
    ("accordion", "organ"): 0.7,
    ("cymbals", "drums"): 0.7,
    ("organ", "synthesizer"): 0.7,
    ("saxophone", "trumpet"): 0.6,
    ("saxophone", "trombone"): 0.6,
    ("guitar", "ukulele"): 0.6,
    ("guitar", "mandolin"): 0.5,
    ("banjo", "guitar"): 0.5,
    ("bass", "cello"): 0.5,
    ("bass", "guitar"): 0.5,
    ("clarinet", "trumpet"): 0.5,
    ("flute", "saxophone"): 0.5,
    ("mallet_percussion", "piano"): 0.5,
    ("synthesizer", "voice"): 0.5,
    ("guitar", "piano"): 0.4,
    ("accordion", "clarinet"): 0.4,
    ("flute", "violin"): 0.4,
    ("piano", "synthesizer"): 0.4,
    ("synthesizer", "violin"): 0.4,
    ("clarinet", "trombone"): 0.4,
    ("accordion", "synthesizer"): 0.3,
    ("accordion", "violin"): 0.3,
    ("bass", "synthesizer"): 0.3,
    ("bass", "drums"): 0.3,
    ("cello", "synthesizer"): 0.3,
    ("cello", "trombone"): 0.3,
    ("drums", "mallet_percussion"): 0.3,
    ("flute", "voice"): 0.3,
    ("guitar", "mallet_percussion"): 0.3,
    ("organ", "piano"): 0.3,
    ("violin", "voice"): 0.3,
}
"""Pairs that people and machines take for each other, in alphabetical order, and how readily: 1 is
nearly the same. Instruments of one kind and register; ours, with an eye on which labels OpenMIC has
for the same clips."""
