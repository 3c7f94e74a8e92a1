"""Prints the table of docs/reliability.md: ``python -m tests.faults``."""

from __future__ import annotations

import sys

from tests.faults.promise import END, START, table

if __name__ == "__main__":
    sys.stdout.write(f"{START}\n{table()}\n{END}\n")
