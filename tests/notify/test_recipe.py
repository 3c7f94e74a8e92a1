"""The recipes that are printed in the documentation work."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from comfy_mcp.guard.loading import parse
from comfy_mcp.notify import webhook_key
from tests.notify.receiver import Heard, asked, bench, listening

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[2] / "docs" / "approvals.md").read_text(encoding="utf-8")
Recipe = Callable[[Mapping[str, str], bytes], bool]


def recipe(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """What a receiver checks by, with a copy of the key in the folder that it runs in."""
    [block] = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(folder)
    names: dict[str, Recipe] = {}
    exec(block, names)  # noqa: S102 - what people are told to run
    return names["is_ours"]


async def rung(folder: Path, now_ms: int) -> Heard:
    async with (
        listening() as receiver,
        bench(receiver.base, key=lambda: webhook_key(folder), now_ms=now_ms) as made,
    ):
        made.webhooks.tell(asked(expires_ms=now_ms + 1))
        await made.done()
        return receiver.heard[0]


async def test_a_receiver_knows_our_notifications_from_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = await rung(tmp_path, time.time_ns() // 1_000_000)
    is_ours = recipe(tmp_path, monkeypatch)

    assert is_ours(heard.headers, heard.body)
    assert not is_ours(heard.headers, heard.body.replace(b"txt2img", b"upscale"))
    later = str(int(heard.headers["X-Comfy-Guard-Time"]) + 1)
    assert not is_ours({**heard.headers, "X-Comfy-Guard-Time": later}, heard.body)
    (tmp_path / "webhook.key").unlink()
    webhook_key(tmp_path)
    assert not recipe(tmp_path, monkeypatch)(heard.headers, heard.body)


async def test_a_receiver_refuses_an_old_notification(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = await rung(tmp_path, time.time_ns() // 1_000_000 - 400_000)
    assert not recipe(tmp_path, monkeypatch)(heard.headers, heard.body)


async def test_the_url_for_a_phone_names_what_is_told_and_a_policy_takes_it() -> None:
    [url] = re.findall(r"^https://ntfy\.sh/\S+$", PAGE, re.MULTILINE)
    document = f'{{"version": "1", "tools": {{"*": {{}}}}, "approvals": {{"webhook": "{url}"}}}}'
    assert parse(document, "policy.json").policy.webhooks == (url,)

    parts = urlsplit(url)
    async with listening() as receiver:
        async with bench(f"{receiver.base}{parts.path}?{parts.query}") as made:
            made.webhooks.tell(asked())
            await made.done()
        heard = receiver.heard[0]

    asked_for = parse_qs(urlsplit(heard.path).query)
    assert asked_for["tpl"] == ["yes"]
    templates = [*asked_for["t"], *asked_for["m"]]
    assert all(heard.told[one.strip("{}").removeprefix(".")] for one in templates)
    assert len(templates) == 2
