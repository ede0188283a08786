"""The server: uploads and the library behind one guard, and the page that shows them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from timbretree import __version__
from timbretree.library import Library
from timbretree.modelfile import ModelInfo
from timbretree.web.access import Access, Guard
from timbretree.web.api_jobs import jobs_api
from timbretree.web.api_library import about_api, library_api
from timbretree.web.jobs import Hearing, Jobs
from timbretree.web.replies import FormatReply, HealthReply, LimitsReply, refusals
from timbretree.web.site import site
from timbretree.web.spool import Spool
from timbretree.web.trouble import Problem, TroubleError
from timbretree.writers import WRITERS


def create_app(
    crew: Hearing,
    spool: Spool,
    *,
    info: ModelInfo,
    access: Access | None = None,
    library: Library | None = None,
) -> FastAPI:
    """The ASGI app.

    ``crew`` tags the uploads, which lie in ``spool`` meanwhile; the spool's limits are the
    server's. ``info`` is of the model that the crew uses.
    """
    jobs = Jobs(crew, spool, info)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        await jobs.close()

    app = FastAPI(
        title="timbretree",
        summary="Hears which instruments play in a recording, when, and why.",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,  # both load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=life,
    )
    app.add_exception_handler(TroubleError, _trouble)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.include_router(jobs_api(jobs))
    if library is not None:
        app.include_router(library_api(library))
        app.include_router(about_api(library))

    @app.get("/api/health", tags=["server"], responses=refusals())
    async def health() -> HealthReply:
        """Whether the server is well, what it takes, and what it knows."""
        return _health(jobs, info, has_library=library is not None)

    app.router.routes.extend(site())
    app.add_middleware(Guard, access=access or Access())
    return app


def _health(jobs: Jobs, info: ModelInfo, *, has_library: bool) -> HealthReply:
    limits = jobs.limits
    return HealthReply(
        status="ok",
        version=__version__,
        model=info.name,
        taxonomy=info.taxonomy.name,
        waiting=jobs.waiting,
        hearing=jobs.hearing,
        library=has_library,
        limits=LimitsReply(
            upload_bytes=limits.upload_bytes,
            seconds=limits.seconds,
            waiting=limits.waiting,
            waiting_per_client=limits.waiting_per_client,
        ),
        formats=[FormatReply(name=name, suffix=each.suffix) for name, each in WRITERS.items()],
        groups=list(info.taxonomy.groups),
        tags=list(info.taxonomy.tags),
    )


def _trouble(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TroubleError)
    return JSONResponse(error.problem.model_dump(), error.status, error.headers)


def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    problem = Problem(error="invalid", message=f"{where}: {first['msg']}")
    return JSONResponse(problem.model_dump(), 422)


def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    problem = Problem(error=f"http_{error.status_code}", message=str(error.detail))
    return JSONResponse(problem.model_dump(), error.status_code, error.headers)
