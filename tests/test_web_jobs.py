"""Uploads: taken in turn, told how far they are, answered in every format, and forgotten."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import ToldCrew, serving, told
from timbretree.modelfile import SHIPPED, read_info
from timbretree.reasons import REASONS
from timbretree.tagger import Tagger
from timbretree.web import ServeLimits, Spool, spool
from timbretree.web.advice import ADVICE
from timbretree.web.api_jobs import plain_name
from timbretree.web.jobs import Job, Jobs
from timbretree.web.queue import FairQueue
from timbretree.web.ranges import part
from timbretree.web.spool import Upload
from timbretree.web.trouble import TroubleError
from timbretree.writers import WRITERS, as_json

SONG = Path(__file__).parents[1] / "examples" / "ode_to_joy.ogg"
SMALL = ServeLimits(upload_bytes=2_000_000, waiting=6, waiting_per_client=4, patience=0.5, kept=6)


@pytest.fixture(scope="module")
def crew() -> ToldCrew:
    return ToldCrew(1)


@pytest.fixture
def server(crew: ToldCrew, tmp_path: Path) -> Iterator["Client"]:
    with serving(crew, tmp_path, limits=SMALL) as (url, space), Client(url, space) as client:
        yield client


class Client(httpx.Client):
    def __init__(self, url: str, space: Spool) -> None:
        super().__init__(base_url=url, trust_env=False, timeout=20)
        self.space = space

    def hear(self, content: object, name: str = "song", client: str = "me") -> httpx.Response:
        return self.post(
            "/api/jobs", content=content, params={"name": name},  # type: ignore[arg-type]
            headers={"Timbretree-Client": client},
        )  # fmt: skip

    def follow(self, answer: httpx.Response) -> dict[str, object]:
        assert answer.status_code == 201, answer.text
        for _ in range(1000):
            job = self.get(f"/api/jobs/{answer.json()['id']}").json()
            if job.get("state") in ("done", None):
                return job
            time.sleep(0.02)
        raise AssertionError(job)


def test_a_song_is_heard_and_taken_away_in_every_format(server: Client) -> None:
    job = server.follow(server.hear(SONG.read_bytes(), name="C:\\music/../ode <b>.ogg"))
    assert (job["state"], job["status"], job["reason"]) == ("done", "ok", None)
    assert job["name"] == "ode <b>.ogg"
    assert job["heard"] == 28.0
    expected = replace(Tagger()(SONG), file="ode <b>.ogg")
    for name, writer in WRITERS.items():
        answer = server.get(f"/api/jobs/{job['id']}/result/{name}")
        assert answer.status_code == 200, (name, answer.text)
        assert writer.suffix in answer.headers["content-disposition"]
        assert "attachment" in answer.headers["content-disposition"]
        if name == "json":
            assert answer.text == as_json.write(expected, True)
    assert server.get(f"/api/jobs/{job['id']}/result/exe").status_code == 404
    assert not list(server.space.folder.iterdir())
    assert server.space.used == 0


def test_the_page_gets_a_tree_lanes_and_a_look_at_each_moment(server: Client) -> None:
    job = server.follow(server.hear(SONG.read_bytes()))
    view = server.get(f"/api/jobs/{job['id']}/view").json()
    tags = Tagger()(SONG)
    assert [each["id"] for each in view["tree"]] == tags.taxonomy.roots()
    assert len(view["starts"]) == len(view["ends"]) == len(tags.windows)
    assert set(view["lanes"]) == {*tags.taxonomy.tags, *tags.taxonomy.groups}
    last = server.get(f"/api/jobs/{job['id']}/moment", params={"at": 26}).json()
    assert last["start"] <= 26 < last["end"]
    assert last["scores"]["trumpet"]["answer"] == "heard"
    assert "Brass was heard through trumpet (100% of its attention)." in last["sentences"]
    assert last["families"]["vocals"].startswith(("Vocals were not heard", "Vocals may"))
    for group, look in last["attention"].items():  # this head looks at the loudest child alone
        assert list(look.values()) == [1.0]
        assert set(look) <= set(tags.taxonomy.below(group))
    assert server.get(f"/api/jobs/{job['id']}/moment", params={"at": 1e5}).json()["end"] == 28
    assert server.get(f"/api/jobs/{job['id']}/moment", params={"at": -1}).status_code == 422


def test_what_can_not_be_heard_says_why_and_what_to_do(server: Client) -> None:
    job = server.follow(server.hear(b"no sound at all"))
    assert (job["status"], job["reason"]) == ("failed", "not_audio")
    assert job["message"] == REASONS["not_audio"]
    assert job["advice"] == ADVICE["not_audio"]
    view = server.get(f"/api/jobs/{job['id']}/view").json()
    assert (view["tree"], view["lanes"], view["headline"]) == (
        [],
        {},
        "This file could not be heard.",
    )
    assert server.get(f"/api/jobs/{job['id']}/moment", params={"at": 0}).status_code == 404


def test_every_reason_an_upload_can_have_comes_with_advice() -> None:
    of_paths = {"missing", "is_folder", "not_a_file", "unreadable"}
    assert set(ADVICE) == set(REASONS) - of_paths


def test_a_crew_that_breaks_ends_the_job_and_nothing_else(server: Client) -> None:
    job = server.follow(server.hear(told(**{"raise": True})))
    assert (job["status"], job["reason"]) == ("failed", "crashed")
    assert server.follow(server.hear(told(reason="silent", status="ok")))["status"] == "ok"


def test_progress_and_places_are_told_and_clients_take_turns(
    server: Client, crew: ToldCrew
) -> None:
    crew.order.clear()
    first = server.hear(told(seconds=50, steps=50, wait=0.02, me="first")).json()
    greedy = [server.hear(told(me=f"greedy {n}"), client="greedy").json()["id"] for n in range(3)]
    late = server.hear(told(me="late"), client="late").json()["id"]
    asked = server.get("/api/jobs", params={"id": [first["id"], *greedy, late, "unknown"]}).json()
    jobs = {job["id"]: job for job in asked["jobs"]}
    assert jobs[first["id"]]["state"] == "hearing"
    assert [jobs[id]["place"] for id in (*greedy, late)] == [1, 3, 4, 2]
    assert len(jobs) == 5
    seen = set()
    while (job := server.get(f"/api/jobs/{first['id']}").json())["state"] == "hearing":
        seen.add(job["heard"])
        time.sleep(0.02)
    assert len(seen) > 5
    assert max(seen) <= 50
    while server.get("/api/health").json()["hearing"]:
        time.sleep(0.02)
    said = [json.loads(head.removeprefix(b"TOLD "))["me"] for head in crew.order]
    assert said == ["first", "greedy 0", "late", "greedy 1", "greedy 2"]


def test_a_full_queue_refuses_and_says_when_to_come_again(server: Client) -> None:
    server.hear(told(wait=1.0))
    for number in range(4):
        assert server.hear(told(), client="a").json()["place"] == number + 1
    mine = server.hear(told(), client="a")
    assert (mine.status_code, mine.json()["error"]) == (429, "queue_full")
    assert "4 of your files" in mine.json()["message"]
    assert int(mine.headers["retry-after"]) >= 1
    for _ in range(2):
        assert server.hear(told(), client="b").status_code == 201
    assert "6 files wait" in server.hear(told(), client="c").json()["message"]


def test_a_job_is_taken_back(server: Client) -> None:
    server.hear(told(wait=0.3))
    waiting = server.hear(told()).json()["id"]
    assert server.delete(f"/api/jobs/{waiting}").status_code == 204
    assert server.get(f"/api/jobs/{waiting}").status_code == 404
    assert server.delete(f"/api/jobs/{waiting}").status_code == 404
    assert len(list(server.space.folder.iterdir())) == 1


def test_answers_are_not_given_before_they_are_there_and_not_kept_for_ever(server: Client) -> None:
    slow = server.hear(told(wait=0.2)).json()["id"]
    assert server.get(f"/api/jobs/{slow}/view").status_code == 409
    done = [server.follow(server.hear(told()))["id"] for _ in range(7)]
    known = server.get("/api/jobs", params={"id": done}).json()["jobs"]
    assert [job["id"] for job in known] == done[-SMALL.kept :]


def test_too_large_is_refused_by_its_header_and_by_its_count(server: Client) -> None:
    declared = server.hear(b"0" * 2_000_001)
    assert (declared.status_code, declared.json()["error"]) == (413, "too_large")
    counted = server.hear(iter([b"0" * 500_000] * 5))  # sent in chunks, without a length
    assert (counted.status_code, counted.json()["error"]) == (413, "too_large")
    assert server.hear(b"").json()["error"] == "empty"
    assert not list(server.space.folder.iterdir())
    assert (server.space.used, server.space.receiving) == (0, 0)


def test_a_slow_body_is_given_up(tmp_path: Path) -> None:
    async def dripping() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"0"
            await asyncio.sleep(0.05)

    async def stuck() -> AsyncIterator[bytes]:
        yield b"0" * 10
        await asyncio.sleep(60)

    async def send(chunks: AsyncIterator[bytes], limits: ServeLimits) -> None:
        with spool(limits, tmp_path) as space:
            with pytest.raises(TroubleError) as trouble:
                await space.receive(chunks)
            assert trouble.value.status == 408
            assert (space.used, space.receiving, list(space.folder.iterdir())) == (0, 0, [])

    asyncio.run(send(stuck(), ServeLimits(patience=0.1)))
    asyncio.run(send(dripping(), ServeLimits(patience=0.2, slowest=1000)))


def test_uploads_share_the_room_there_is(tmp_path: Path) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"0" * 60

    async def fill() -> None:
        with spool(ServeLimits(spool_bytes=100), tmp_path) as space:
            first = await space.receive(chunks())
            with pytest.raises(TroubleError) as full:
                space.check(60)
            assert full.value.status == 429
            with pytest.raises(TroubleError) as full:
                await space.receive(chunks())
            assert full.value.status == 507
            space.remove(first)
            assert (await space.receive(chunks())).size == 60

    asyncio.run(fill())
    assert not [left for left in tmp_path.iterdir() if left.is_dir()]


def test_a_killed_server_s_uploads_are_removed_and_a_living_one_s_are_not(tmp_path: Path) -> None:
    left = tmp_path / "timbretree-uploads-1-dead"
    left.mkdir()
    (left / "upload").write_bytes(b"0")
    (tmp_path / "timbretree-uploads-1-link").symlink_to(tmp_path)
    with spool(ServeLimits(), tmp_path) as living, spool(ServeLimits(), tmp_path) as another:
        assert living.folder.is_dir()
        assert another.folder.is_dir()
        assert living.folder.stat().st_mode & 0o777 == 0o700
        assert not left.exists()
    assert tmp_path.is_dir()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=30))
def test_the_queue_serves_in_the_order_it_told(steps: list[tuple[str, int]]) -> None:
    queue: FairQueue[str] = FairQueue()
    for number, (client, pops) in enumerate(steps):
        queue.push(client, f"{client}{number}")
        for _ in range(min(pops, len(queue))):
            places = queue.places()
            assert sorted(places.values()) == list(range(1, len(queue) + 1))
            assert places[queue.pop()] == 1
    told_order = sorted(queue.places(), key=queue.places().__getitem__)
    assert [queue.pop() for _ in range(len(queue))] == told_order
    for client in "abc":
        mine = [int(item[1:]) for item in told_order if item[0] == client]
        assert mine == sorted(mine)


def test_old_answers_are_forgotten(tmp_path: Path) -> None:
    async def wait() -> None:
        with spool(replace(SMALL, expiry=0.2), tmp_path) as space:
            jobs = Jobs(ToldCrew(1), space, read_info(SHIPPED))
            path = space.folder / "upload"
            path.write_bytes(told())
            space.used = 1
            job: Job = jobs.add("name", "me", Upload(path, 1))
            while job.state != "done":
                await asyncio.sleep(0.01)
            assert jobs.find([job.id]) == [job]
            await asyncio.sleep(0.25)
            assert jobs.find([job.id]) == []
            await jobs.close()

    asyncio.run(wait())


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd", "passwd"), ("a\\b\\c.mp3", "c.mp3"), ("", "recording"),
        ("///", "recording"),
        ("a\nb\x00c\u202e.ogg", "a�b�c�.ogg"),
        ("é 琴.wav", "é 琴.wav"), ("x" * 500 + ".wav", "x" * 196 + ".wav"),
    ],
)  # fmt: skip
def test_names_are_only_shown(given: str, shown: str) -> None:
    assert plain_name(given) == shown


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        (None, None), ("bytes=0-9", (0, 10)), ("bytes=90-", (90, 100)), ("bytes=-5", (95, 100)),
        ("bytes=-500", (0, 100)), ("bytes=5-1000", (5, 100)), ("BYTES= 1-1", (1, 2)),
        ("bytes=0-0,5-6", None),
        ("bytes=9-2", None), ("lines=0-9", None), ("bytes=-", None), ("bytes=a-b", None),
        ("bytes=1", None),
        ("bytes=" + "9" * 5000 + "-", None), ("bytes=²-", None), ("", None),
    ],
)  # fmt: skip
def test_parts_of_a_file(asked: str | None, span: tuple[int, int] | None) -> None:
    assert part(asked, 100) == span


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=200-300", "bytes=-0"])
def test_parts_beyond_the_end_are_refused(asked: str) -> None:
    with pytest.raises(TroubleError) as trouble:
        part(asked, 100)
    assert trouble.value.headers == {"Content-Range": "bytes */100"}
