"""The page around the decisions: signing in and out, freezing, limits, audit, weather."""

from __future__ import annotations

import pytest

from tests.browser.chromium import PHONE, Screen
from tests.browser.conftest import Desk
from tests.browser.house import Console, House, call, lighthouse, parked
from tests.browser.operator import expect

pytestmark = pytest.mark.anyio


async def test_a_link_signs_in_once_and_its_key_is_nowhere_afterwards(
    console: Console, desk: Desk
) -> None:
    link = await console.link()
    async with desk(sign_in=False) as first, desk(sign_in=False) as second:
        await first.sign_in(link)
        assert "key" not in first.page.url
        assert await first.page.evaluate("history.length") <= 2

        await second.page.goto(link)
        await expect(second.page.get_by_role("alert")).to_have_text("That link was used already.")
        await expect(second.page.get_by_text("Press Enter in the terminal")).to_be_visible()
        assert "key" not in second.page.url


async def test_who_is_not_signed_in_is_told_how_to_get_in(console: Console, desk: Desk) -> None:
    async with desk(PHONE, sign_in=False) as operator:
        await operator.page.goto((await console.link()).partition("#")[0])

        await expect(operator.page.get_by_role("heading")).to_have_text("You are not signed in")
        await expect(operator.page.locator("#desk")).to_be_hidden()
        assert await operator.fits()


async def test_signing_out_everywhere_ends_every_page(desk: Desk) -> None:
    async with desk() as first, desk(PHONE) as second:
        await first.page.locator("#account summary").click()
        await first.button("Sign out everywhere").click()

        for operator in (first, second):
            title = operator.page.get_by_role("heading", name="You are not signed in")
            await expect(title).to_be_visible()


async def test_a_freeze_is_confirmed_seen_and_refuses_the_next_call(
    home: House, desk: Desk, screen: Screen
) -> None:
    async with desk(screen) as operator, home.agent() as agent:
        page = operator.page
        await call(agent, "list_approvals", {})
        await expect(page.locator("#freeze-state")).to_have_text("Nobody is frozen")
        await operator.freeze("Everybody", "Maintenance until noon")
        await expect(page.locator("#freeze-state")).to_have_text("Everybody is frozen")
        await expect(page.locator("#banners")).to_contain_text("Everybody is frozen.")

        told = await call(agent, "run_workflow", parked(lighthouse()))
        assert told["refused"]
        assert "Maintenance until noon" in told["words"]
        await page.locator("#audit").scroll_into_view_if_needed()
        await expect(operator.audit.first).to_contain_text("frozen")

        await operator.button("Unfreeze everybody").click()
        await operator.button("Unfreeze everybody", page.get_by_role("dialog")).click()
        await expect(page.locator("#freeze-state")).to_have_text("Nobody is frozen")
        told = await call(agent, "run_workflow", parked(lighthouse()))
        assert told["approval_id"]


async def test_a_single_agent_can_be_frozen(home: House, desk: Desk) -> None:
    async with desk() as operator, home.agent("ann") as ann, home.agent("bob") as bob:
        for agent in (ann, bob):
            await call(agent, "run_workflow", parked(lighthouse()))
        await expect(operator.cards).to_have_count(2)
        await operator.freeze("ann")

        await expect(operator.page.locator("#freeze-state")).to_have_text("ann is frozen")
        assert (await call(ann, "run_workflow", parked(lighthouse(steps=2))))["code"] == "frozen"
        assert (await call(bob, "run_workflow", parked(lighthouse(steps=2))))["approval_id"]


async def test_a_denial_is_found_in_the_audit_trail_by_its_code(home: House, desk: Desk) -> None:
    async with desk() as operator, home.agent() as agent:
        await call(agent, "run_workflow", parked(lighthouse(width=2400, height=2400)))
        await call(agent, "run_workflow", parked(lighthouse()))
        await operator.page.get_by_label("Code").fill("gpu_limit")

        await expect(operator.audit).to_have_count(1)
        await expect(operator.audit).to_contain_text("/gpu/max_megapixels")
        await operator.page.get_by_label("Find").fill("nothing has this word")
        await expect(operator.page.get_by_text("No row has all of that.")).to_be_visible()


async def test_limits_move_as_agents_use_them(home: House, desk: Desk) -> None:
    async with desk() as operator, home.agent() as agent:
        await call(agent, "run_workflow", {**lighthouse(width=256, height=256), "wait_seconds": 20})

        meter = operator.page.get_by_role("meter", name="Runs, studio")
        await expect(meter).to_have_attribute("aria-valuetext", "1 of 10 per minute")
        await expect(meter).to_have_attribute("aria-valuenow", "10")


async def test_a_running_job_shows_its_progress(home: House, desk: Desk) -> None:
    home.crawl()
    async with desk() as operator, home.agent() as agent:
        await call(agent, "run_workflow", parked(lighthouse(width=256, height=256)))

        progress = operator.page.get_by_role("progressbar", name="Progress of txt2img")
        await expect(progress).to_be_visible()
        await expect(operator.page.locator("#jobs-active")).to_contain_text("for studio")


async def test_the_policy_in_force_is_shown_with_its_warnings_as_it_changes(
    home: House, desk: Desk
) -> None:
    async with desk() as operator:
        policy = operator.page.locator("#policy")
        await expect(policy).to_contain_text(str(home.policy))
        await policy.get_by_text("The whole text").click()
        await expect(policy.locator("pre")).to_contain_text('"max_megapixels": 4')
        home.rule(tools={"run_workflow": {}})

        await expect(policy.locator("pre")).not_to_contain_text("cancel_job")
        await expect(policy.locator(".policy-warnings")).to_contain_text("get_job")


async def test_comfyui_away_is_said_and_deciding_goes_on(home: House, desk: Desk) -> None:
    async with desk() as operator, home.agent() as agent:
        await call(agent, "run_workflow", parked(lighthouse()))
        await expect(operator.cards).to_have_count(1)
        async with home.host.away():
            await expect(operator.page.locator("#banners")).to_contain_text(
                "ComfyUI does not answer."
            )
            await operator.button("Deny", operator.cards).click()
            await expect(operator.cards.locator(".outcome")).to_contain_text("Denied")

        await expect(operator.page.locator("#banners")).to_be_hidden()


async def test_a_lost_connection_is_said_and_nothing_can_be_decided(
    home: House, console: Console, desk: Desk
) -> None:
    async with desk() as operator, home.agent() as agent:
        await call(agent, "run_workflow", parked(lighthouse()))
        await expect(operator.button("Approve")).to_be_enabled()
        await console.end()
        banner = operator.page.locator("#banners")
        await expect(banner).to_contain_text("The connection is lost.")
        await expect(operator.button("Approve")).to_be_disabled()

        async with home.console(console.port) as again:
            out = operator.page.get_by_role("heading", name="You are not signed in")
            await expect(out).to_be_visible()
            await operator.sign_in(await again.link())
            await expect(operator.cards).to_have_count(1)
            await expect(banner).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_fits_every_width_and_can_be_read_in_every_light(
    home: House, desk: Desk, scheme: str
) -> None:
    async with desk(Screen(1600, 800, scheme)) as operator, home.agent() as agent:
        await call(agent, "run_workflow", parked(lighthouse()))
        await expect(operator.cards).to_have_count(1)
        await operator.freeze("studio", "for a look")
        await operator.button("Edit", operator.cards).click()
        top = operator.page.locator(".top")
        for width in (1600, 1100, 900, 640, 390, 360, 320):
            await operator.page.set_viewport_size({"width": width, "height": 800})
            assert await operator.fits(), width
            assert (await top.bounding_box())["height"] < 160, width
            assert await operator.faint() == [], width
        assert await operator.small() == []
