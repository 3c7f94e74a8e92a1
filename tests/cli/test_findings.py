"""Each check of the doctor finds what is wrong, says what to do, and changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comfy_mcp.cli.findings import (
    Finding,
    about_policy,
    about_settings,
    about_workflows,
)
from comfy_mcp.cli.screen import Verdict
from comfy_mcp.settings import Settings, read

pytestmark = pytest.mark.anyio


def settings(tmp_path: Path, **environ: str) -> Settings:
    return read({"COMFY_MCP_STATE": str(tmp_path / "state"), **environ})


def worst(findings: list[Finding]) -> Verdict:
    order = [Verdict.OK, Verdict.NOTE, Verdict.FAIL]
    return max((one.verdict for one in findings), key=order.index)


def test_settings_are_told_without_secrets(tmp_path: Path) -> None:
    found = about_settings(
        settings(tmp_path, COMFYUI_API_KEY="hush", COMFY_MCP_GRANT="alice", COMFY_MCP_POLCY="x")
    )

    assert "grant alice" in found[0].text
    assert "did you mean COMFY_MCP_POLICY?" in found[1].text
    assert worst(found) is Verdict.NOTE
    assert not any("hush" in one.text for one in found)


def test_a_policy_is_told_with_its_warnings(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('{"version": "1"}')
    path.chmod(0o600)

    found, loaded = about_policy(settings(tmp_path, COMFY_MCP_POLICY=str(path)))

    assert loaded is not None
    assert found[0].text == str(path)
    assert "Nothing is allowed" in found[1].text
    assert worst(found) is Verdict.NOTE


def test_a_policy_that_cannot_be_used_fails_with_its_faults(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.json")

    found, loaded = about_policy(settings(tmp_path, COMFY_MCP_POLICY=gone))

    assert loaded is None
    assert worst(found) is Verdict.FAIL
    assert "there is no such file" in found[0].text


def test_a_policy_that_asks_a_person_says_where_and_never_the_webhooks_url(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    rules = {
        "version": "1",
        "tools": {"run_workflow": {"action": "require_approval"}, "get_approval": {}},
        "approvals": {"expires": 600, "webhook": "https://ada.example/SECRET?token=SECRET"},
    }
    path.write_text(json.dumps(rules))
    path.chmod(0o600)

    found, _ = about_policy(settings(tmp_path, COMFY_MCP_POLICY=str(path)))

    (asks,) = [one for one in found if one.name == "approvals"]
    assert asks.verdict is Verdict.OK
    assert asks.text == (
        "a person decides some calls; where no rule says otherwise, on the terminal or the"
        " console's page, within 10 min 0 s\nrequests are told to ada.example"
    )
    assert "SECRET" not in str(found)


def test_a_policy_that_does_not_know_the_caller_says_whom_it_knows(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('{"version": "1", "tools": {"get_job": {}}, "grants": {"ann": {}, "bob": {}}}')
    path.chmod(0o600)

    stranger, _ = about_policy(settings(tmp_path, COMFY_MCP_POLICY=str(path)))
    ann, _ = about_policy(settings(tmp_path, COMFY_MCP_POLICY=str(path), COMFY_MCP_GRANT="ann"))

    assert stranger[-1].verdict is Verdict.NOTE
    assert "knows no local, so everything is denied; it knows ann, bob" in stranger[-1].text
    assert ann[-1] == Finding(Verdict.OK, "grant", "ann is the policy's ann")


def test_workflows_are_named_and_broken_ones_noted(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "broken.json").write_text("{")

    found = about_workflows(settings(tmp_path, COMFY_MCP_WORKFLOWS=f"{folder}:{tmp_path}/none"))

    assert "txt2img" in found[0].text
    assert [one.text for one in found[1:]] == [
        f"{tmp_path}/none is no folder",
        found[2].text,
    ]
    assert "broken.json" in found[2].text
    assert worst(found) is Verdict.NOTE


def test_a_workflow_folder_that_cannot_be_read_fails(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)

    found = about_workflows(settings(tmp_path, COMFY_MCP_WORKFLOWS=str(loop)))

    assert worst(found) is Verdict.FAIL
