"""The list of a web project's pictures: only our own is changed, and it cannot grow for ever."""

from __future__ import annotations

import json

import pytest

from comfy_mcp.errors import OutputError
from comfy_mcp.outputs import assets
from comfy_mcp.outputs.assets import listed


def test_a_new_list_says_what_it_is() -> None:
    made = json.loads(listed(None, "assets.json", "img/hero.webp", {"bytes": 5}))

    assert made == {
        "generator": "comfy-mcp-guard",
        "version": 1,
        "assets": {"img/hero": {"file": "img/hero.webp", "bytes": 5}},
    }


def test_entries_are_added_and_replaced_by_name() -> None:
    old = listed(None, "assets.json", "hero.png", {"bytes": 1})
    old = listed(old, "assets.json", "team.png", {"bytes": 2})

    made = json.loads(listed(old, "assets.json", "hero.webp", {"bytes": 3}))

    assert made["assets"] == {
        "hero": {"file": "hero.webp", "bytes": 3},
        "team": {"file": "team.png", "bytes": 2},
    }


def test_paths_are_seen_from_where_the_list_is() -> None:
    made = json.loads(listed(None, "src/data/assets.json", "public/img/a.png", {}))

    assert made["assets"]["../../public/img/a"]["file"] == "../../public/img/a.png"


def test_a_list_that_is_full_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "MOST_ENTRIES", 1)
    old = listed(None, "assets.json", "a.png", {})

    with pytest.raises(OutputError, match="the most"):
        listed(old, "assets.json", "b.png", {})


def test_a_list_that_would_be_too_large_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "MOST_BYTES", 100)

    with pytest.raises(OutputError, match="more than 100 bytes"):
        listed(None, "assets.json", "a.png", {"alt": "x" * 100})
