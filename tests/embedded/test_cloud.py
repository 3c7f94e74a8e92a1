"""The profile "cloud" speaks Comfy Cloud's dialect, as far as its published contract goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from comfy_mcp.embedded import CLOUD_KEY, BadAnswer, EmbeddedHost, Faults
from tests.contract.probe import Comfy, fresh, new_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

LONG = Faults(node_ms=60_000)


@pytest.fixture
async def host() -> AsyncIterator[EmbeddedHost]:
    """Comfy Cloud."""
    async with EmbeddedHost(profile="cloud") as running:
        yield running


@pytest.fixture
async def client(host: EmbeddedHost) -> AsyncIterator[Comfy]:
    """Somebody with the key."""
    async with aiohttp.ClientSession(headers={"X-API-Key": CLOUD_KEY}) as session:
        yield Comfy(host.url, session, host.profile.version)


@pytest.fixture
async def stranger(host: EmbeddedHost) -> AsyncIterator[Comfy]:
    """Somebody without."""
    async with aiohttp.ClientSession() as session:
        yield Comfy(host.url, session, host.profile.version)


async def submitted(client: Comfy, graph: Any = None, **more: Any) -> str:
    """A job's id, which the server chose."""
    answer = await client.post("/api/prompt", {"prompt": graph or fresh("small"), **more})
    assert answer.status == 200, answer
    prompt_id: str = answer.body["prompt_id"]
    return prompt_id


async def ended(host: EmbeddedHost, client: Comfy, graph: Any = None) -> dict[str, Any]:
    """A job that is over, in full."""
    prompt_id = await submitted(client, graph)
    await host.until(lambda it: prompt_id in it.finished)
    job: dict[str, Any] = (await client.get(f"/api/jobs/{prompt_id}")).body
    return job


# The key, and the prefix


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "comfyui-other"}, {"X-API-Key": ""}])
async def test_without_the_key_nothing_is_answered(
    stranger: Comfy, headers: dict[str, str]
) -> None:
    answer = await stranger.ask("GET", "/api/queue", headers=headers)

    assert answer.status == 401
    assert answer.body == {"code": "UNAUTHORIZED", "message": "Authentication required"}


async def test_a_bearer_will_do_and_what_is_public_needs_nothing(stranger: Comfy) -> None:
    bearer = {"Authorization": f"Bearer {CLOUD_KEY}"}

    assert (await stranger.ask("GET", "/api/queue", headers=bearer)).status == 200
    assert (await stranger.get("/api/system_stats")).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/queue",
        "/prompt",
        "/api/history",
        "/api/internal/logs/raw",
        "/internal/logs/raw",
        "/api/ws",
    ],
)
async def test_what_the_cloud_does_not_have_is_not_found(client: Comfy, path: str) -> None:
    answer = await client.get(path)

    assert (answer.status, answer.body["code"]) == (404, "NOT_FOUND")


# Jobs


async def test_ids_are_the_servers_and_extra_data_is_kept(
    host: EmbeddedHost, client: Comfy
) -> None:
    host.faults = LONG
    asked, tag = new_id(), {"mine": "yes"}
    answer = await client.submit(fresh("small"), prompt_id=asked, extra_data=tag)
    assert answer.status == 404, "only below /api"
    prompt_id = await submitted(client, prompt_id=asked, extra_data=tag, number=-5, front=True)

    job = (await client.get(f"/api/jobs/{prompt_id}")).body

    assert prompt_id != asked
    assert (await client.get(f"/api/jobs/{asked}")).status == 404
    assert job["workflow"]["extra_data"]["mine"] == "yes"
    assert {"id", "status", "create_time", "update_time"} <= set(job)


async def test_neither_number_nor_front_make_a_job_earlier(
    host: EmbeddedHost, client: Comfy
) -> None:
    host.faults = LONG
    ids = [await submitted(client, **more) for more in ({}, {}, {"front": True}, {"number": -9})]

    queue = (await client.get("/api/queue")).body

    places = [item[:2] for item in (*queue["queue_running"], *queue["queue_pending"])]
    assert places == [[place, prompt_id] for place, prompt_id in enumerate(ids, 1)]
    assert queue["queue_pending"][0][3] == ["2"], "output nodes come before what is known of it"
    assert set(queue["queue_pending"][0][4]) == {"create_time"}


async def test_one_job_is_cancelled_wherever_it_is(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = LONG
    running, waiting = [await submitted(client) for _ in range(2)]
    await host.until(lambda it: it.node == "1")

    answers = [
        (await client.post(f"/api/jobs/{each}/cancel", {}))
        for each in (waiting, waiting, running, new_id(), "nonsense")
    ]

    assert [answer.body.get("cancelled") for answer in answers[:3]] == [True, False, True]
    assert [answer.status for answer in answers] == [200, 200, 200, 404, 400]
    assert answers[3].body["code"] == "NOT_FOUND"
    job = (await client.get(f"/api/jobs/{waiting}")).body
    assert job["status"] == "cancelled", "a job that never ran stays, too"


async def test_many_jobs_are_cancelled_or_none(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = LONG
    ids = [await submitted(client) for _ in range(3)]
    await host.until(lambda it: it.node == "1")

    refused = await client.post("/api/jobs/cancel", {"job_ids": [*ids, new_id()]})
    between = (host.running, host.pending)
    answer = await client.post("/api/jobs/cancel", {"job_ids": [ids[0], ids[2]]})

    assert refused.status == 404
    assert between == (ids[0], (ids[1], ids[2]))
    assert answer.body == {"cancelled": [ids[0], ids[2]]}
    again = await client.post("/api/jobs/cancel", {"job_ids": [ids[2]]})
    assert again.body == {"cancelled": []}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"job_ids": []}', b'{"job_ids": ["x"]}', b'{"job_ids": "all"}']
)
async def test_a_list_that_cannot_be_is_refused(client: Comfy, body: bytes) -> None:
    assert (await client.ask("POST", "/api/jobs/cancel", data=body)).status == 400


async def test_an_interrupt_hits_the_first_job_even_if_it_waits(
    host: EmbeddedHost, client: Comfy
) -> None:
    host.faults = Faults(dead_worker=True)
    stuck = await submitted(client)
    await host.until(lambda it: it.running == stuck)
    host.queue.running.clear()
    waiting, last = [await submitted(client) for _ in range(2)]

    answer = await client.post("/api/interrupt", {"prompt_id": last})

    assert (answer.status, answer.body) == (200, "")
    assert host.pending == (last,)
    assert (await client.get(f"/api/jobs/{waiting}")).body["status"] == "cancelled"
    await client.post("/api/interrupt", {})
    assert (await client.post("/api/interrupt", {})).status == 200, "nothing is left"


async def test_deleting_cancels_what_runs_too_and_says_what_it_did(
    host: EmbeddedHost, client: Comfy
) -> None:
    host.faults = LONG
    ids = [await submitted(client) for _ in range(3)]
    await host.until(lambda it: it.node == "1")

    deleted = await client.post("/api/queue", {"delete": [ids[0], ids[1], new_id()]})
    cleared = await client.post("/api/queue", {"clear": True})
    wrong = await client.post("/api/queue", {"remove": []})

    assert deleted.body == {"deleted": ids[:2], "cleared": False}
    assert cleared.body == {"deleted": [], "cleared": True}
    assert (wrong.status, wrong.body["code"]) == (400, "BAD_REQUEST")
    assert host.pending == ()


async def test_jobs_are_listed_by_the_hundred(host: EmbeddedHost, client: Comfy) -> None:
    for _ in range(102):
        await submitted(client)
    await host.until(lambda it: len(it.finished) == 102, 30)

    page = (await client.get("/api/jobs")).body
    rest = (await client.get("/api/jobs", offset="100", sort_order="asc")).body

    assert len(page["jobs"]) == 100
    assert page["pagination"] == {"offset": 0, "limit": 100, "total": 102, "has_more": True}
    assert [job["id"] for job in rest["jobs"]] == list(host.finished[100:])


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "x"},
        {"offset": "-1"},
        {"status": "running"},
        {"sort_by": "created_at"},
        {"sort_order": "up"},
    ],
)
async def test_a_list_query_of_another_dialect_is_refused(
    client: Comfy, query: dict[str, str]
) -> None:
    answer = await client.get("/api/jobs", **query)

    assert (answer.status, answer.body["code"]) == (400, "BAD_REQUEST")


async def test_the_old_status_route_has_states_of_its_own(
    host: EmbeddedHost, client: Comfy
) -> None:
    done = await ended(host, client)

    assert (await client.get(f"/api/job/{done['id']}/status")).body["status"] == "success"
    assert (await client.get(f"/api/job/{new_id()}/status")).status == 404


async def test_history_is_a_list_or_one_entry_or_not_found(
    host: EmbeddedHost, client: Comfy
) -> None:
    first = (await ended(host, client))["id"]
    last = (await ended(host, client))["id"]

    listed = (await client.get("/api/history_v2")).body["history"]
    second = (await client.get("/api/history_v2", offset="1", max_items="1")).body["history"]
    entry = (await client.get(f"/api/history_v2/{first}")).body[first]

    assert [each["prompt_id"] for each in listed] == [last, first]
    assert [each["prompt_id"] for each in second] == [first]
    assert "prompt" not in listed[0]["prompt"]
    assert entry["prompt"]["outputs_to_execute"] == ["2"]
    assert entry["status"]["status_str"] == "success"
    assert (await client.get(f"/api/history_v2/{new_id()}")).status == 404
    await client.post("/api/history", {"delete": [first]})
    assert host.finished == (last,)
    await client.post("/api/history", {"clear": True})
    assert host.finished == ()
    assert (await client.ask("POST", "/api/history", data=b"x")).status == 400


async def test_a_full_queue_is_429_with_a_type(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(http=(BadAnswer("429 QUEUE_LIMIT", "POST", "/prompt", times=1),))

    answer = await client.post("/api/prompt", {"prompt": fresh("small")})

    assert (answer.status, answer.body["error"]["type"]) == (429, "QUEUE_LIMIT")
    await submitted(client)


# Files


async def test_a_file_is_somewhere_else_and_the_key_stays_home(
    host: EmbeddedHost, client: Comfy, stranger: Comfy
) -> None:
    job = await ended(host, client)
    [file] = job["outputs"]["2"]["images"]

    answer = await client.ask("GET", "/api/view", params=file, allow_redirects=False)
    there = answer.headers["Location"]
    async with stranger.session.get(there) as picture:
        content = await picture.read()

    assert answer.status == 302
    assert not there.startswith(client.url), "another origin"
    assert content.startswith(b"\x89PNG")
    [fetched] = [seen for seen in host.seen if seen.path.startswith("/signed/")]
    assert not fetched.keyed
    assert all(seen.keyed for seen in host.seen if seen is not fetched)


async def test_a_key_that_is_sent_to_the_storage_shows(host: EmbeddedHost, client: Comfy) -> None:
    job = await ended(host, client)
    [file] = job["outputs"]["2"]["images"]

    answer = await client.get("/api/view", **file)

    assert answer.status == 200, "aiohttp's client follows, and a session's headers go along"
    assert host.seen[-1].path.startswith("/signed/")
    assert host.seen[-1].keyed


async def test_a_storage_address_cannot_be_made_up(
    host: EmbeddedHost, client: Comfy, stranger: Comfy
) -> None:
    job = await ended(host, client)
    [file] = job["outputs"]["2"]["images"]
    answer = await client.ask("GET", "/api/view", params=file, allow_redirects=False)
    there = answer.headers["Location"]

    async with stranger.session.get(there[:-1] + "x") as refused:
        assert refused.status == 403
    (host.folder / "output" / file["subfolder"] / file["filename"]).unlink()
    async with stranger.session.get(there) as missing:
        assert missing.status == 404


@pytest.mark.parametrize(
    ("query", "status"),
    [({}, 400), ({"filename": "none.png"}, 404), ({"filename": "../x.png"}, 404)],
)
async def test_a_file_that_is_not_there_is_told_in_json(
    client: Comfy, query: dict[str, str], status: int
) -> None:
    answer = await client.get("/api/view", **query)

    assert answer.status == status
    assert set(answer.body) == {"code", "message"}


async def test_an_upload_is_named_by_its_content_and_can_be_loaded(
    host: EmbeddedHost, client: Comfy
) -> None:
    job = await ended(host, client)
    [file] = job["outputs"]["2"]["images"]
    channel = await client.get("/api/view", channel="rgb", **file)
    form = aiohttp.FormData()
    form.add_field("image", channel.body, filename="mine.png")
    form.add_field("subfolder", "deep")
    stored = (await client.ask("POST", "/api/upload/image", data=form)).body

    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": stored["name"]}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
    shown = await ended(host, client, graph)

    assert stored["subfolder"] == ""
    assert stored["name"] != "mine.png"
    assert stored["name"].endswith(".png")
    assert shown["status"] == "completed"
    assert (await client.ask("POST", "/api/upload/image", data={"x": "y"})).status == 400


# The websocket


@pytest.mark.parametrize("how", ["header", "token"])
async def test_everybody_of_the_user_is_told_everything(
    client: Comfy, stranger: Comfy, how: str
) -> None:
    url = f"{client.url}/ws?clientId=one" + (f"&token={CLOUD_KEY}" if how == "token" else "")
    session = stranger.session if how == "token" else client.session
    async with session.ws_connect(url) as socket:
        await submitted(client, client_id="another")
        kinds: list[str] = []
        while "execution_success" not in kinds:
            kinds.append((await socket.receive_json(timeout=20))["type"])

    assert {"status", "notification", "execution_start", "executing", "executed"} <= set(kinds)
    assert kinds.index("notification") < kinds.index("execution_start")


async def test_the_websocket_needs_the_key(stranger: Comfy) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
        async with stranger.listen():
            pass


async def test_small_facts_are_told(client: Comfy) -> None:
    assert "cloud_version" in (await client.get("/api/system_stats")).body["system"]
    for path in ("/api/object_info", "/api/features", "/api/user", "/api/experiment/models"):
        assert (await client.get(path)).status == 200, path
    assert (await client.get("/api/prompt")).body == {"exec_info": {"queue_remaining": 0}}
