"""What a person does on the page, and sees there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.browser.chromium import WAIT_MS, Watched, api

FAINT = """() => {
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((one) => one / 255)
      .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const [r, g, b, a = 1] = parts(getComputedStyle(at).backgroundColor);
      if (a > 0.5) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const one = text.parentElement;
    if (!text.data.trim() || !one.checkVisibility({ checkOpacity: true })) continue;
    if (one.closest(".unseen, .skip, [aria-disabled=true]")) continue;
    const style = getComputedStyle(one);
    const shades = [parts(style.color).slice(0, 3), behind(one)].map(luminance).sort();
    const ratio = (Math.max(...shades) + 0.05) / (Math.min(...shades) + 0.05);
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) found.push([text.data.trim().slice(0, 40), ratio]);
  }
  return found;
}"""
"""Texts without the contrast that WCAG AA asks for, and how much they have."""

SMALL = """() => [...document.querySelectorAll("button, input, select, textarea, summary, nav a")]
  .filter((one) => one.checkVisibility() && !one.closest("dialog") && !one.closest(".skip"))
  .filter((one) => !/checkbox|radio/.test(one.type ?? ""))
  .filter((one) => one.getBoundingClientRect().height < 44)
  .map((one) => `${one.tagName} ${one.id} ${one.innerText ?? ""}`)"""
"""Controls that a thumb misses."""

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

    async def decisions(self) -> int:
        """How often this page has said yes or no, up to now."""
        await self.page.evaluate("new Promise(requestAnimationFrame)")
        return sum(path.endswith(("/approve", "/deny")) for path in self.watched.posted)

    async def fits(self) -> bool:
        """The page is no wider than its window."""
        return int(await self.page.evaluate(WIDER)) <= 0

    async def faint(self) -> list[Any]:
        """Texts that are hard to read, with their contrast."""
        found: list[Any] = await self.page.evaluate(FAINT)
        return found

    async def small(self) -> list[str]:
        """Controls that are less than 44 pixels high."""
        found: list[str] = await self.page.evaluate(SMALL)
        return found

    async def shows_picture(self, picture: Any) -> None:
        """An <img> has come and is a picture."""
        await picture.scroll_into_view_if_needed()
        await expect(picture).to_have_js_property("complete", value=True)
        assert await picture.evaluate("one => one.naturalWidth") > 0
