"""The requests that were recorded, by the names they were recorded under."""

from __future__ import annotations

from typing import Any

from tests.contract.probe import workflow

__all__ = ["ASKED", "LOOKED", "SUBMITTED", "UPLOADED", "UUID"]

UUID = "6163d5f5-120f-41d2-9a61-e21f864a3e3d"


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
