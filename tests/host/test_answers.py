"""Every answer but the right one has a sentence, a thing to do, and says whether to try again."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.errors import (
    HostBusy,
    HostError,
    HostRejected,
    HostTimeout,
    HostUnreachable,
    NotComfyUI,
)
from comfy_mcp.host.answers import ANSWERS, refused

BASE = "http://127.0.0.1:8188"


def answer(status: int, body: object = b"<html>", kind: str = "text/html") -> HostError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return refused(BASE, "/api/prompt", status, kind, content)


@pytest.mark.parametrize(
    ("status", "error", "text", "again"),
    [
        (401, NotComfyUI, "COMFYUI_API_KEY or COMFYUI_HEADERS", False),
        (402, HostRejected, "no credits left", False),
        (403, NotComfyUI, "COMFYUI_API_KEY or COMFYUI_HEADERS", False),
        (404, NotComfyUI, "Check COMFYUI_HOST (and its path prefix)", False),
        (408, HostTimeout, "Try again", True),
        (413, HostRejected, "--max-upload-size", False),
        (429, HostBusy, "Wait a minute", True),
        (500, NotComfyUI, "ComfyUI's own log", False),
        (502, HostUnreachable, "ComfyUI behind it does not", True),
        (503, HostUnreachable, "Try again in a minute", True),
        (504, HostTimeout, "gave up waiting", True),
        (302, NotComfyUI, "wants a login", False),
        (200, NotComfyUI, "gave HTTP 200, with text/html where ComfyUI's JSON", False),
        (418, NotComfyUI, "is not ComfyUI", False),
    ],
)
def test_a_status_is_told_with_what_to_do(
    status: int, error: type[HostError], text: str, again: bool
) -> None:
    told = answer(status)

    assert type(told) is error
    assert text in str(told)
    assert f"HTTP {status}" in str(told)
    assert told.retryable is again


@pytest.mark.parametrize(
    ("status", "body", "kind", "again"),
    [
        (402, {"code": "PAYMENT_REQUIRED", "message": "Add credits"}, "payment_required", False),
        (
            429,
            {"error": {"type": "PAYMENT_REQUIRED", "message": "m"}},
            "payment_required",
            False,
        ),
        (429, {"error": {"type": "QUEUE_LIMIT", "message": "m"}}, "queue_limit", True),
        (429, {"code": "TOO_MANY", "message": "m"}, "rate_limited", True),
        (
            403,
            {"code": "PARTNER_NODE_DISABLED", "message": "m"},
            "partner_node_disabled",
            False,
        ),
        (422, {"error": {"code": "missing_asset", "message": "m"}}, "missing_asset", False),
        (402, {"error": {"code": "insufficient_credits"}}, "payment_required", False),
    ],
)
def test_comfy_clouds_own_words_count_before_the_status(
    status: int, body: object, kind: str, again: bool
) -> None:
    told = answer(status, body)

    assert isinstance(told, HostRejected)
    assert (told.kind, told.status, told.retryable) == (kind, status, again)
    assert told.details()["type"] == kind


def test_what_the_host_says_is_told_cleaned_and_short() -> None:
    says = "Token token=abc123 of /srv/app/users.py is no good. " + "x" * 5_000

    told = str(answer(401, {"code": "UNAUTHORIZED", "message": says}))

    assert "It says: Token token=… of …/users.py is no good." in told
    assert len(told) < 700


def test_a_page_is_not_told() -> None:
    assert "secret" not in str(answer(502, b"<html>secret</html>"))


@pytest.mark.parametrize("body", [{"error": "Job ids must be a list"}, {"message": "bad"}])
def test_a_host_that_says_why_it_refused_is_believed(body: object) -> None:
    told = answer(400, body, "application/json")

    assert isinstance(told, HostRejected)
    assert "It says:" in str(told)


@pytest.mark.parametrize(
    "body", [b"", b"[", b"[1]", b"5", b"{}", b'{"error": {"message": 5}}', b"[" * 90_000, b"\xff"]
)
def test_what_says_nothing_is_no_comfyui(body: bytes) -> None:
    assert type(answer(400, body)) is NotComfyUI


@given(st.integers(100, 999), st.binary() | st.text().map(lambda text: json.dumps({"error": text})))
def test_every_answer_is_some_error_with_an_end(status: int, body: bytes | str) -> None:
    content = body.encode() if isinstance(body, str) else body

    told = refused(BASE, "/api/x", status, "application/json", content)

    assert f"HTTP {status}" in str(told)
    assert len(str(told)) < 800


def test_no_status_and_no_word_stands_in_two_rows() -> None:
    statuses = [status for row in ANSWERS for status in row.statuses]
    words = [word for row in ANSWERS for word in row.words]

    assert len(statuses) == len(set(statuses))
    assert len(words) == len(set(words))
