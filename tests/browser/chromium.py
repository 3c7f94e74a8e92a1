"""A real Chromium, as far from the internet as it can be kept, and what it complained about."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, Page, Playwright, Request, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    # Whatever name is not this machine's own leads nowhere.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

WAIT_MS = 20_000
"""The most that a page may take for anything."""

DESKTOP: Mapping[str, int] = {"width": 1280, "height": 800}
PHONE: Mapping[str, int] = {"width": 390, "height": 844}
NARROWEST: Mapping[str, int] = {"width": 360, "height": 740}

REFUSED = "Failed to load resource"
"""How Chromium's console tells every status above 399: a page that is refused has not failed."""


def executable() -> str | None:
    """The browser of this machine."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@asynccontextmanager
async def browser() -> AsyncGenerator[Browser]:
    """A browser with a profile of its own, which goes when it ends."""
    async with async_playwright() as playwright:
        running = await _launched(playwright)
        try:
            yield running
        finally:
            await running.close()


async def _launched(playwright: Playwright) -> Browser:
    return await playwright.chromium.launch(
        executable_path=executable(), args=list(ARGUMENTS), ignore_default_args=["--headless=old"]
    )


@dataclass
class Watched:
    """A page, what went wrong in it, and where its requests went (scheme and host with port)."""

    page: Page
    complaints: list[str] = field(default_factory=list[str])
    asked: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(f"threw: {error}"))
        self.page.on("request", self._requested)

    def _said(self, message: Any) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(REFUSED):
            self.complaints.append(f"{message.type}: {message.text}")

    def _requested(self, request: Request) -> None:
        parts = urlsplit(request.url)
        self.asked.add(f"{parts.scheme}://{parts.netloc}")


@asynccontextmanager
async def opened(
    running: Browser, size: Mapping[str, int] = DESKTOP, scheme: str = "light"
) -> AsyncGenerator[Watched]:
    """A new page of a new visitor; CSP violations are among its complaints."""
    context = await running.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        has_touch=size["width"] < 500,
    )
    context.set_default_timeout(WAIT_MS)
    page = await context.new_page()
    try:
        yield Watched(page)
    finally:
        await context.close()
