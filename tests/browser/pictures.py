"""Makes the pictures of the console for the docs anew: ``python -m tests.browser.pictures``.

Everything in them is real: a host that paints, agents that ask, a console, a browser.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mcp import Client
from PIL import Image

from comfy_mcp.embedded import Faults
from tests.browser import chromium
from tests.browser.chromium import Screen
from tests.browser.house import POLICY, House, call, house, parked
from tests.browser.operator import Operator, expect

FOLDER = Path(__file__).parent.parent.parent / "docs" / "pictures"

MOST_BYTES = 150_000

PAINTING, WORKING, CRAWLING = (Faults(step_ms=pace) for pace in (40, 500, 2_000))

OPERATOR = "ada"

PAINTED = (
    "a fox in an autumn forest at dawn",
    "city skyline at night, neon, stars",
    "snowy mountains under a full moon",
    "desert dunes at sunset",
)

ASKING = {
    "require_approval": {
        "when": [{"path": "graph.megapixels", "op": "gt", "value": 2}],
        "reason": "Above 2 megapixels a person looks first.",
    },
    "limits": [{"counter": "executes", "window": "minute", "max": 10, "scope": "grant"}],
}

GPU = {
    "ownership": "any",
    "max_in_flight": 4,
    "max_seconds_per_job": 600,
    "gpu_seconds": [{"window": "hour", "max": 1800, "scope": "global"}],
}


def small(prompt: str, seed: int) -> dict[str, Any]:
    """A run that nobody has to approve."""
    params = {"prompt": prompt, "seed": seed, "steps": 20, "width": 576, "height": 384}
    return {"workflow": "txt2img", "params": {**params, "checkpoint": "embedded-demo.safetensors"}}


def large(image: str) -> dict[str, Any]:
    """A run that a person has to approve."""
    params = {
        "image": image,
        "prompt": "a lighthouse on a basalt cliff at dusk, long exposure, calm sea",
        "negative_prompt": "people, text",
        "checkpoint": "embedded-demo.safetensors",
        "steps": 40,
        "denoise": 0.55,
    }
    return {"workflow": "img2img", "params": params}


@asynccontextmanager
async def lived_in(folder: Path) -> AsyncGenerator[tuple[House, Client, Client]]:
    """A house in which two agents have worked for a while."""
    async with house(folder) as home:
        home.rule(
            gpu=GPU, tools={**POLICY["tools"], "run_workflow": ASKING}, approvals={"wait_s": 0}
        )
        async with (
            home.agent("studio", "claude-code") as studio,
            home.agent("night-batch", "cursor") as night,
        ):
            for seed, prompt in enumerate(PAINTED):
                agent = (studio, night)[seed % 2]
                await call(agent, "run_workflow", small(prompt, seed))
            yield home, studio, night


def given(home: House) -> str:
    """A painted picture for the agent to start from: large, so that a person is asked."""
    painted = sorted((home.host.folder / "output").rglob("*.png"))[2]
    with Image.open(painted) as picture:
        picture.convert("RGB").resize((2016, 1344)).save(home.host.folder / "input" / "peaks.png")
    return "peaks.png"


async def scene(home: House, studio: Client, night: Client) -> None:
    """Something runs, something waits, and two requests are there."""
    run = large(given(home))
    # Once before, so that it is known how long such a run takes.
    asked = await call(studio, "run_workflow", run)
    await home.command("approvals", "approve", asked["approval_id"])
    home.host.faults = WORKING
    await call(studio, "run_workflow", run)
    home.host.faults = CRAWLING
    running = await call(studio, "run_workflow", parked(small("a sailing boat on a lake", 7)))
    await call(night, "run_workflow", parked(small("an old mill in a meadow", 8)))
    denied = await call(night, "interrupt_execution", {"prompt_id": running["prompt_id"]})
    await home.command("approvals", "deny", denied["approval_id"], "--reason", "Let it finish.")
    await call(studio, "run_workflow", parked(run))
    await call(studio, "request_approval", QUESTION)


QUESTION: Mapping[str, Any] = {
    "action": "Delete the 214 drafts that nobody opened since October?",
    "context": {"folder": "drafts/october", "keep_newest": 10},
    "urgency": "low",
}


async def taken(operator: Operator, name: str) -> None:
    """Write what is on the screen, with few colours: a page needs no more."""
    await operator.page.evaluate("document.activeElement?.blur()")
    raw = Image.open(io.BytesIO(await operator.page.screenshot())).convert("RGB")
    path = FOLDER / name
    raw.quantize(256, dither=Image.Dither.NONE).save(path, "PNG", optimize=True)
    size = path.stat().st_size
    sys.stderr.write(f"{path.name}: {raw.width} x {raw.height}, {size} bytes\n")
    if size > MOST_BYTES:
        raise SystemExit(f"{path.name} is larger than {MOST_BYTES} bytes.")


async def look(browser: Any, link: str, screen: Screen, section: str, name: str) -> None:
    """Sign in and take one picture, from the top or from a *section* on."""
    async with chromium.opened(browser, screen) as watched:
        operator = Operator(watched)
        await operator.sign_in(link)
        await expect(operator.cards).to_have_count(2)
        for picture in await operator.page.locator("main img").all():
            await operator.shows_picture(picture)
        await operator.page.evaluate("scrollTo(0, 0)")
        if section:
            await operator.page.evaluate(f"location.hash = '{section}'")
        await taken(operator, name)


async def main() -> None:
    """Build the scene once, and look at it in three ways."""
    if why := chromium.missing():
        raise SystemExit(why)
    FOLDER.mkdir(exist_ok=True)
    os.environ.update(LOGNAME=OPERATOR, USER=OPERATOR)
    with TemporaryDirectory(prefix="console-pictures-") as folder:
        async with (
            lived_in(Path(folder)) as (home, studio, night),
            home.console() as console,
            chromium.browser() as browser,
        ):
            await scene(home, studio, night)
            for screen, section, name in VIEWS:
                await look(browser, await console.link(), screen, section, name)


VIEWS = (
    (Screen(1280, 1040), "", "console-desktop.png"),
    (Screen(1280, 800, "dark"), "jobs", "console-dark.png"),
    (Screen(390, 844), "", "console-phone.png"),
)

if __name__ == "__main__":
    asyncio.run(main())
