"""`policy schema` prints the schema, and every policy that is shipped fits it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from comfy_mcp.cli import run
from comfy_mcp.cli.policy_init import PROFILES, profile
from comfy_mcp.cli.policy_schema import text


def test_the_schema_is_printed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "schema"]) == 0

    told = capsys.readouterr()
    assert told.out == text()
    assert told.err == ""
    jsonschema.Draft202012Validator.check_schema(json.loads(told.out))


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_fits_the_schema(name: str) -> None:
    jsonschema.Draft202012Validator(json.loads(text())).validate(json.loads(profile(name)))


def test_the_built_in_policy_fits_the_schema() -> None:
    policy = Path(__file__).parents[2] / "policy.example.json"

    jsonschema.Draft202012Validator(json.loads(text())).validate(json.loads(policy.read_text()))
