"""A real Chromium, as far from the internet as it can be kept, and what it complained about."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

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

REFUSED = "Failed to load resource"
"""How Chromium tells of every status above 399: a page that was refused has not failed."""

api: Any = (
    importlib.import_module("playwright.async_api")
    if importlib.util.find_spec("playwright")
    else None
)
"""Playwright, if it is installed."""


@dataclass(frozen=True, slots=True)
class Screen:
    """How large, and how light, the person's screen is."""

    width: int
    height: int
    scheme: str = "light"


DESKTOP = Screen(1280, 800)
PHONE = Screen(390, 844)


def executable() -> str | None:
    """The browser of this machine."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def missing() -> str | None:
    """Why nothing can be tested in a browser here."""
    if api is None:
        return "Playwright is not installed: pip install playwright (the browser is the system's)"
    if executable() is None:
        return f"no browser: install one of {', '.join(NAMES)}"
    return None


@asynccontextmanager
async def browser() -> AsyncGenerator[Any]:
    """A browser with a profile of its own, which goes when it ends."""
    async with api.async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=executable(), args=list(ARGUMENTS)
        )
        try:
            yield running
        finally:
            await running.close()


@dataclass
class Watched:
    """A page, what went wrong in it, where its requests went, and paths of those with an effect."""

    page: Any
    complaints: list[str] = field(default_factory=list[str])
    asked: set[str] = field(default_factory=set[str])
    posted: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(f"threw: {error}"))
        self.page.on("request", self._requested)

    def _said(self, message: Any) -> None:
        """Violations of the page's content security policy are told in the same way."""
        if message.type in {"error", "warning"} and not message.text.startswith(REFUSED):
            self.complaints.append(f"{message.type}: {message.text}")

    def _requested(self, request: Any) -> None:
        parts = urlsplit(request.url)
        self.asked.add(f"{parts.scheme}://{parts.hostname}")
        if request.method == "POST":
            self.posted.append(parts.path)


@asynccontextmanager
async def opened(running: Any, screen: Screen = DESKTOP) -> AsyncGenerator[Watched]:
    """A new page of a new visitor."""
    context = await running.new_context(
        viewport={"width": screen.width, "height": screen.height},
        color_scheme=screen.scheme,
        reduced_motion="reduce",
        has_touch=screen.width < DESKTOP.width,
    )
    context.set_default_timeout(WAIT_MS)
    try:
        yield Watched(await context.new_page())
    finally:
        await context.close()
