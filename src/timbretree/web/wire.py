"""The connections below the app: who sends a request too slowly, or does not take the answer, is
cut off, so that no connection is held for ever."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

from timbretree.web.limits import ServeLimits

LONGEST_HEAD = 16 << 10
"""Bytes of the head of a request."""


def wire(limits: ServeLimits) -> type[H11Protocol]:
    """The protocol for ``uvicorn.Config(http=...)``, as patient as the limits say.

    uvicorn itself waits for ever for the head of a request, for the rest of a body that was
    refused, and for a client to take its answer.
    """

    class Wire(H11Protocol):
        _late: asyncio.TimerHandle | None = None
        _stuck: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._look()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._look()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._look()

        def connection_lost(self, exc: Exception | None) -> None:
            self._late = _stop(self._late)
            self._stuck = _stop(self._stuck)
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._stuck = self.loop.call_later(limits.patience, self.transport.abort)

        def resume_writing(self) -> None:
            self._stuck = _stop(self._stuck)
            super().resume_writing()

        def _look(self) -> None:
            """While the app is at work it has its own patience; else something is to come soon."""
            if self.cycle is not None and not self.cycle.response_complete:
                self._late = _stop(self._late)
            elif self._late is None and not self.transport.is_closing():
                self._late = self.loop.call_later(limits.patience, self.transport.abort)

    return Wire


def _stop(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    if timer is not None:
        timer.cancel()
    return None
