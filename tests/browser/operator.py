"""What a person does on the page, and sees there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.browser.chromium import WAIT_MS, Watched, api

WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def expect(what: Any) -> Any:
    """Playwright's assertions: they wait until what they say is so, but not for ever."""
    api.expect.set_options(timeout=WAIT_MS)
    return api.expect(what)


@dataclass
class Operator:
    """A person in front of one page."""

    watched: Watched

    @property
    def page(self) -> Any:
        """The page."""
        return self.watched.page

    @property
    def cards(self) -> Any:
        """Requests that wait, and those that were decided a moment ago."""
        return self.page.locator("#requests-list > .card")

    @property
    def decided(self) -> Any:
        """Requests that do not wait any more."""
        return self.page.locator("#decided-list > li")

    @property
    def tiles(self) -> Any:
        """Jobs that have ended."""
        return self.page.locator("#jobs-ended > li")

    @property
    def audit(self) -> Any:
        """Rows of the audit trail."""
        return self.page.locator("#audit-rows > tr")

    def button(self, name: str, within: Any = None) -> Any:
        """A button by the words on it."""
        return (within or self.page).get_by_role("button", name=name, exact=True)

    async def sign_in(self, link: str) -> None:
        """Open a link, and see the desk."""
        await self.page.goto(link)
        await expect(self.page.locator("#desk")).to_be_visible()

    async def freeze(self, who: str, why: str = "") -> None:
        """Freeze *who*, as the dialog says it."""
        await self.button("Freeze").click()
        dialog = self.page.get_by_role("dialog")
        await dialog.get_by_label(who, exact=True).check()
        await dialog.get_by_label("Why").fill(why)
        await self.button(f"Freeze {who.lower()}", dialog).click()
        await expect(dialog).to_be_hidden()

    async def fits(self) -> bool:
        """The page is no wider than its window."""
        return int(await self.page.evaluate(WIDER)) <= 0

    async def shows_picture(self, picture: Any) -> None:
        """An <img> has come and is a picture."""
        await picture.scroll_into_view_if_needed()
        await expect(picture).to_have_js_property("complete", value=True)
        assert await picture.evaluate("one => one.naturalWidth") > 0
