"""The policy in force, as the operator sees it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.console.policy_view import PolicyView, without_secrets

pytestmark = pytest.mark.anyio

HOOK = "https://user.example:8443/services/T0/B0/path-secret?token=query-secret#frag-secret"


def policy(folder: Path, **more: Any) -> Path:
    """A policy file."""
    file = folder / "policy.json"
    file.write_text(
        json.dumps({"version": "1", "default": "deny", "tools": {"get_job": {}}} | more)
    )
    return file


async def test_files_text_revision_and_warnings_of_what_is_in_force(tmp_path: Path) -> None:
    file = policy(tmp_path, tools={"run_workflow": {}})
    view = PolicyView((file,))

    await view.refresh()

    told = view.as_object()
    assert told["files"] == [str(file)]
    assert told["text"] == file.read_text()
    assert told["revision"].startswith("sha256:")
    assert told["degraded"] is None
    assert any("get_job" in words for words in told["warnings"])


async def test_several_files_are_told_apart(tmp_path: Path) -> None:
    one = policy(tmp_path)
    two = tmp_path / "two.json"
    two.write_text('{"version": "1", "default": "deny", "hide": ["run_workflow"]}')
    view = PolicyView((one, two))

    await view.refresh()

    text = view.as_object()["text"]
    assert text == f"// {one}\n{one.read_text()}\n\n// {two}\n{two.read_text()}"


async def test_an_edit_is_seen_and_a_broken_one_is_told_while_the_last_good_one_stays(
    tmp_path: Path,
) -> None:
    file = policy(tmp_path)
    view = PolicyView((file,))
    await view.refresh()
    first = view.as_object()

    file.write_text("{")
    await view.refresh()
    broken = view.as_object()
    policy(tmp_path, description="Another one.")
    await view.refresh()
    second = view.as_object()

    assert broken["degraded"]
    assert (broken["revision"], broken["text"]) == (first["revision"], first["text"])
    assert second["degraded"] is None
    assert second["revision"] != first["revision"]
    assert "Another one." in second["text"]


async def test_a_console_that_starts_while_the_files_are_broken_has_them_once_they_are_not(
    tmp_path: Path,
) -> None:
    file = tmp_path / "policy.json"
    view = PolicyView((file,))
    await view.refresh()
    before = view.as_object()

    policy(tmp_path)
    await view.refresh()

    assert (before["files"], before["revision"], before["text"]) == ([], "", "")
    assert "no such file" in before["degraded"]
    assert view.as_object()["degraded"] is None
    assert view.loaded is not None


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"approvals": {"webhook": HOOK}}),
        json.dumps({"approvals": {"webhook": HOOK}}, indent=4),
        '{"approvals": {"webhook"\t:\n"' + HOOK + '"}}',
        '{"approvals": {"web\\u0068ook": "' + HOOK + '"}}',
        '{"approvals": {"webhook": "' + HOOK.replace("/", "\\/") + '"}}',
        '{"approvals": {"webhook": "' + HOOK.replace("s", "\\u0073") + '"}}',
        '{"approvals": {"webhook": "' + HOOK,
        "[" * 5_000 + '"webhook": "' + HOOK + '"',
    ],
    ids=["plain", "indented", "spread", "key", "slashes", "letters", "broken", "deep"],
)
def test_of_a_webhook_only_the_place_is_shown_however_it_is_written(text: str) -> None:
    assert "secret" not in without_secrets(text)


def test_the_rest_of_the_text_is_left_as_it_was_written() -> None:
    text = '{\n  "approvals": {"webhook": "' + HOOK + '"},\n  "hide": [  ]\n}\n'

    assert without_secrets(text) == text.replace(HOOK, "https://user.example:8443/...")


@given(st.text(), st.sampled_from(["https://h.example", "http://[::1", "ftp://x:y@z", "", "//a"]))
def test_no_webhook_makes_it_fail(rest: str, begin: str) -> None:
    text = json.dumps({"approvals": {"webhook": begin + "/SECRET" + rest}})

    shown = without_secrets(text)

    assert "SECRET" not in shown
    assert isinstance(json.loads(shown), dict)
