"""What was heard as JAMS 0.3 (Humphrey et al. 2014), the annotation format of music research."""

import json
from typing import Any

from timbretree.spans import Span, family_spans, spans
from timbretree.tags import GroupScore, Tags, TagScore, verdict

VERSION = "0.3.4"
NAMESPACE = "tag_open"
"""Any tag, over a stretch of time: instruments and families have no namespace of their own."""
RULES = {
    "instruments": "instruments that are present in the recording as a whole",
    "instruments in time": "when each instrument is present",
    "instruments in time, unsure": "when each instrument may play, though the evidence is thin",
    "families": "families of instruments that are present in the recording as a whole",
    "families in time": "when each family is present",
    "families in time, unsure": "when each family may play, though the evidence is thin",
}
"""The annotations by what their sandbox calls them, and what stands in them."""


def write(tags: Tags, explain: bool) -> str:
    """A JAMS file: what is present as a whole, and when, each level in an annotation of its own.

    Values are the names of tags and groups, confidences their probabilities. The sandboxes hold the
    rest: the probabilities and answers of all of them, status, reason, notes and the tree;
    ``explain`` adds the attention of the families. A recording that failed has no annotations. The
    names of files, which JAMS has no place for, stand in the sandbox, too.
    """
    data = {
        "annotations": [] if tags.status == "failed" else _annotations(tags, explain),
        "file_metadata": {
            "title": "",
            "artist": "",
            "release": "",
            "duration": round(tags.seconds, 6),
            "identifiers": {},
            "jams_version": VERSION,
        },
        "sandbox": {
            "file": tags.file,
            "status": tags.status,
            "reason": tags.reason,
            "message": tags.message,
            "notes": list(tags.notes),
            "taxonomy": tags.taxonomy.to_dict(),
        },
    }
    # in ASCII, so that a name with undecodable bytes (lone surrogates) comes back as it was
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


def _annotations(tags: Tags, explain: bool) -> list[dict[str, Any]]:
    levels = (
        ("instruments", tags.tags, spans(tags)),
        ("families", tags.groups, family_spans(tags)),
    )
    found = []
    for level, scores, stretches in levels:
        whole = [_over_all(tags, score) for score in scores if score.present]
        found.append(_annotation(tags, level, whole, {"scores": _scores(scores, explain)}))
        for answer, unsure in ((f"{level} in time", False), (f"{level} in time, unsure", True)):
            data = [_over(span) for span in stretches if span.unsure == unsure]
            found.append(_annotation(tags, answer, data, {}))
    return found


def _annotation(
    tags: Tags, what: str, data: list[dict[str, Any]], beside: dict[str, Any]
) -> dict[str, Any]:
    from timbretree import __version__

    return {
        "namespace": NAMESPACE,
        "time": 0.0,
        "duration": round(tags.seconds, 6),
        "annotation_metadata": {
            "curator": {"name": "timbretree", "email": ""},
            "annotator": {"model": tags.model},
            "version": __version__,
            "corpus": "",
            "annotation_tools": f"timbretree {__version__}, model {tags.model}",
            "annotation_rules": RULES[what],
            "validation": "",
            "data_source": "program",
        },
        "data": data,
        "sandbox": {"what": what, **beside},
    }


def _over_all(tags: Tags, score: TagScore | GroupScore) -> dict[str, Any]:
    return _observation(0.0, tags.seconds, score.name, score.probability)


def _over(span: Span) -> dict[str, Any]:
    return _observation(span.start, span.seconds, span.name, span.probability)


def _observation(start: float, seconds: float, value: str, confidence: float) -> dict[str, Any]:
    return {
        "time": round(float(start), 6),
        "duration": round(float(seconds), 6),
        "value": value,
        "confidence": round(float(confidence), 4),
    }


def _scores(scores: tuple[TagScore, ...] | tuple[GroupScore, ...], explain: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for score in scores:
        answer = verdict(score.present, score.unsure)
        told: dict[str, Any] = {"probability": round(score.probability, 4), "answer": answer}
        if explain and isinstance(score, GroupScore):
            told["attention"] = {tag: round(w, 4) for tag, w in score.attention.items()}
        found[score.name] = told
    return found
