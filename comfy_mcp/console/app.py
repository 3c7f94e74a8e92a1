"""One console: its rooms put together, and its life from the first link to the last answer."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
from aiohttp import web

from comfy_mcp.accepting import no_more
from comfy_mcp.console.answers import Refusal, data
from comfy_mcp.console.board import Board
from comfy_mcp.console.decisions import Decisions
from comfy_mcp.console.events import Events
from comfy_mcp.console.keys import Keys
from comfy_mcp.console.looking import Looking
from comfy_mcp.console.parts import Parts, opened
from comfy_mcp.console.pictures import Pictures
from comfy_mcp.console.routes import Ask, Kind, Reception, Route
from comfy_mcp.console.security import Place
from comfy_mcp.console.sessions import Sessions
from comfy_mcp.console.signing import FIRST, Door
from comfy_mcp.console.sockets import listening
from comfy_mcp.console.terminal import entered
from comfy_mcp.console.views import Views
from comfy_mcp.console.wire import Bounds, server
from comfy_mcp.oversight.state import now_ms as machine_ms
from comfy_mcp.settings import Settings

__all__ = ["PORT", "Console", "serve", "started"]

PORT = 8190

PAGE = Path(__file__).resolve().parent / "page"

KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

FILE = r"/(?P<name>[a-z0-9_-]{1,40}\.(?:css|js|svg))"
"""Files of the page; no data is in them: they are for everybody on this machine."""

ENTER = "Press Enter for another link."
NO_TERMINAL = (
    "Without a terminal there are no other links but after a sign-in: start it anew for one."
)
END = "Ctrl-C ends the console; servers and jobs go on."

LAST_S = 0.5
"""What is being answered when the console ends has so long."""

APPROVAL = r"/api/approvals/(?P<id>apr_[0-9a-f]{16})"
NUMBER = r"(?P<n>[0-9]{1,4})"
OUTPUT = rf"/api/jobs/(?P<id>[A-Za-z0-9_-]{{1,64}})/outputs/{NUMBER}"

OPEN = Kind(session=False)
FOR_ALL = Kind(session=False, page=True)


class Console:
    """One console at *place*; *say* writes on the operator's terminal."""

    def __init__(
        self,
        parts: Parts,
        place: Place,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        bounds: Bounds = Bounds(),  # noqa: B008 - a frozen value
    ) -> None:
        self.place = place
        self.sessions = Sessions(clock)
        self.door = Door(parts, place, Keys(clock), self.sessions, say)
        self.board = Board()
        self.reception = Reception(self._routes(parts), place, self.sessions, bounds)

    def _routes(self, parts: Parts) -> tuple[Route, ...]:
        looking = Looking(parts, self.board)
        door, views, pictures = self.door, Views(parts), Pictures(parts)
        decisions = Decisions(parts, looking.poke)
        return (
            Route("GET", "/", _static, FOR_ALL),
            Route("GET", FILE, _static, FOR_ALL),
            Route("POST", "/api/sign-in", door.sign_in, OPEN),
            Route("POST", "/api/sign-out", door.sign_out),
            Route("POST", "/api/sign-out-all", door.sign_out_all),
            Route("GET", "/api/session", door.session),
            Route("GET", "/api/events", Events(self.board, self.sessions).stream),
            Route("GET", "/api/audit", views.audit),
            Route("GET", APPROVAL, views.approval),
            Route("GET", f"{APPROVAL}/inputs/{NUMBER}", pictures.input),
            Route("GET", OUTPUT, pictures.output),
            Route("POST", f"{APPROVAL}/approve", decisions.approve),
            Route("POST", f"{APPROVAL}/deny", decisions.deny),
            Route("POST", "/api/freeze", decisions.freeze),
            Route("POST", "/api/unfreeze", decisions.unfreeze),
        )

    async def close(self) -> None:
        """End every session, and with it every stream."""
        self.sessions.end_all()
        await self.board.close()


@asynccontextmanager
async def started(
    settings: Settings,
    say: Callable[[str], None],
    *,
    port: int = PORT,
    judged_by: tuple[Path, ...] = (),
    now_ms: Callable[[], int] = machine_ms,
    clock: Callable[[], float] = time.monotonic,
    bounds: Bounds = Bounds(),  # noqa: B008 - a frozen value
) -> AsyncGenerator[Console]:
    """A console that listens; *port* 0: any free one. Nothing is printed yet.

    *now_ms* is the time of the state, *clock* that of keys and sessions, in seconds.

    Raises:
        ConfigError: it cannot listen there.
    """
    sockets = listening(port)
    parts = opened(settings, now_ms, judged_by)
    console = Console(parts, Place(sockets[0].getsockname()[1]), say, clock, bounds)
    runner = web.ServerRunner(server(console.reception.answer, bounds), shutdown_timeout=LAST_S)
    await runner.setup()
    try:
        for one in sockets:
            await web.SockSite(runner, one).start()
        yield console
    finally:
        await console.close()
        await no_more(sockets)
        await runner.cleanup()
        await parts.close()


async def serve(
    settings: Settings,
    say: Callable[[str], None],
    *,
    port: int = PORT,
    judged_by: tuple[Path, ...] = (),
) -> None:
    """Listen until a signal ends it.

    Raises:
        ConfigError: it cannot listen there.
    """
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows has no such handlers; there Ctrl-C ends it by an exception.
        with suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, told.set)
    async with started(settings, say, port=port, judged_by=judged_by) as console:
        console.door.offer(FIRST)
        with entered(console.door.offer) as can_enter:
            say(f"{ENTER if can_enter else NO_TERMINAL} {END}")
            await told.wait()


async def _static(ask: Ask) -> web.StreamResponse:
    name = ask.parts.get("name", "index.html")
    try:
        return data(await anyio.Path(PAGE, name).read_bytes(), KINDS[name.rpartition(".")[2]])
    except FileNotFoundError as error:
        raise Refusal(404, "There is no such file of the page.", "Load the page again.") from error
