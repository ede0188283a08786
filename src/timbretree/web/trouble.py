"""What went wrong with a request, as every answer that is no success says it."""

from collections.abc import Mapping

from pydantic import BaseModel


class Problem(BaseModel):
    """Why a request was refused: a code for programs, and words for a person."""

    error: str
    message: str
    at: int | None = None
    """Where in a search the trouble is: letters from its beginning."""
    length: int | None = None
    """How many letters of it are meant."""


class TroubleError(Exception):
    """A refusal on its way to the client."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        span: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.headers = status, dict(headers or {})
        at, length = span or (None, None)
        self.problem = Problem(error=code, message=message, at=at, length=length)
