"""A request, from the agent's call to the picture: what a person sees and does on the page."""

from __future__ import annotations

import asyncio
import json

import pytest
from PIL import Image

from tests.browser.chromium import WAIT_MS, Screen
from tests.browser.conftest import Desk
from tests.browser.house import House, call, lighthouse, parked
from tests.browser.operator import expect

pytestmark = pytest.mark.anyio


async def test_a_request_appears_is_changed_and_approved_and_its_picture_is_seen(
    home: House, desk: Desk, screen: Screen
) -> None:
    async with desk(screen) as operator, home.far_agent() as agent:
        page = operator.page
        await expect(page.get_by_text("Nothing waits for you.")).to_be_visible()

        asking = asyncio.create_task(call(agent, "run_workflow", lighthouse()))
        card = operator.cards
        await expect(card.get_by_role("heading", name="Run txt2img")).to_be_visible()
        await expect(page).to_have_title("(1) A request waits · Operator's console")
        await expect(card).to_contain_text(
            "24 steps, 640 \N{MULTIPLICATION SIGN} 448 pixels and 1 model"
        )
        await expect(card).to_contain_text("Above 0.2 megapixels a person looks first.")
        await expect(card.locator(".theirs")).to_contain_text("a lighthouse on a basalt cliff")
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


async def test_a_no_reaches_the_agent_with_its_reason(home: House, desk: Desk) -> None:
    async with desk() as operator, home.agent() as agent:
        asking = asyncio.create_task(call(agent, "run_workflow", lighthouse()))
        await operator.cards.get_by_label("Words for the agent").fill("Not during the day.")
        await operator.button("Deny", operator.cards).click()

        await expect(operator.cards.locator(".outcome")).to_contain_text("Denied")
        await expect(operator.cards.locator(".actions")).to_be_hidden()
        told = await asking
        assert told["refused"]
        assert "Not during the day." in told["words"]
        assert home.host.finished == ()


async def test_whose_job_would_be_touched_is_said_before_everything_else(
    home: House, desk: Desk
) -> None:
    home.crawl()
    home.rule(approvals={"wait_s": 0}, gpu={"ownership": "any"})
    async with desk() as operator, home.agent("ann") as ann, home.agent("bob") as bob:
        job = await call(ann, "run_workflow", parked(lighthouse(width=256, height=256)))
        await call(bob, "interrupt_execution", {"prompt_id": job["prompt_id"]})

        warned = operator.cards.locator(".warned")
        await expect(warned).to_contain_text("It touches another agent's job (ann): txt2img")
        await expect(warned).to_contain_text(job["prompt_id"][:8])


async def test_a_decision_that_comes_too_late_is_told_at_the_card(home: House, desk: Desk) -> None:
    async with desk() as operator, home.agent() as agent:
        refused = await call(agent, "run_workflow", parked(lighthouse()))
        approval_id = refused["approval_id"]
        held = asyncio.Event()

        async def hold(route: object) -> None:
            await held.wait()
            await route.continue_()  # type: ignore[attr-defined]  # Playwright's Route

        await operator.page.route(f"**/api/approvals/{approval_id}/approve", hold)
        await operator.button("Approve", operator.cards).click()
        await call(agent, "cancel_approval", {"approval_id": approval_id})
        await expect(operator.cards.locator(".outcome")).to_have_text("Taken back.")
        held.set()

        await expect(operator.cards.locator(".error")).to_contain_text("taken back")


async def test_what_was_decided_elsewhere_leaves_the_cards_by_itself(
    home: House, desk: Desk
) -> None:
    async with desk() as operator, home.agent() as agent:
        refused = await call(agent, "run_workflow", parked(lighthouse()))
        await expect(operator.cards).to_have_count(1)
        await home.command("approvals", "deny", refused["approval_id"], "--reason", "no")

        await expect(operator.cards).to_have_count(0)
        await expect(operator.decided).to_contain_text("Denied")


async def test_a_yes_that_was_not_used_can_be_taken_back(home: House, desk: Desk) -> None:
    async with desk() as operator, home.agent() as agent:
        await call(agent, "run_workflow", parked(lighthouse()))
        await operator.button("Approve", operator.cards).click()
        await operator.decided.locator("summary").click()
        await operator.button("Take the yes back").click()

        await expect(operator.decided).to_contain_text("Denied")
        assert (await call(agent, "run_workflow", parked(lighthouse())))["refused"]


async def test_a_refused_change_leaves_the_request_as_it_was(home: House, desk: Desk) -> None:
    async with desk() as operator, home.agent() as agent:
        await call(agent, "run_workflow", parked(lighthouse()))
        await operator.button("Edit", operator.cards).click()
        await operator.cards.get_by_label("width").fill("4096")
        await operator.cards.get_by_label("height").fill("4096")
        await operator.button("Approve with 2 changes", operator.cards).click()
        await expect(operator.cards.locator(".error")).to_contain_text("Nothing was decided")

        await operator.button("Cancel", operator.cards).click()
        await expect(operator.cards.locator(".error")).to_be_hidden()
        await operator.button("Approve", operator.cards).click()
        await expect(operator.cards.locator(".outcome")).to_contain_text("Approved")


async def test_digits_of_a_large_seed_are_neither_lost_on_screen_nor_on_the_way_back(
    home: House, desk: Desk
) -> None:
    seed = 18446744073709551615
    async with desk() as operator, home.agent() as agent:
        asking = asyncio.create_task(call(agent, "run_workflow", lighthouse(seed=seed)))
        await expect(operator.cards.locator(".values").first).to_contain_text(str(seed))
        await operator.button("Edit", operator.cards).click()
        await expect(operator.cards.get_by_label("seed")).to_have_value(str(seed))
        await operator.cards.get_by_label("seed").fill(str(seed - 2))
        await operator.button("Approve with 1 change", operator.cards).click()

        job = await asking
        assert job["status"] == "completed", job
        (sent,) = [
            seen.body for seen in home.host.seen if seen.path.endswith("/prompt") and seen.body
        ]
        assert f'"seed": {seed - 2}' in json.dumps(sent["prompt"])


async def test_what_no_number_can_be_is_not_even_sent(home: House, desk: Desk) -> None:
    async with desk() as operator, home.agent() as agent:
        await call(agent, "run_workflow", parked(lighthouse()))
        await operator.button("Edit", operator.cards).click()
        await operator.cards.get_by_label("steps").fill("twenty")
        await operator.button("Approve with 1 change", operator.cards).click()

        await expect(operator.cards.locator(".error")).to_have_text("steps has to be a number.")


async def test_a_question_of_the_agent_is_answered_with_changed_words(
    home: House, desk: Desk
) -> None:
    asked = {
        "action": "Delete the drafts that nobody opened?",
        "context": {"folder": "drafts", "keep": 10, "only": ["a", "b"]},
    }
    async with desk() as operator, home.agent() as agent:
        told = await call(agent, "request_approval", asked)
        card = operator.cards
        await expect(card.get_by_role("heading", level=3)).to_have_text(
            "The agent asks you something"
        )
        await expect(card.locator(".theirs")).to_contain_text("Delete the drafts")
        await operator.button("Edit", card).click()
        await card.get_by_label("keep").fill("50")
        await card.get_by_label("only").fill('["a"]')
        await operator.button("Approve with 2 changes", card).click()
        await expect(card.locator(".outcome")).to_contain_text("Approved")

        answer = await call(agent, "get_approval", {"approval_id": told["approval_id"]})
        assert answer["context"] == {"folder": "drafts", "keep": 50, "only": ["a"]}


async def test_a_request_that_nobody_answers_expires_before_ones_eyes(
    home: House, desk: Desk
) -> None:
    home.rule(approvals={"expires": 10})
    async with desk() as operator, home.agent() as agent:
        await call(agent, "run_workflow", parked(lighthouse()))
        await expect(operator.decided).to_contain_text("Expired", timeout=2 * WAIT_MS)
        await expect(operator.cards).to_have_count(0)


WATCH = """() => {
  const list = document.querySelector("#requests-list");
  const look = () => [...list.querySelectorAll("[data-does=approve]")]
    .map((one) => one.getAttribute("aria-disabled"));
  new MutationObserver(() => { window.off = look(); }).observe(list, { childList: true });
}"""


async def test_a_card_that_just_came_decides_nothing_and_moves_no_other(
    home: House, desk: Desk
) -> None:
    async with desk() as operator, home.agent() as agent:
        await call(agent, "run_workflow", parked(lighthouse(steps=3)))
        await expect(operator.button("Approve")).to_be_enabled()
        await operator.page.evaluate(WATCH)
        await call(agent, "run_workflow", parked(lighthouse(steps=4)))
        await expect(operator.cards).to_have_count(2)

        assert await operator.page.evaluate("window.off") == ["false", "true"]
        await expect(operator.cards.first).to_contain_text("3 steps")
        await expect(operator.button("Approve").nth(1)).to_be_enabled()


async def test_a_card_that_moved_decides_nothing_for_a_moment(home: House, desk: Desk) -> None:
    async with desk() as operator, home.agent() as agent:
        first = await call(agent, "run_workflow", parked(lighthouse(steps=3)))
        await call(agent, "run_workflow", parked(lighthouse(steps=4)))
        await expect(operator.button("Approve").nth(1)).to_be_enabled()
        await operator.page.evaluate(WATCH)
        await call(agent, "cancel_approval", {"approval_id": first["approval_id"]})
        await expect(operator.cards).to_have_count(1)

        assert await operator.page.evaluate("window.off") == ["true"]
        await expect(operator.button("Approve")).to_be_enabled()


async def test_beyond_three_requests_each_is_one_line_until_it_is_opened(
    home: House, desk: Desk, screen: Screen
) -> None:
    async with desk(screen) as operator, home.agent() as agent:
        for steps in (3, 4, 5, 6):
            await call(agent, "run_workflow", parked(lighthouse(steps=steps)))
        await expect(operator.button("Approve")).to_have_count(3)
        last = operator.cards.nth(3)
        await expect(last).to_contain_text("Run txt2img for studio")
        assert await operator.fits()
        await operator.page.get_by_role("button", name="new request").click()
        await last.locator(".line").click()

        await expect(last).to_contain_text("6 steps")
        await expect(operator.button("Approve")).to_have_count(4)


async def test_a_long_text_is_shown_and_changed_as_a_whole(home: House, desk: Desk) -> None:
    words = f"{'a calm sea ' * 300}and a lighthouse"
    async with desk() as operator, home.agent() as agent:
        asking = asyncio.create_task(call(agent, "run_workflow", lighthouse(prompt=words)))
        await expect(operator.cards.locator(".theirs")).to_contain_text("more characters not shown")
        await operator.button("Show all", operator.cards).click()
        await expect(operator.cards.locator(".theirs")).to_contain_text("and a lighthouse")
        await operator.button("Edit", operator.cards).click()
        prompt = operator.cards.get_by_label("prompt", exact=True)
        await expect(prompt).to_have_value(words)
        await prompt.press("End")
        await prompt.press("Control+End")
        await prompt.type("!")
        await operator.button("Approve with 1 change", operator.cards).click()

        assert (await asking)["status"] == "completed"
        (sent,) = [
            seen.body for seen in home.host.seen if seen.path.endswith("/prompt") and seen.body
        ]
        assert f"{words}!" in json.dumps(sent["prompt"])


async def test_a_no_can_still_become_a_yes(home: House, desk: Desk) -> None:
    async with desk() as operator, home.agent() as agent:
        await call(agent, "run_workflow", parked(lighthouse()))
        await operator.button("Deny", operator.cards).click()
        await operator.decided.locator("summary").click()
        await operator.button("Approve after all").click()
        await expect(operator.decided).to_contain_text("The agent has not used it yet.")

        job = await call(agent, "run_workflow", lighthouse())
        assert job["status"] == "completed", job


async def test_a_yes_under_a_freeze_says_that_it_waits(home: House, desk: Desk) -> None:
    async with desk() as operator, home.agent() as agent:
        await call(agent, "run_workflow", parked(lighthouse()))
        await expect(operator.cards).to_have_count(1)
        await operator.freeze("Everybody")
        await expect(operator.page.locator("#freeze-state")).to_have_text("Everybody is frozen")
        await operator.button("Approve", operator.cards).click()

        await expect(operator.cards.locator(".outcome")).to_contain_text("only once you unfreeze")


async def test_the_whole_graph_can_be_read(home: House, desk: Desk) -> None:
    async with desk() as operator, home.agent() as agent:
        await call(agent, "run_workflow", parked(lighthouse(prompt="<b>sea</b>")))
        await operator.cards.get_by_text("The whole graph").click()

        graph = operator.cards.get_by_role("group", name="The whole graph")
        await expect(graph).to_contain_text('"text": "<b>sea</b>"')
        await expect(graph).to_contain_text('"class_type": "KSampler"')


async def test_a_picture_that_would_be_read_is_shown_until_it_is_another_one(
    home: House, desk: Desk
) -> None:
    home.give("start.png", "teal")
    run = {"image": "start.png", "prompt": "sea", "checkpoint": "embedded-demo.safetensors"}
    async with desk() as operator, home.agent() as agent:
        told = await call(agent, "run_workflow", parked({"workflow": "img2img", "params": run}))
        assert told["approval_id"], told
        picture = operator.cards.locator(".input img")
        await operator.shows_picture(picture)
        await operator.button("Edit", operator.cards).click()
        await expect(operator.cards.get_by_label("steps")).to_be_visible()
        await expect(operator.cards.get_by_label("image", exact=True)).to_have_count(0)

        home.give("start.png", "crimson")
        await operator.page.reload()
        await expect(operator.cards.locator(".gone")).to_contain_text("another one by now")


async def test_an_input_of_a_graph_that_the_agent_wrote_can_be_changed(
    home: House, desk: Desk
) -> None:
    drawn = {"width": 640, "height": 448, "batch_size": 1, "color": 255}
    graph = {
        "1": {"class_type": "EmptyImage", "inputs": drawn},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }
    async with desk() as operator, home.agent() as agent:
        asking = asyncio.create_task(call(agent, "run_workflow", {"workflow": graph}))
        await expect(operator.cards.get_by_role("heading", level=3)).to_have_text(
            "Run a workflow that the agent wrote itself"
        )
        await operator.button("Edit", operator.cards).click()
        await operator.cards.get_by_label("1.color").fill("65280")
        await operator.button("Approve with 1 change", operator.cards).click()

        job = await asking
        assert job["status"] == "completed", job
        (saved,) = (home.host.folder / "output").rglob("*.png")
        with Image.open(saved) as picture:
            assert picture.convert("RGB").getpixel((5, 5)) == (0, 255, 0)
