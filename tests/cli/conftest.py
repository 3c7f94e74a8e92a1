"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine


@pytest.fixture
def guard(tmp_path: Path) -> CommandLine:
    """The program, in a folder of its own."""
    return CommandLine(tmp_path)
