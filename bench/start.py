"""From the start of a process to its first list of tools, against a server with one idle tool."""

from __future__ import annotations

from time import perf_counter

from bench.figures import Figure, of_times, ratio
from bench.pipe import LEGACY, MODERN, Pipe
from bench.places import BARE, OURS, Place

__all__ = ["measure"]


def measure(place: Place, rounds: int) -> list[Figure]:
    """Medians of *rounds* starts each in both protocol eras, and how they compare."""
    found: list[Figure] = []
    for era in (LEGACY, MODERN):
        for arguments in (OURS, BARE):
            _start(arguments, place, era)  # writes the bytecode
        times: dict[tuple[str, ...], list[float]] = {OURS: [], BARE: []}
        for turn in range(rounds):
            for arguments in ((OURS, BARE), (BARE, OURS))[turn % 2]:
                times[arguments].append(_start(arguments, place, era))
        ours = of_times(f"start to tools/list, {era}: comfy-mcp-guard", times[OURS])
        bare = of_times(f"start to tools/list, {era}: bare SDK server", times[BARE])
        found += [ours, bare, ratio(f"start, {era}: ours / bare", ours, bare, goal=1.15)]
    return found


def _start(arguments: tuple[str, ...], place: Place, era: str) -> float:
    started = perf_counter()
    with Pipe(arguments, place, era) as pipe:
        pipe.greet()
        if not pipe.ask("tools/list")["tools"]:
            raise RuntimeError("the server lists no tools")
        return perf_counter() - started
