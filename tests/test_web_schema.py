"""schemathesis asks what the OpenAPI description allows and forbids, of a server that listens."""

from collections.abc import Iterator

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from serving import ToldCrew, serving, told
from timbretree.web import ServeLimits

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
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(ToldCrew(2), tmp_path_factory.mktemp("schema"), limits=LIMITS) as (url, space):
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
    real = iter([job] * 10)

    @given(case=schema[path][method].as_strategy())
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    def ask(case: schemathesis.Case) -> None:
        if "id" in (case.path_parameters or {}):
            case.path_parameters["id"] = next(real, case.path_parameters["id"])
        case.call_and_validate()

    ask()
