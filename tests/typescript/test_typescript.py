"""A client built on the TypeScript SDK 1.x lists, runs, looks, and reads why it was refused."""

from __future__ import annotations

import base64
import json

import pytest

from tests.typescript.conftest import Talk

pytestmark = pytest.mark.typescript


def test_it_lists_the_tools_of_the_policy(talk: Talk) -> None:
    tools = talk.said["tools"]
    names = {"run_workflow", "get_job", "view_output", "cancel_job"}
    names |= {"list_jobs", "clear_queue", "get_server_status"}
    assert {tool["name"] for tool in tools} == names
    assert all(tool["description"] for tool in tools)


def test_it_runs_a_workflow_and_checks_the_job_against_its_schema(talk: Talk) -> None:
    result = talk.result("ran")
    job = result["structuredContent"]
    assert job["status"] == "completed"
    assert job["outputs"][0]["mime_type"] == "image/png"
    assert json.loads(result["content"][0]["text"]) == job
    assert talk.said["progress"] == sorted(talk.said["progress"])


def test_it_sees_the_picture_as_an_image_block_beside_a_link(talk: Talk) -> None:
    result = talk.result("viewed")
    image, *others = result["content"]
    assert (image["type"], image["mimeType"]) == ("image", "image/jpeg")
    assert base64.b64decode(image["data"]).startswith(b"\xff\xd8\xff")
    assert "resource_link" in {block["type"] for block in others}
    assert "structuredContent" not in result


def test_it_checks_lists_and_states_against_their_schemas(talk: Talk) -> None:
    (job,) = talk.result("listed")["structuredContent"]["jobs"]
    assert job["prompt_id"] == talk.result("ran")["structuredContent"]["prompt_id"]
    assert talk.result("cleared")["structuredContent"]["cleared"] == 0
    assert talk.result("status")["structuredContent"]["reachable"] is True


def test_it_reads_why_it_was_denied(talk: Talk) -> None:
    result = talk.result("denied")
    words, details = (block["text"] for block in result["content"])
    assert result["isError"] is True
    assert words.startswith("[POLICY DENIED] denied: Jobs here are stopped by people.")
    assert json.loads(details)["rule"] == "/tools/cancel_job"
    assert result["_meta"]["comfy-mcp-guard/denial"] == json.loads(details)


def test_it_is_told_which_argument_is_unknown(talk: Talk) -> None:
    result = talk.result("stranger")
    assert result["isError"] is True
    assert "has no argument 'parameters'" in result["content"][0]["text"]


def test_comfyui_was_sent_one_job_and_nothing_else(talk: Talk) -> None:
    assert talk.posted == ["/prompt"]
