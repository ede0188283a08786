"""Which chord sounds when, and in what key: heard in what is written, or made up for a tune."""

import numpy as np
from numpy.typing import NDArray

from timbretree.render.music import Chord, Notes

PROFILES = {
    "major": (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400),
    "minor": (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330),
}
"""How often each step of the chromatic scale is heard in a key (Temperley 2007, from Kostka and
Payne's pieces). By these, more of the corpus's tunes are in the key that is written than by
Krumhansl and Kessler's."""
QUALITIES = {
    "major": (0, 4, 7),
    "minor": (0, 3, 7),
    "diminished": (0, 3, 6),
    "dominant": (0, 4, 7, 10),
    "minor seventh": (0, 3, 7, 10),
    "half-diminished": (0, 3, 6, 10),
}
SELDOM = (0.0, 0.0, 0.06, 0.07, 0.14, 0.12)
"""What a chord of each quality must fit better than a triad to be heard."""
HARMONISED = {
    "major": {
        (0, "major"): 0.14, (7, "major"): 0.10, (5, "major"): 0.09, (7, "dominant"): 0.07,
        (9, "minor"): 0.02, (2, "minor"): 0.02, (10, "major"): -0.05, (4, "minor"): -0.08,
    },
    "minor": {
        (0, "minor"): 0.14, (7, "major"): 0.07, (7, "dominant"): 0.06, (5, "minor"): 0.05,
        (10, "major"): 0.08, (3, "major"): 0.06, (8, "major"): 0.02, (5, "major"): 0.02,
        (7, "minor"): 0.0,
    },
}  # fmt: skip
"""The chords a tune is harmonised with, by the steps of their roots above the tonic, and how much
likelier each is."""
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10, 11)}
FOREIGN = 0.08
"""What a chord must fit better, in music of many voices, for each note that is not in the key."""
CHANGE, LATE = 0.05, 0.06
"""What another chord must fit better than the last one, and what more where no bar begins."""
THIN = 1.5
"""Notes at a time; with fewer it is a tune, and its chords are made up."""
NEAR = 1e-3


def key(voices: tuple[Notes, ...]) -> tuple[int, str]:
    """The key: its tonic as a pitch class, and major or minor.

    The one whose profile is most like how long each pitch class sounds (Krumhansl 1990, the
    algorithm of Krumhansl and Schmuckler). C major where nothing sounds.
    """
    heard = np.zeros(12)
    for voice in voices:
        np.add.at(heard, voice.pitch % 12, voice.length)
    if np.ptp(heard) == 0:
        return 0, "major"
    modes = list(PROFILES)
    rolled = np.array([np.roll(PROFILES[mode], tonic) for mode in modes for tonic in range(12)])
    fit = (rolled - rolled.mean(axis=1, keepdims=True)) @ (heard - heard.mean())
    best = int((fit / rolled.std(axis=1)).argmax())
    return best % 12, modes[best // 12]


def chords(voices: tuple[Notes, ...], beats: float, *, bar: float) -> tuple[Chord, ...]:
    """The chords of so many beats of music, one after the other without a gap.

    With several voices, the chords are those that sound, beat by beat; a tune is harmonised with
    those of its key, half a bar at a time. ``voices`` have their onsets in beats, bars begin at
    multiples of ``bar``. Each chord takes a beat or more. Of all ways through the chords, the one
    that fits best, less something for each change (Viterbi).
    """
    tonic, mode = key(voices)
    notes = _together(voices)
    thin = _density(notes) < THIN
    edges = _edges(notes, beats, bar, thin)
    over = _overlaps(notes, edges)
    weights = over * np.where(np.abs(notes.onset - edges[:-1, None]) < NEAR, 1.5, 1.0)
    heard = np.stack([weights[:, notes.pitch % 12 == pitch].sum(axis=1) for pitch in range(12)], 1)
    if not thin:  # the bass says more than the others
        low = _lowest(notes, over)
        heard[np.arange(len(low)), low] += 0.5 * np.diff(edges) * (over.sum(axis=1) > 0)
    heard /= np.maximum(heard.sum(axis=1, keepdims=True), NEAR)
    kinds = _candidates(tonic, mode, thin)
    fit = _fit(heard, kinds)
    place = edges[1:-1] / bar
    price = np.where(np.abs(place - place.round()) > NEAR, CHANGE + LATE, CHANGE)
    path = _best_path(fit, price)
    basses = [kinds[state][0] for state in path] if thin else _lowest(notes, over).tolist()
    return _merge(edges, [kinds[state][:2] for state in path], basses)


def _together(voices: tuple[Notes, ...]) -> Notes:
    rows = [(v.onset, v.length, v.pitch, v.velocity) for v in (*voices, Notes.of([]))]
    return Notes(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def _density(notes: Notes) -> float:
    """How many notes sound at a time, where any does."""
    order = np.argsort(notes.onset)
    onset = notes.onset[order]
    end = np.maximum.accumulate(notes.onset[order] + notes.length[order])
    covered = np.maximum(end - np.maximum(onset, np.append(-np.inf, end[:-1])), 0).sum()
    return float(notes.length.sum() / covered) if covered else 0.0


def _edges(notes: Notes, beats: float, bar: float, thin: bool) -> NDArray[np.float64]:
    """Where chords may change, from 0 to ``beats``."""
    place = notes.onset % 3
    in_three = np.isclose(place[:, None], [1, 2]).any(axis=1).sum()
    compound = bar % 1.5 < NEAR and (bar % 3 > NEAR or np.isclose(place, 1.5).sum() > in_three)
    pulse = 1.5 if compound else 1.0
    step = pulse
    if thin:
        step = bar
        while step >= 2 * pulse and abs(step / 2 % pulse) < NEAR and step > 2.0:
            step /= 2
    while step < 1:
        step *= 2
    count = max(int(np.floor((beats - 1) / step + NEAR)) + 1, 1)
    return np.append(np.arange(count) * step, beats)


def _overlaps(notes: Notes, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """(slots, notes): for how many beats each note sounds in each slot."""
    end = np.minimum(notes.onset + notes.length, edges[1:, None])
    return np.asarray(np.maximum(end - np.maximum(notes.onset, edges[:-1, None]), 0))


def _lowest(notes: Notes, over: NDArray[np.float64]) -> NDArray[np.int64]:
    """The pitch class at the bottom of each slot, of the notes that take a fair part of it; -1 in
    silence."""
    fair = over >= np.minimum(0.5, over.max(axis=1, initial=0, keepdims=True) / 2)
    pitch = np.where(fair & (over > 0), notes.pitch, 128).min(axis=1, initial=128)
    return np.where(pitch < 128, pitch % 12, -1)


def _candidates(tonic: int, mode: str, thin: bool) -> list[tuple[int, tuple[int, ...], float]]:
    """Root, pitches and how much likelier it is than others, of each chord that may be."""
    if thin:
        return [
            ((tonic + step) % 12, QUALITIES[quality], bonus)
            for (step, quality), bonus in HARMONISED[mode].items()
        ]
    scale = {(tonic + step) % 12 for step in SCALES[mode]}
    return [
        (root, steps, -seldom - FOREIGN * sum((root + step) % 12 not in scale for step in steps))
        for root in ((tonic + step) % 12 for step in range(12))
        for steps, seldom in zip(QUALITIES.values(), SELDOM, strict=True)
    ]


def _fit(
    heard: NDArray[np.float64], kinds: list[tuple[int, tuple[int, ...], float]]
) -> NDArray[np.float64]:
    """(slots, chords): the share of what is heard that is of the chord, and how likely it is."""
    table = np.zeros((len(kinds), 12))
    for row, (root, steps, _) in zip(table, kinds, strict=True):
        row[[(root + step) % 12 for step in steps]] = 1.0
        row[root] = 1.15
        row[(root + 7) % 12] *= 0.95
    bonus = np.array([bonus for *_, bonus in kinds])
    return np.asarray(heard @ table.T + bonus).round(9)  # so that it's the same in every key


def _best_path(fit: NDArray[np.float64], price: NDArray[np.float64]) -> list[int]:
    """The chord of each slot; ``price`` is that of each change."""
    total = fit[0]
    came = []
    for here, cost in zip(fit[1:], price, strict=True):
        other = int(total.argmax())
        change = total[other] - cost > total
        came.append(np.where(change, other, np.arange(len(total))))
        total = np.where(change, total[other] - cost, total) + here
    path = [int(total.argmax())]
    for before in reversed(came):
        path.append(int(before[path[-1]]))
    return path[::-1]


def _merge(
    edges: NDArray[np.float64], kinds: list[tuple[int, tuple[int, ...]]], basses: list[int]
) -> tuple[Chord, ...]:
    """One chord for slots that follow each other and are the same."""
    merged: list[Chord] = []
    for start, end, (root, steps), low in zip(edges, edges[1:], kinds, basses, strict=False):
        pitches = tuple((root + step) % 12 for step in steps)
        bass = low if low in pitches else root
        last = merged[-1] if merged else None
        if last and (last.root, last.pitches, last.bass) == (root, pitches, bass):
            merged[-1] = Chord(last.onset, float(end) - last.onset, root, pitches, bass)
        else:
            merged.append(Chord(float(start), float(end - start), root, pitches, bass))
    return tuple(merged)
