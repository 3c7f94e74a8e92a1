"""``python -m bench races``: every race, on embedded hosts of all versions or on one ComfyUI."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

from bench.places import embedded_host
from bench.races.races import RACES
from bench.races.stage import stage
from bench.races.verdicts import Report
from comfy_mcp.embedded import CLOUD_KEY
from comfy_mcp.embedded.profiles import PROFILES

__all__ = ["WEATHERS", "main"]

WEATHERS: tuple[dict[str, int], ...] = (
    {},
    {"lost_cancel_ms": 25},
    {"deaf_ms": 40},
    {"slow_orders_ms": 40},
)
"""What goes wrong: nothing; cancels that are lost; deaf nodes; orders that arrive late."""

SHOWN = 10
"""Violations of one race that are printed."""


@dataclass(frozen=True, slots=True)
class Venue:
    """Where races are run; *host* None means an embedded one of that *profile* and *weather*."""

    name: str
    host: str | None = None
    profile: str = ""
    weather: tuple[tuple[str, int], ...] = ()
    share: int = 1

    @property
    def key(self) -> str:
        """What the host wants to be shown."""
        return CLOUD_KEY if self.profile == "cloud" else ""

    @property
    def old(self) -> bool:
        """Whether it can only interrupt whatever runs."""
        return bool(self.profile) and not PROFILES[self.profile].targeted_interrupt


def main(words: Sequence[str]) -> int:
    """Run them and print a line for each; 1 if anything was wrong."""
    given = _options(words)
    wrong = 0
    for venue in _venues(given):
        for found in _run(venue, given):
            wrong += len(found.violations)
            print(found.line(), flush=True)
            for violation in found.violations[:SHOWN]:
                print(f"    VIOLATION {violation}", flush=True)
    print(f"{wrong} violations")
    return 1 if wrong else 0


def _run(venue: Venue, given: argparse.Namespace) -> Iterator[Report]:
    if venue.host is not None:
        yield from _races(venue.host, venue, given)
        return
    with embedded_host(venue.profile, **dict(venue.weather)) as host:
        yield from _races(host, venue, given)


def _races(host: str, venue: Venue, given: argparse.Namespace) -> Iterator[Report]:
    for name in given.race or RACES:
        count = given.count or -(-RACES[name][1] // venue.share)
        with tempfile.TemporaryDirectory(prefix="comfy-mcp-races-") as folder:
            yield anyio.run(_one, name, count, host, venue, Path(folder))


async def _one(name: str, count: int, host: str, venue: Venue, folder: Path) -> Report:
    race, _ = RACES[name]
    async with stage(host, folder, key=venue.key, name=venue.name, old=venue.old) as ready:
        return await race(ready, count)


def _venues(given: argparse.Namespace) -> list[Venue]:
    if given.host:
        return [Venue(f"({given.host})", given.host)]
    return [
        Venue(
            f"({' '.join([profile, *(f'{name}={ms}' for name, ms in weather.items())])})",
            profile=profile,
            weather=tuple(weather.items()),
            share=len(WEATHERS),
        )
        for profile in given.profile or PROFILES
        for weather in WEATHERS
    ]


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench races", description=__doc__)
    parser.add_argument("--host", help="a running ComfyUI that nobody else uses meanwhile")
    parser.add_argument(
        "--count", type=int, help="of each race; default 300 or 100, over all weathers together"
    )
    parser.add_argument("--race", choices=tuple(RACES), action="append", help="only this one")
    parser.add_argument(
        "--profile", choices=tuple(PROFILES), action="append", help="only this embedded version"
    )
    return parser.parse_args(words)
