"""``python -m bench``: measure on this machine and print what came out, goals missed included.

``python -m bench races`` and ``python -m bench soak`` do not measure: they look for faults.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

import anyio

from bench import decisions, jobs, ledger, memory, size, start, view
from bench.figures import Figure, as_json, table
from bench.places import Place, embedded_host, place


def main() -> None:
    """Measure and print; or do what the first word says."""
    if sys.argv[1:2] == ["races"]:
        from bench.races.main import main as races  # noqa: PLC0415 - nothing measured loads it

        sys.exit(races(sys.argv[2:]))
    if sys.argv[1:2] == ["soak"]:
        from bench.soak.main import main as soak  # noqa: PLC0415 - see above

        sys.exit(soak(sys.argv[2:]))
    options = _options()
    with (
        nullcontext(options.host) if options.host else embedded_host() as host,
        place(host) as here,
    ):
        about = _about(options.host or "embedded host")
        print(about, flush=True)
        figures = _measure(here, options)
    print(table(figures))
    if options.json:
        text = json.dumps({"about": about, "figures": as_json(figures)}, indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")


def _measure(here: Place, options: argparse.Namespace) -> list[Figure]:
    return [
        *anyio.run(jobs.measure, here, options.rounds),
        *start.measure(here, options.starts),
        *size.measure(here),
        *anyio.run(decisions.measure, here, options.decisions),
        *anyio.run(ledger.measure, here.folder, options.decisions),
        *memory.measure(here),
        *anyio.run(view.measure, here, options.looks),
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--host", help="a running ComfyUI, e.g. http://127.0.0.1:8188")
    parser.add_argument("--rounds", type=int, default=100, help="jobs of each kind (100)")
    parser.add_argument("--starts", type=int, default=15, help="starts of each server (15)")
    parser.add_argument("--decisions", type=int, default=1000, help="decisions (1000)")
    parser.add_argument("--looks", type=int, default=10, help="looks at an 8k picture (10)")
    parser.add_argument("--json", type=Path, help="a file for the same numbers")
    return parser.parse_args()


def _about(host: str) -> str:
    return (
        f"{host}, {os.cpu_count()} cores under a load of {os.getloadavg()[0]:.1f},"
        f" Python {platform.python_version()}, mcp {version('mcp')}"
    )


if __name__ == "__main__":
    main()
