"""Everything by keyboard alone; and nothing by accident."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Desk
from tests.browser.house import House, call, lighthouse, parked
from tests.browser.operator import Operator, expect

pytestmark = pytest.mark.anyio

MOST_STEPS = 80

FOCUS = """() => {
  const one = document.activeElement;
  return [one.tagName, one.getAttribute("aria-label") ?? one.innerText ?? one.id].join(" ").trim();
}"""

MARKED = """() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
}"""


async def tab_to(operator: Operator, name: str) -> None:
    """Press Tab until the focus is on *name*; wherever it is, it must be seen."""
    seen: list[str] = []
    for _ in range(MOST_STEPS):
        await operator.page.keyboard.press("Tab")
        seen.append(await operator.page.evaluate(FOCUS))
        if seen[-1] == "BODY":
            # The round is over: the browser's own controls come before the first one.
            continue
        assert await operator.page.evaluate(MARKED), seen
        if seen[-1].endswith(name):
            return
    raise AssertionError(seen)


async def test_a_person_without_a_mouse_decides(home: House, desk: Desk) -> None:
    async with desk() as operator, home.agent() as agent:
        await call(agent, "run_workflow", parked(lighthouse()))
        await expect(operator.button("Approve")).to_be_enabled()
        await tab_to(operator, "Edit")
        await operator.page.keyboard.press("Enter")
        await expect(operator.cards.get_by_label("prompt", exact=True)).to_be_focused()
        await expect(operator.button("Approve as asked")).to_be_enabled()
        await tab_to(operator, "Approve as asked")
        await operator.page.keyboard.press("Space")

        await expect(operator.cards.locator(".outcome")).to_contain_text("Approved")
        await expect(operator.cards.get_by_role("heading", level=3)).to_be_focused()


async def test_enter_on_a_page_that_just_opened_decides_nothing(home: House, desk: Desk) -> None:
    async with home.agent() as agent:
        await call(agent, "run_workflow", parked(lighthouse()))
        async with desk() as operator:
            await expect(operator.button("Approve")).to_be_enabled()
            for key in ("Enter", "Space", "Enter"):
                await operator.page.keyboard.press(key)

            assert await operator.decisions() == 0
            await expect(operator.button("Approve")).to_be_enabled()


async def test_a_key_that_is_held_down_decides_nothing(home: House, desk: Desk) -> None:
    async with desk() as operator, home.agent() as agent:
        await call(agent, "run_workflow", parked(lighthouse()))
        await expect(operator.button("Approve")).to_be_enabled()
        await operator.page.keyboard.down("Enter")
        await operator.button("Approve").focus()
        await operator.page.keyboard.down("Enter")
        await operator.page.keyboard.up("Enter")

        assert await operator.decisions() == 0


async def test_a_double_click_decides_only_what_was_there_at_the_first(
    home: House, desk: Desk
) -> None:
    async with desk() as operator, home.agent() as agent:
        await call(agent, "run_workflow", parked(lighthouse()))
        button = operator.button("Deny")
        await expect(button).to_be_enabled()
        await button.dispatch_event("click", {"detail": 2})

        assert await operator.decisions() == 0


async def test_a_dialog_keeps_the_focus_and_gives_it_back(home: House, desk: Desk) -> None:
    del home
    async with desk() as operator:
        await tab_to(operator, "Freeze")
        await tab_to(operator, "BUTTON Freeze")
        await operator.page.keyboard.press("Enter")
        await expect(operator.button("Cancel")).to_be_focused()
        for _ in range(12):
            await operator.page.keyboard.press("Tab")
            inside = "document.activeElement.closest('dialog, body > :not(dialog)')?.tagName"
            assert await operator.page.evaluate(inside) in {"DIALOG", None}
        await operator.page.keyboard.press("Escape")

        await expect(operator.button("Freeze")).to_be_focused()


async def test_who_listens_hears_of_a_new_request(home: House, desk: Desk) -> None:
    async with desk() as operator, home.agent() as agent:
        await call(agent, "run_workflow", parked(lighthouse()))

        await expect(operator.page.locator("[aria-live=polite]#announcer")).to_have_text(
            "New request from studio: Run txt2img."
        )


async def test_the_first_step_skips_to_what_waits(desk: Desk) -> None:
    async with desk() as operator:
        await operator.page.keyboard.press("Tab")
        await expect(operator.page.get_by_text("Skip to what waits for you")).to_be_focused()
        await operator.page.keyboard.press("Enter")

        await expect(operator.page.locator("#requests")).to_be_focused()
