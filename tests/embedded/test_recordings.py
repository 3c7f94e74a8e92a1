"""What real ComfyUI servers answered, recorded, has the shape of what the embedded host answers."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from comfy_mcp.embedded import EmbeddedHost
from tests.contract.probe import Comfy, workflow
from tests.embedded.replay import ASKED, LOOKED, SUBMITTED, UPLOADED, UUID

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

FOLDER = Path(__file__).parents[1] / "fixtures" / "comfyui"
VERSIONS = {"old": "0.3.64", "new": "0.33"}
RECORDED: dict[str, Any] = {
    name: json.loads((FOLDER / f"{name}.json").read_text()) for name in VERSIONS
}


def shape(value: Any) -> Any:
    """What kind of thing a JSON value is: keys and types, no values; lists by their kinds."""
    if isinstance(value, dict):
        named = {"1", "2", "3", "4"}
        return {"#" if _is_id(key) else key: shape(each) for key, each in value.items()} | {
            key: shape(value[key]) for key in named & set(value)
        }
    if isinstance(value, list):
        return sorted({json.dumps(shape(each), sort_keys=True) for each in value})
    if isinstance(value, bool) or value is None:
        return type(value).__name__
    return "number" if isinstance(value, int | float) else "text"


def _is_id(key: str) -> bool:
    return len(key) == len(UUID) and key.count("-") == UUID.count("-")


@pytest.fixture(params=VERSIONS)
def age(request: pytest.FixtureRequest) -> str:
    """Which recording."""
    name: str = request.param
    return name


@pytest.fixture
async def comfyui(age: str) -> AsyncIterator[Comfy]:
    """An embedded host of the version that was recorded."""
    async with EmbeddedHost(profile=VERSIONS[age]) as host, aiohttp.ClientSession() as session:
        yield Comfy(host.url, session, host.profile.version)


TOLD_EXACTLY = {"type", "message", "details"}


@pytest.mark.parametrize("name", SUBMITTED)
async def test_a_recorded_submission_is_answered_the_same(
    comfyui: Comfy, age: str, name: str
) -> None:
    status, headers, body = RECORDED[age]["errors"][name]

    answer = await comfyui.post("/prompt", SUBMITTED[name])

    assert answer.status == status
    assert answer.headers["Content-Type"] == headers["Content-Type"]
    assert shape(answer.body) == shape(body)
    if status == 400:
        ours, theirs = answer.body["error"], body["error"]
        assert {key: ours[key] for key in TOLD_EXACTLY} == {
            key: theirs[key] for key in TOLD_EXACTLY
        }
        assert list(answer.body["node_errors"]) == list(body["node_errors"])


def test_every_recorded_submission_is_replayed() -> None:
    for recorded in RECORDED.values():
        assert set(recorded["errors"]) == set(SUBMITTED) | {"bad_json"}


MAY_DIFFER = {"models", "system_stats"}


@pytest.mark.parametrize("name", ASKED)
async def test_a_recorded_question_is_answered_the_same(
    comfyui: Comfy, age: str, name: str
) -> None:
    method, path, body = ASKED[name]
    status, headers, told = RECORDED[age]["misc"][name]

    answer = await comfyui.ask(method, path, data=body)

    assert answer.status == status
    assert answer.headers.get("Content-Type") in {
        headers.get("Content-Type"),
        "application/octet-stream",
    }
    if name in MAY_DIFFER:
        assert type(answer.body) is type(told)
    else:
        assert answer.body == (told if told is not None else "")


async def test_the_statistics_have_every_recorded_field(comfyui: Comfy, age: str) -> None:
    _status, _headers, told = RECORDED[age]["misc"]["system_stats"]

    stats = (await comfyui.get("/system_stats")).body

    assert set(stats["system"]) == set(told["system"])
    assert set(stats["devices"][0]) == set(told["devices"][0])
    assert stats["system"]["os"] == told["system"]["os"]
    assert stats["system"]["comfyui_version"] == told["system"]["comfyui_version"]


@pytest.mark.parametrize("name", ["small", "batch"])
async def test_a_recorded_job_leaves_the_same_messages_and_history(
    comfyui: Comfy, age: str, name: str
) -> None:
    recorded = RECORDED[age][name]

    ended = await _replayed(comfyui, workflow(name), name)

    _compare(ended, recorded)


async def test_a_recorded_job_that_was_cached_too(comfyui: Comfy, age: str) -> None:
    await _replayed(comfyui, workflow("small"), "small")

    ended = await _replayed(comfyui, workflow("small"), "small_cached")

    _compare(ended, RECORDED[age]["small_cached"])


async def _replayed(comfyui: Comfy, graph: dict[str, Any], name: str) -> dict[str, Any]:
    flags = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}
    extra = {"extra_pnginfo": {"workflow": {"id": f"wf-{name}"}}}
    async with comfyui.listen() as listener:
        await listener.say(flags)
        await listener.until_type("feature_flags")
        answer = await comfyui.submit(graph, client_id=listener.sid, extra_data=extra)
        await listener.until_end(answer.body["prompt_id"])
        prompt_id = answer.body["prompt_id"]
        history = (await comfyui.get(f"/history/{prompt_id}")).body
        job = await comfyui.get(f"/api/jobs/{prompt_id}")
        told = [job.status, {}, job.body]
        return {"resp": answer.body, "history": history, "ws": listener.messages, "job": told}


def _compare(ended: dict[str, Any], recorded: dict[str, Any]) -> None:
    kinds = [message["type"] for message in recorded["ws"]]
    assert [message["type"] for message in ended["ws"]] == kinds
    for ours, theirs in zip(ended["ws"], recorded["ws"], strict=True):
        assert shape(ours) == shape(theirs), theirs["type"]
    for part in ("resp", "history"):
        assert shape(ended[part]) == shape(recorded[part])
    assert ended["job"][0] == recorded["job"][0]
    assert shape(ended["job"][2]) == shape(recorded["job"][2])


CHANGING = {"Content-Length", "Etag", "Last-Modified", "Date", "Server"}


@pytest.mark.parametrize("name", LOOKED)
async def test_a_recorded_look_at_a_file_is_answered_the_same(
    comfyui: Comfy, age: str, name: str
) -> None:
    status, headers, _length, start = RECORDED[age]["files"][name]
    await comfyui.run(workflow("small"))

    answer = await comfyui.get("/view", **LOOKED[name])

    ours = {key: value for key, value in answer.headers.items() if key not in CHANGING}
    assert answer.status == status
    assert ours == headers
    raw = answer.body if isinstance(answer.body, bytes) else answer.body.encode()
    assert raw[:4].hex() == start[:8]


async def test_recorded_uploads_are_answered_the_same(comfyui: Comfy, age: str) -> None:
    for name, file, content, fields in UPLOADED:
        status, _headers, told = RECORDED[age]["files"][name]
        form = aiohttp.FormData(fields, quote_fields=False)
        form.add_field("image", io.BytesIO(content), filename=file)

        answer = await comfyui.ask("POST", "/upload/image", data=form)

        assert (name, answer.status, answer.body) == (name, status, told)


async def test_recorded_origins_are_judged_the_same(comfyui: Comfy, age: str) -> None:
    own, port = comfyui.url, comfyui.url.rpartition(":")[2]
    sent = {
        "origin_evil": {"Origin": "http://evil.com"},
        "origin_ok": {"Origin": own},
        "origin_otherport": {"Origin": "http://127.0.0.1:1"},
        "origin_noport": {"Origin": "http://127.0.0.1"},
        "origin_localhost": {"Origin": f"http://localhost:{port}"},
        "origin_null": {"Origin": "null"},
        "sfs_cross": {"Sec-Fetch-Site": "cross-site"},
        "sfs_same": {"Sec-Fetch-Site": "same-origin"},
        "host_evil": {"Host": "evil.com"},
        "host_evil_origin_evil": {"Host": "evil.com", "Origin": "http://evil.com"},
        "origin_badport": {"Origin": "http://127.0.0.1:99999"},
    }

    answers = {
        name: (await comfyui.ask("GET", "/prompt", headers=headers)).status
        for name, headers in sent.items()
    }

    assert answers == {name: RECORDED[age]["security"][name] for name in sent}
