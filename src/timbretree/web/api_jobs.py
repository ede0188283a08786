"""Uploads: send a file, follow it, and take what was heard in any format."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request

from timbretree.tags import Tags
from timbretree.web.advice import advice
from timbretree.web.api_answers import answer_with
from timbretree.web.jobs import Job, Jobs
from timbretree.web.replies import JobReply, JobsReply, refusals
from timbretree.web.trouble import TroubleError

LONGEST_NAME = 200
AT_ONCE = 50
"""Jobs that are asked after at a time."""

Id = Annotated[str, Path(max_length=64, description="The id of a job.")]
Name = Annotated[
    str, Query(max_length=1024, description="What the recording is called; only shown, not opened.")
]
Client = Annotated[
    str,
    Header(
        alias="Timbretree-Client",
        pattern="^[A-Za-z0-9_-]{1,64}$",
        description="Any name you choose: clients take turns, and a page of another origin can't "
        "send it.",
    ),
]


def jobs_api(jobs: Jobs) -> APIRouter:
    """The operations on uploads."""
    api = APIRouter(prefix="/api/jobs", tags=["uploads"])

    @api.post(
        "",
        status_code=201,
        response_model=JobReply,
        responses=refusals(400, 408, 413, 422, 429, 507),
        openapi_extra={
            "requestBody": {
                "required": True,
                "description": "The sound file itself.",
                "content": {"application/octet-stream": {"schema": {
                    "type": "string", "format": "binary", "minLength": 1}}},
            }
        },
    )  # fmt: skip
    async def hear(request: Request, client: Client, name: Name = "recording") -> JobReply:
        """Send a file to be heard. The answer comes when it was received, not when it was heard."""
        jobs.check(client)
        jobs.spool.check(_length(request))
        upload = await jobs.spool.receive(request.stream())
        try:
            jobs.check(client)
        except TroubleError:
            jobs.spool.remove(upload)
            raise
        return reply(jobs.add(plain_name(name), client, upload), jobs)

    @api.get("", responses=refusals(422))
    async def follow(id: Annotated[list[str], Query(max_length=AT_ONCE)]) -> JobsReply:
        """How far some jobs are."""
        return JobsReply(jobs=[reply(job, jobs) for job in jobs.find(id)])

    @api.get("/{id}", responses=refusals(404, 422))
    async def status(id: Id) -> JobReply:
        """How far a job is."""
        return reply(jobs.get(id), jobs)

    @api.delete("/{id}", status_code=204, responses=refusals(404, 422))
    async def forget(id: Id) -> None:
        """Forget a job: it is not heard if it waits, and what was heard is not kept."""
        jobs.remove(id)

    async def heard(id: str) -> Tags:
        return await asyncio.to_thread(jobs.tags, jobs.get(id))

    answer_with(api, heard)
    return api


def reply(job: Job, jobs: Jobs) -> JobReply:
    """How far a job is, as it is told."""
    waits = job.state == "waiting"
    return JobReply(
        id=job.id,
        name=job.name,
        state=job.state,
        place=jobs.places().get(job) if waits else None,
        heard=round(job.heard, 2),
        status=job.status,
        reason=job.reason,
        message=job.message,
        advice=advice(job.reason),
    )


def plain_name(name: str) -> str:
    """The last part of what a client calls its file, without what can't be shown."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    shown = "".join(letter if letter.isprintable() else "�" for letter in last)
    return shown[-LONGEST_NAME:].strip() or "recording"


def _length(request: Request) -> int | None:
    declared = request.headers.get("content-length", "")
    plain = declared.isascii() and declared.isdigit() and len(declared) < 20
    return int(declared) if plain else None
