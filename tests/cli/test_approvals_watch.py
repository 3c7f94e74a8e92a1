"""`approvals watch` tells of each request and each word, live, and ends cleanly when told to."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

from tests.cli.asking import ONE, TWO, asked, having, used
from tests.cli.command_line import SECONDS, CommandLine, end
from tests.oversight.asked import HOUR, LONG, NASTY, policy_file, question, run_request

UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    """The next lines of what *process* says."""
    assert process.stdout is not None
    return [process.stdout.readline().rstrip("\n") for _ in range(count)]


def test_elsewhere_each_request_and_each_word_is_a_line(guard: CommandLine) -> None:
    asked(guard.state, run_request(number=1))
    with guard.start("approvals", "watch") as process:
        (waits,) = lines(process, 1)
        asked(guard.state, question(2, NASTY + LONG))
        (asks,) = lines(process, 1)
        assert guard.run("approvals", "deny", ONE, "--reason", "No.").returncode == 0
        assert guard.run("approvals", "approve", TWO).returncode == 0
        said = lines(process, 2)
        status, errors = end(process, signal.SIGINT)

    assert waits.split()[1:3] == ["waits", ONE]
    assert "ci-bot: run txt2img: 50 steps" in waits
    assert asks.split()[1:3] == ["asked", TWO]
    assert 'the agent asks: "a fox' in asks
    assert [one for one in asks if unicodedata.category(one) in UNSEEN] == []
    assert len(asks) < 400
    assert said[0].split()[1:3] == ["denied", ONE]
    assert said[0].endswith('(terminal): "No."')
    assert said[1].split()[1:3] == ["approved", TWO]
    assert (status, errors) == (130, "")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_without_a_traceback(
    number: signal.Signals, status: int, guard: CommandLine
) -> None:
    asked(guard.state, question(1))
    with guard.start("approvals", "watch") as process:
        lines(process, 1)
        assert end(process, number) == (status, "")


def test_a_reader_that_goes_ends_it(guard: CommandLine) -> None:
    asked(guard.state, question(1))
    with guard.start("approvals", "watch") as process:
        lines(process, 1)
        assert process.stdout is not None
        process.stdout.close()
        asked(guard.state, question(2))
        assert process.wait(SECONDS) == 141
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_before_any_server_it_waits_for_one(guard: CommandLine) -> None:
    with guard.start("approvals", "watch") as process:
        (told,) = lines(process, 1)
        # It comes as a whole: nobody sees it before the request is in it.
        asked(guard.folder / "made", question(1)).rename(guard.state)
        (waits,) = lines(process, 1)
        assert end(process, signal.SIGTERM) == (143, "")

    assert told == f"No server has used {guard.state} yet; waiting."
    assert waits.split()[1:3] == ["waits", ONE]


@pytest.mark.skipif(shutil.which("timeout") is None, reason="timeout is of GNU coreutils")
def test_timeout_ends_it_without_a_word(guard: CommandLine) -> None:
    """It sends its signal twice: to the process, and to the group that this is in."""
    asked(guard.state, question(1))
    with guard.start("approvals", "watch", under=("timeout", str(SECONDS))) as process:
        lines(process, 1)
        assert end(process, signal.SIGTERM) == (143, "")


def test_a_yes_that_is_used_at_once_is_told_as_both(guard: CommandLine) -> None:
    asked(guard.state, run_request())
    with guard.start("approvals", "watch") as process:
        lines(process, 1)
        having(guard.state, used)
        said = lines(process, 2)
        end(process, signal.SIGINT)

    assert said[0].split()[1:3] == ["approved", ONE]
    assert said[0].endswith(" of GPU time by ada (terminal)")
    assert said[1].split()[1:3] == ["spent", ONE]
    assert said[1].endswith("(used)")


def test_an_edited_policy_is_told(guard: CommandLine, tmp_path: Path) -> None:
    policy = policy_file(tmp_path)
    asked(guard.state, run_request(policy))
    policy.write_text(policy.read_text().replace("60", "61"))
    with Terminal(guard, "approvals", "watch") as terminal:
        terminal.until(lambda shown: "void: the policy was edited" in words_of(shown))
        terminal.end(signal.SIGINT)


def words_of(shown: str) -> str:
    """What a person reads: without colours, each run of white space one space."""
    return " ".join(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).split())


class Terminal:
    """A command on a terminal of 100 *columns* and 40 lines."""

    def __init__(self, guard: CommandLine, *words: str, columns: int = 100) -> None:
        self.shown = ""
        self._own, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "comfy_mcp", *words],
            cwd=guard.folder,
            env={**guard.environ(), "TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        """Nothing more: it runs."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it, if need be by force."""
        self.process.kill()
        self.process.wait()
        os.close(self._own)

    def until(self, seen: Callable[[str], bool]) -> str:
        """Read until what was shown is *seen* to be enough."""
        latest = time.monotonic() + SECONDS
        while not seen(self.shown):
            assert time.monotonic() < latest, self.shown[-2_000:]
            self._read()
        return self.shown

    def end(self, number: signal.Signals) -> int:
        """Send a signal; the exit status, once everything was read."""
        self.process.send_signal(number)
        status = self.process.wait(SECONDS)
        while self._read():
            pass
        return status

    def _read(self) -> bool:
        ready, _, _ = select.select([self._own], [], [], 0.2)
        if not ready:
            return False
        try:
            data = os.read(self._own, 65_536)
        except OSError:
            # Linux says so when nobody holds the other side any more.
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_on_a_terminal_a_table_comes_and_goes(
    number: signal.Signals, status: int, guard: CommandLine
) -> None:
    asked(guard.state, run_request(number=1))
    with Terminal(guard, "approvals", "watch") as terminal:
        terminal.until(lambda shown: "1 request waits for you." in shown and ONE in shown)
        asked(guard.state, question(2))
        terminal.until(lambda shown: "2 requests wait for you." in shown and "NEW" in shown)
        assert guard.run("approvals", "deny", ONE).returncode == 0
        assert guard.run("approvals", "deny", TWO).returncode == 0
        terminal.until(
            lambda shown: "Nothing waits for you." in shown and f"denied    {TWO}" in shown
        )

        assert terminal.end(number) == status
        assert "Traceback" not in terminal.shown
        # The cursor was hidden while the table was drawn, and is there again.
        assert terminal.shown.rindex("\x1b[?25h") > terminal.shown.rindex("\x1b[?25l")


@pytest.mark.parametrize("words", [("ls",), ("watch",)])
def test_eighty_columns_are_enough_for_what_is_asked(
    words: tuple[str, ...], guard: CommandLine
) -> None:
    asked(guard.state, run_request(prompt="a fox"))
    whole = '    run txt2img: 50 steps, 4.19 megapixels, about 39 s of GPU time: "a fox"'
    with Terminal(guard, "approvals", *words, columns=80) as terminal:
        shown = terminal.until(lambda shown: '"a fox"' in shown)
        terminal.end(signal.SIGINT)

    rows = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", row).rstrip() for row in shown.splitlines()]
    assert whole in rows
    assert any(ONE in row and "ci-bot" in row for row in rows)


def test_on_a_terminal_the_seconds_go_down(guard: CommandLine) -> None:
    asked(guard.state, question(1), ago_ms=HOUR - 50_000)
    with Terminal(guard, "approvals", "watch") as terminal:
        terminal.until(lambda shown: len(set(re.findall(r"\d+ s\b", shown))) > 2)

        terminal.end(signal.SIGINT)


@pytest.mark.parametrize("words", [("ls",), ("show", ONE), ("watch",)])
def test_words_of_an_agent_do_nothing_to_a_terminal(
    words: tuple[str, ...], guard: CommandLine
) -> None:
    asked(guard.state, question(1, NASTY + LONG, **{NASTY: NASTY, "word": LONG}))
    with Terminal(guard, "approvals", *words) as terminal:
        terminal.until(lambda shown: "status approved by root" in words_of(shown))
        terminal.end(signal.SIGINT)

        for escape in ("\x1b[2J", "\x1b[1;1H", "\x07", "\x9b", "\u202e", "\u2066"):
            assert escape not in terminal.shown
        # Markup is shown as it was written, and no text reaches the margin, where our lines begin.
        assert "[bold red]x[/]" in words_of(terminal.shown)
        forged = [
            row for row in terminal.shown.splitlines() if row.lstrip().startswith("status   ")
        ]
        assert [row for row in forged if "approved" in row] == []


def test_long_words_are_folded_inside_their_column(guard: CommandLine) -> None:
    asked(guard.state, question(1, LONG))
    with Terminal(guard, "approvals", "show", ONE) as terminal:
        shown = terminal.until(lambda shown: "approvals deny" in shown)
        terminal.end(signal.SIGINT)

        part = shown.partition("Chosen by the agent")[2].partition("Decide")[0]
        folded = [row for row in part.splitlines() if "characters 10,000" in row]
        assert len(folded) > 3
        assert all(row.startswith((" ", "\x1b[1m  > asks")) for row in folded)
