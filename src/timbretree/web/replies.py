"""The shapes of the answers, for the OpenAPI description and for whoever writes a client."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from timbretree.web.trouble import Problem


class JobReply(BaseModel):
    """How far an upload is."""

    id: str
    name: str
    state: Literal["waiting", "hearing", "done"]
    place: int | None = Field(description="Place in the queue while it waits; 1 is next.")
    heard: float = Field(description="Seconds of sound that were heard up to now.")
    status: str | None = Field(description="Once it is done: ok, partial or failed.")
    reason: str | None = Field(description="A code, where not all is well.")
    message: str | None = Field(description="The reason in words.")
    advice: str | None = Field(description="What can be done about it.")


class JobsReply(BaseModel):
    """How far several uploads are; those that are not known any more are left out."""

    jobs: list[JobReply]


class FormatReply(BaseModel):
    """A way to write down what was heard."""

    name: str
    suffix: str


class LimitsReply(BaseModel):
    """What is taken at most."""

    upload_bytes: int
    seconds: float
    waiting: int
    waiting_per_client: int


class HealthReply(BaseModel):
    """Whether the server is well, and what it is."""

    status: Literal["ok"]
    version: str
    model: str
    taxonomy: str
    waiting: int
    hearing: int
    library: bool
    limits: LimitsReply
    formats: list[FormatReply]
    groups: list[str]
    tags: list[str]


class ViewReply(BaseModel):
    """All that the page shows of a recording at once."""

    name: str
    status: str = Field(description="ok, partial or failed.")
    reason: str | None
    message: str | None
    advice: str | None
    headline: str
    seconds: float
    model: str
    taxonomy: str
    notes: list[str]
    tree: list[dict[str, Any]] = Field(description="Families with their instruments, nested.")
    attention: dict[str, dict[str, float]] | None = Field(
        description="The share that each family gave each instrument; null where it takes no look."
    )
    sentences: list[str] = Field(description="Why each family was heard, in words.")
    binned: bool = Field(description="Whether a cell shows the most probable of several windows.")
    starts: list[float]
    ends: list[float]
    lanes: dict[str, list[int]] = Field(description="Percent in each cell, by name.")


class MomentReply(BaseModel):
    """One window looked at closely."""

    start: float
    end: float
    headline: str
    sentences: list[str] = Field(description="Why the families that were heard were heard.")
    families: dict[str, str] = Field(description="A sentence on each family, heard or not.")
    attention: dict[str, dict[str, float]] | None
    scores: dict[str, dict[str, Any]]


class StrandReply(BaseModel):
    """Where one instrument or family plays in a track."""

    id: str
    label: str
    probability: float
    answer: str = Field(description="heard, unsure or not heard.")
    spans: list[tuple[float, float, str]] = Field(description="Start, end, heard or unsure.")


class TrackReply(BaseModel):
    """A track of the library."""

    id: str
    title: str
    artist: str | None
    album: str | None
    file: str = Field(description="Its name, without the folder.")
    there: bool
    seconds: float
    note: str | None = Field(description="What is wrong with it.")
    strands: list[StrandReply]


class FoundReply(BaseModel):
    """A page of answers."""

    total: int
    offset: int
    tracks: list[TrackReply]


class NameReply(BaseModel):
    """An instrument or a family across the collection."""

    id: str
    label: str
    heard: int
    unsure: int
    seconds: float
    group: bool


class LibraryReply(BaseModel):
    """The collection in numbers, and how it is asked."""

    tracks: int
    seconds: float
    statuses: dict[str, int]
    reasons: dict[str, int]
    instruments: list[NameReply]
    groups: list[NameReply]
    sorts: list[str]
    help: str


WORDS = {
    400: "The request can't be understood",
    401: "A token is needed",
    403: "Asked by a wrong name, or by a page of another origin",
    404: "There is no such thing, or no longer",
    408: "The file came too slowly",
    409: "Not heard yet",
    410: "The file is not there any more",
    413: "The file is too large",
    416: "The part lies beyond the end",
    422: "A parameter is missing or of the wrong kind",
    429: "The queue is full; Retry-After says when to come again",
    501: "The server lacks what this format needs",
    503: "There are too many connections",
    507: "The server has no room",
}


def refusals(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The refusals that an operation may answer with, and those that any may."""
    return {
        code: {"model": Problem, "description": WORDS[code]}
        for code in sorted({401, 403, 503, *codes})
    }
