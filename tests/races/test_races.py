"""The races of ``python -m bench races``, a few rounds each: what is told is true."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.embedded import faults
from bench.races.races import RACES
from bench.races.stage import stage
from comfy_mcp.embedded import CLOUD_KEY, EmbeddedHost, Faults
from comfy_mcp.embedded.profiles import PROFILES

pytestmark = pytest.mark.anyio

LOST = Faults(lost_cancel_ms=25)
DEAF = Faults(deaf_ms=30)
LATE = faults(slow_orders_ms=40)

ROUNDS = [
    *((profile, Faults(), race) for profile in PROFILES for race in ("at_once", "interrupts")),
    *((profile, Faults(), "doubles") for profile in ("0.3.40", "0.33", "cloud")),
    *((profile, Faults(), "at_the_end") for profile in ("0.3.40", "0.3.64")),
    *((profile, Faults(), "strangers") for profile in ("0.3.40", "0.33")),
    *((profile, LOST, "at_once") for profile in ("0.3.64", "0.33")),
    ("0.33", DEAF, "at_the_end"),
    ("0.3.40", LATE, "at_the_end"),
    ("0.33", LATE, "at_the_end"),
]

COUNT = 3
"""Enough for one round of each kind that a race has."""


@pytest.mark.parametrize(
    ("profile", "weather", "race"),
    ROUNDS,
    ids=lambda value: "weather" if isinstance(value, Faults) else str(value),
)
async def test_a_stopped_job_is_what_it_is_said_to_be_and_no_other_is_hit(
    profile: str, weather: Faults, race: str, tmp_path: Path
) -> None:
    run, _ = RACES[race]
    async with EmbeddedHost(profile=profile, faults=weather) as host:
        key = CLOUD_KEY if host.profile.cloud else ""
        old = not host.profile.targeted_interrupt
        async with stage(host.url, tmp_path, key=key, old=old) as ready:
            found = await run(ready, COUNT)

    assert found.violations == ()
    assert found.count == COUNT
    assert sum(found.outcomes.values()) >= COUNT
