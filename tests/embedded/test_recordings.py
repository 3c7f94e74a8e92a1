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

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

FOLDER = Path(__file__).parents[1] / "fixtures" / "comfyui"
VERSIONS = {"old": "0.3.64", "new": "0.33"}
RECORDED: dict[str, Any] = {
    name: json.loads((FOLDER / f"{name}.json").read_text()) for name in VERSIONS
}
UUID = "6163d5f5-120f-41d2-9a61-e21f864a3e3d"


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


def small(**changes: Any) -> dict[str, Any]:
    """The small workflow with nodes replaced."""
    return workflow("small") | {name.lstrip("_"): node for name, node in changes.items()}


def source(kind: str, **inputs: Any) -> dict[str, Any]:
    """Node 1, another one."""
    return small(_1={"class_type": kind, "inputs": inputs})


def empty(**inputs: Any) -> dict[str, Any]:
    """Node 1 with other inputs."""
    return small(
        _1={"class_type": "EmptyImage", "inputs": workflow("small")["1"]["inputs"] | inputs}
    )


def sink(**inputs: Any) -> dict[str, Any]:
    """Node 2 with other inputs."""
    return small(_2={"class_type": "SaveImage", "inputs": {"filename_prefix": "x"} | inputs})


def half() -> dict[str, Any]:
    """The medium workflow with a wrong choice in node 4."""
    graph = workflow("medium")
    graph["4"]["inputs"]["upscale_method"] = "nope"
    return graph


def cycle() -> dict[str, Any]:
    """Two nodes that need each other."""
    return {
        "1": {"class_type": "ImageInvert", "inputs": {"image": ["2", 0]}},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "x"}},
    }


ONLY_EMPTY = {"1": workflow("small")["1"]}
SUBMITTED: dict[str, Any] = {
    "no_prompt": {},
    "list_json": [],
    "unknown_node": {"prompt": source("Nope")},
    "unknown_node_meta": {
        "prompt": small(_1={"class_type": "Nope", "_meta": {"title": "My node"}})
    },
    "no_class_type": {"prompt": small(_1={"inputs": {}})},
    "ui_format": {"prompt": {"nodes": [], "links": []}},
    "no_outputs": {"prompt": ONLY_EMPTY},
    "empty_prompt": {"prompt": {}},
    "too_small": {"prompt": empty(width=0)},
    "bad_int": {"prompt": empty(width="abc")},
    "missing_input": {"prompt": sink()},
    "not_in_list_partial": {"prompt": half()},
    "dangling_link": {"prompt": sink(images=["99", 0])},
    "bad_slot": {"prompt": sink(images=["1", 9])},
    "bad_link": {"prompt": sink(images=["1"])},
    "type_mismatch": {"prompt": source("EmptyLatentImage", width=64, height=64, batch_size=1)},
    "cycle": {"prompt": cycle()},
    "loadimage_missing": {"prompt": source("LoadImage", image="nope.png")},
    "pid_bad": {"prompt": small(), "prompt_id": "my-id"},
    "pid_null": {"prompt": small(), "prompt_id": None},
    "pid_upper": {"prompt": small(), "prompt_id": UUID.upper()},
    "pid_int": {"prompt": small(), "prompt_id": 5},
    "number": {"prompt": small(), "number": -3.5},
    "front": {"prompt": small(), "front": True},
    "number_str": {"prompt": small(), "number": "abc"},
    "partial_none": {"prompt": small(), "partial_execution_targets": ["1"]},
    "partial_ok": {"prompt": small(), "partial_execution_targets": ["2"]},
    "partial_empty": {"prompt": small(), "partial_execution_targets": []},
}
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


ASKED: dict[str, tuple[str, str, Any]] = {
    "features": ("GET", "/features", None),
    "system_stats": ("GET", "/system_stats", None),
    "embeddings": ("GET", "/embeddings", None),
    "models": ("GET", "/models", None),
    "models_nope": ("GET", "/models/nope", None),
    "oi_nope": ("GET", "/object_info/Nope", None),
    "history_nope": ("GET", "/history/nope", None),
    "history_bad": ("GET", "/history?max_items=x", None),
    "history_0": ("GET", "/history?max_items=0", None),
    "interrupt_empty": ("POST", "/interrupt", b""),
    "interrupt_json_nobody": ("POST", "/interrupt", b"{}"),
    "interrupt_unknown": ("POST", "/interrupt", b'{"prompt_id": "nope"}'),
    "interrupt_list": ("POST", "/interrupt", b"[]"),
    "interrupt_get": ("GET", "/interrupt", None),
    "queue_empty": ("POST", "/queue", b"{}"),
    "queue_nobody": ("POST", "/queue", b""),
    "queue_del_unknown": ("POST", "/queue", b'{"delete": ["nope"]}'),
    "queue_del_str": ("POST", "/queue", b'{"delete": "nope"}'),
    "free": ("POST", "/free", b'{"unload_models": true, "free_memory": true}'),
    "free_nobody": ("POST", "/free", b""),
    "jobs_bad_status": ("GET", "/api/jobs?status=foo", None),
    "jobs_bad_sort": ("GET", "/api/jobs?sort_by=foo", None),
    "jobs_bad_order": ("GET", "/api/jobs?sort_order=foo", None),
    "jobs_bad_limit": ("GET", "/api/jobs?limit=0", None),
    "jobs_bad_limit2": ("GET", "/api/jobs?limit=x", None),
    "jobs_bad_offset": ("GET", "/api/jobs?offset=x", None),
    "jobs_failed": ("GET", "/api/jobs?status=failed", None),
    "jobs_noprefix": ("GET", "/jobs", None),
    "job_nope": ("GET", "/api/jobs/nope", None),
    "cancel_unknown": ("POST", f"/api/jobs/{UUID}/cancel", b""),
    "cancel_batch_badjson": ("POST", "/api/jobs/cancel", b"{"),
    "cancel_batch_notlist": ("POST", "/api/jobs/cancel", b'{"job_ids": "x"}'),
    "cancel_batch_invalid": ("POST", "/api/jobs/cancel", b'{"job_ids": ["x", 5]}'),
    "cancel_batch_unknown": ("POST", "/api/jobs/cancel", f'{{"job_ids": ["{UUID}"]}}'.encode()),
    "cancel_batch_empty": ("POST", "/api/jobs/cancel", b'{"job_ids": []}'),
    "notfound": ("GET", "/nope", None),
    "api_prompt": ("GET", "/api/prompt", None),
    "settings": ("GET", "/settings", None),
    "users": ("GET", "/users", None),
    "extensions": ("GET", "/extensions", None),
    "i18n": ("GET", "/i18n", None),
}
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


LOOKED: dict[str, dict[str, str]] = {
    "view_missing": {"filename": "nope.png"},
    "view_nofn": {},
    "view_emptyfn": {"filename": ""},
    "view_badtype": {"filename": "small_00001_.png", "type": "nope"},
    "view_dotdot": {"filename": "../x.png"},
    "view_abs": {"filename": "/etc/passwd"},
    "view_sub": {"filename": "x.png", "subfolder": "../.."},
    "view_sub_abs": {"filename": "x.png", "subfolder": "/etc"},
    "view": {"filename": "small_00001_.png"},
    "view_annot": {"filename": "small_00001_.png [output]", "type": "temp"},
    "view_preview": {"filename": "small_00001_.png", "preview": "webp;90"},
    "view_preview_j": {"filename": "small_00001_.png", "preview": "jpeg;80"},
    "view_rgb": {"filename": "small_00001_.png", "channel": "rgb"},
    "view_a": {"filename": "small_00001_.png", "channel": "a"},
}
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


UPLOADED: list[tuple[str, str, bytes, dict[str, str]]] = [
    ("up", "t.png", b"one", {}),
    ("up_same", "t.png", b"one", {}),
    ("up_diff", "t.png", b"two", {}),
    ("up_over", "t.png", b"two", {"overwrite": "true"}),
    ("up_sub", "t.png", b"one", {"subfolder": "a/b", "type": "temp"}),
    ("up_trav", "t.png", b"one", {"subfolder": "../../x"}),
    ("up_trav2", "..%2F..%2Fy.png", b"one", {}),
    ("up_badtype", "t.png", b"one", {"type": "nope"}),
    ("up_html", "x.html", b"<script>", {}),
]


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
