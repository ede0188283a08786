"""schemathesis asks what the OpenAPI description allows and forbids, of a server that listens."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from serving import ToldCrew, serving, told
from timbretree.library import Library
from timbretree.web import ServeLimits

SONG = Path(__file__).parents[1] / "examples" / "ode_to_joy.ogg"

LIMITS = ServeLimits(upload_bytes=1000, waiting=20, kept=50)
OPERATIONS = (
    ("POST", "/api/jobs"),
    ("GET", "/api/jobs"),
    ("GET", "/api/jobs/{id}"),
    ("DELETE", "/api/jobs/{id}"),
    ("GET", "/api/jobs/{id}/view"),
    ("GET", "/api/jobs/{id}/moment"),
    ("GET", "/api/jobs/{id}/result/{format}"),
    ("GET", "/api/health"),
    ("GET", "/api/library"),
    ("GET", "/api/tracks"),
    ("GET", "/api/tracks/{id}"),
    ("GET", "/api/tracks/{id}/audio"),
    ("GET", "/api/tracks/{id}/view"),
    ("GET", "/api/tracks/{id}/moment"),
    ("GET", "/api/tracks/{id}/result/{format}"),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, made = tmp_path_factory.mktemp("schema"), tmp_path_factory.mktemp("made") / "music.db"
    scan = [sys.executable, "-m", "timbretree", "scan", str(SONG), "--library", str(made)]
    subprocess.run(scan, check=True, capture_output=True)
    with (
        Library(made) as library,
        serving(ToldCrew(2), folder, limits=LIMITS, library=library) as (url, space),
    ):
        yield url
        assert space.receiving == 0


@pytest.fixture(scope="module")
def schema(server: str) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{server}/api/openapi.json")


def test_every_operation_is_asked(schema: schemathesis.BaseSchema) -> None:
    found = {(each.ok().method.upper(), each.ok().path) for each in schema.get_all_operations()}
    assert found == set(OPERATIONS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_the_server_does_as_it_says(
    server: str, schema: schemathesis.BaseSchema, method: str, path: str
) -> None:
    job = httpx.post(
        f"{server}/api/jobs", content=told(), headers={"Timbretree-Client": "me"}, trust_env=False
    ).json()["id"]
    track = httpx.get(f"{server}/api/tracks", trust_env=False).json()["tracks"][0]["id"]
    real = iter([track if "tracks" in path else job] * 10)

    @given(case=schema[path][method].as_strategy())
    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    def ask(case: schemathesis.Case) -> None:
        if "id" in (case.path_parameters or {}):
            case.path_parameters["id"] = next(real, case.path_parameters["id"])
        # no schema can say what is a question of the library, so some are refused with 400
        free = [positive_data_acceptance] if path == "/api/tracks" else []
        case.call_and_validate(excluded_checks=free)

    ask()
