"""A process that is killed while it brings a state up.

Arguments: folder, and before which statement of the transaction it dies.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from pathlib import Path

from comfy_mcp.store.schema import prepare


def main(folder: Path, last: int) -> None:
    connection = sqlite3.connect(folder / "guard.db", isolation_level=None)
    told: list[str] = []

    def tell(statement: str) -> None:
        if told or "IMMEDIATE" in statement:
            told.append(statement)
        if len(told) > last + 1:
            os.kill(os.getpid(), signal.SIGKILL)

    connection.set_trace_callback(tell)
    prepare(connection, folder, 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
