"""A request, from the agent's call to the picture: what a person sees and does on the page."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.browser.chromium import DESKTOP, Screen
from tests.browser.conftest import Desk
from tests.browser.house import House, call
from tests.browser.operator import expect

pytestmark = pytest.mark.anyio

LIGHTHOUSE = {
    "workflow": "txt2img",
    "params": {
        "prompt": "a lighthouse on a basalt cliff at dusk, long exposure, calm sea",
        "checkpoint": "embedded-demo.safetensors",
        "steps": 24,
        "width": 640,
        "height": 448,
        "seed": 18446744073709551615,
    },
}


def parked(arguments: dict[str, Any]) -> dict[str, Any]:
    """The same call, not waiting for anybody."""
    return {**arguments, "wait_seconds": 0}


async def test_a_request_appears_is_changed_and_approved_and_its_picture_is_seen(
    home: House, desk: Desk, screen: Screen
) -> None:
    async with desk(screen) as operator, home.agent() as agent:
        page = operator.page
        await expect(page.get_by_text("Nothing waits for you.")).to_be_visible()

        asking = asyncio.create_task(call(agent, "run_workflow", LIGHTHOUSE))
        card = operator.cards
        await expect(card.get_by_role("heading", name="Run txt2img")).to_be_visible()
        await expect(page).to_have_title("(1) A request waits · Operator's console")
        await expect(card).to_contain_text("24 steps, 640 × 448 pixels and 1 model")
        await expect(card).to_contain_text("Above 0.2 megapixels a person looks first.")
        await expect(card.locator(".theirs")).to_contain_text("a lighthouse on a basalt cliff")
        await expect(card.locator(".values")).to_contain_text("18446744073709551615")

        await operator.button("Edit", card).click()
        await card.get_by_label("steps").fill("7")
        assert await operator.fits()
        await operator.button("Approve with 1 change", card).click()
        await expect(card.locator(".outcome")).to_contain_text("Approved")

        job = await asking
        assert job["status"] == "completed", job
        assert home.host.finished == (job["prompt_id"],)
        picture = operator.tiles.locator("img")
        await operator.shows_picture(picture)
        await picture.click()
        await operator.shows_picture(page.get_by_role("dialog").get_by_role("img"))
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_be_hidden()

        await operator.decided.locator("summary").click()
        await expect(operator.decided).to_contain_text("Approved, used")
        await expect(operator.decided.locator(".changes")).to_have_text("Changed steps: 24 → 7")
        await expect(page).to_have_title("Operator's console")
        assert await operator.fits()
