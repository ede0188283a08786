"""Tags of every kind, made up, for the tests of all that reads them."""

from dataclasses import replace

import numpy as np
import pytest

from timbretree.tags import GroupScore, Tags, TagScore, WindowScores, disagreements
from timbretree.taxonomy import Taxonomy

HOSTILE = "<script>alert('x')</script>\"&\x1b[31m\n\u202e\udcff.flac"
DEEP = Taxonomy.load("hornbostel_sachs")
LONG = Taxonomy.from_dict({"groups": {"g" * 90: ["t" * 120, "琴" * 60, "long word " * 20]}})


def hear(
    tree: Taxonomy, count: int, *, playing: tuple[str, ...] = (), look: bool = True, **rest: object
) -> Tags:
    """Tags of ``count`` windows of 10 s in which ``playing`` are heard at 90% and others at 2%."""
    fine = np.array([0.9 if tag in playing else 0.02 for tag in tree.tags], np.float32)
    even = fine[:, None] * tree.members + 1e-6
    attention = (even / even.sum(axis=0)).astype(np.float32)  # (F, C)
    coarse = attention.T @ fine
    windows = tuple(
        WindowScores(10.0 * w, 10.0 * w + 10, fine, coarse, attention if look else None)
        for w in range(count)
    )
    tags = tuple(
        TagScore(tag, float(p), bool(p > 0.5)) for tag, p in zip(tree.tags, fine, strict=True)
    )
    groups = tuple(
        GroupScore(
            group,
            float(coarse[c]),
            bool(coarse[c] > 0.4),
            dict(zip(tree.tags, attention[:, c].tolist(), strict=True)) if look else {},
        )
        for c, group in enumerate(tree.groups)
    )
    base = Tags(
        "song.flac", "tiny", tree, seconds=10.0 * count, tags=tags, groups=groups, windows=windows
    )
    return replace(base, **rest)  # type: ignore[arg-type]


def trio_heard() -> Tags:
    """Three families, three windows; the keyboard passes over its piano, as in Fig. 4."""
    tree = Taxonomy.from_dict(
        {
            "name": "duo",
            "groups": {
                "woodwind": ["flute", "clarinet"],
                "keyboard": ["piano", "organ"],
                "plucked_strings": ["banjo", "guitar"],
            },
        }
    )
    tags = tuple(
        TagScore(tag, probability, probability > 0.4)
        for tag, probability in zip(tree.tags, (0.75, 0.5, 0.83, 0.06, 0.01, 0.02), strict=True)
    )
    looks = (
        (0.62, 0.20, 0.12, 0.02, 0.02, 0.02),
        (0.10, 0.05, 0.02, 0.70, 0.05, 0.08),
        (0.10, 0.10, 0.10, 0.10, 0.30, 0.30),
    )
    groups = tuple(
        GroupScore(group, probability, probability > 0.5, dict(zip(tree.tags, look, strict=True)))
        for group, probability, look in zip(tree.groups, (0.66, 0.12, 0.03), looks, strict=True)
    )
    heard = (
        (0.75, 0.30, 0.83, 0.06, 0.01, 0.02),
        (0.10, 0.50, 0.60, 0.00, 0.01, 0.01),
        (0.01, 0.20, 0.83, 0.00, 0.00, 0.00),
    )
    windows = tuple(
        WindowScores(
            10.0 * w,
            min(10.0 * w + 10, 28.4),
            np.array(row, np.float32),
            np.array((0.66, 0.12, 0.03), np.float32),
            np.array(looks, np.float32).T,
        )
        for w, row in enumerate(heard)
    )
    return Tags(
        file="live/trio.mp3",
        model="tiny",
        taxonomy=tree,
        seconds=28.4,
        tags=tags,
        groups=groups,
        windows=windows,
        notes=tuple(disagreements(tree, tags, groups)),
    )


def in_doubt(tags: Tags, *names: str) -> Tags:
    scores = tuple(
        replace(each, present=False, unsure=True) if each.tag in names else each
        for each in tags.tags
    )
    groups = tuple(
        replace(each, present=False, unsure=True) if each.group in names else each
        for each in tags.groups
    )
    notes = tuple(disagreements(tags.taxonomy, scores, groups))
    return replace(tags, tags=scores, groups=groups, notes=notes)


def failed(**rest: object) -> Tags:
    base = Tags("gone.wav", "tiny", DEEP, "failed", "missing", "there is no such file")
    return replace(base, **rest)  # type: ignore[arg-type]


def silent() -> Tags:
    tree = Taxonomy.load("tone7")
    nothing = np.zeros(len(tree.tags), np.float32), np.zeros(len(tree.groups), np.float32)
    return Tags(
        "hush.wav",
        "tiny",
        tree,
        reason="silent",
        message="nothing in this file is louder than -80 dB",
        seconds=20.0,
        tags=tuple(TagScore(tag, 0.0, False) for tag in tree.tags),
        groups=tuple(GroupScore(group, 0.0, False, {}) for group in tree.groups),
        windows=tuple(WindowScores(10.0 * w, 10.0 * w + 10, *nothing, None) for w in range(2)),
    )


def every_kind() -> dict[str, Tags]:
    tone = Taxonomy.load("tone7")
    noisy = {"file": HOSTILE, "notes": ("<b>note</b> & " + "x" * 200,), "model": "<i>"}
    return {
        "one window": hear(tone, 1, playing=("flute",)),
        "400 windows": hear(tone, 400, playing=("flute", "piano", "mallet_percussion")),
        "all playing": hear(tone, 30, playing=tone.tags),
        "nothing playing": hear(tone, 3),
        "deep": hear(DEEP, 3, playing=("clarinet", "piano")),
        "long names": hear(LONG, 90, playing=LONG.tags, **noisy),
        "no look": hear(tone, 3, playing=("drums",), look=False),
        "partial": hear(tone, 2, status="partial", reason="corrupt", message="it broke off"),
        "unsure": in_doubt(hear(tone, 3, playing=("flute", "drums")), "drums", "woodwind"),
        "all unsure": in_doubt(hear(tone, 3), *tone.tags, *tone.groups),
        "silent": silent(),
        "failed": failed(),
        "failed, hostile": failed(file=HOSTILE, message="word " * 60),
        "in memory": hear(tone, 2, playing=("flute",), file=""),
    }


KINDS = every_kind()
every = pytest.mark.parametrize("kind", KINDS)
either = pytest.mark.parametrize("explain", [False, True])
