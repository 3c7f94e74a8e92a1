"""A moment is written with its zone, or is none."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from comfy_mcp.cli.times import milliseconds, read


def test_a_time_keeps_the_zone_it_was_written_in() -> None:
    moment = read("2026-12-24T18:00:00.5+01:00")

    assert moment.utcoffset() == timedelta(hours=1)
    assert milliseconds(moment) == milliseconds(read("2026-12-24T17:00:00.500Z"))
    assert milliseconds(read("1970-01-01T00:00:01Z")) == 1_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-12-24",
        "2026-12-24T18:00:00",
        "1969-12-31T23:59:59Z",
        "2026-13-01T00:00:00Z",
    ],
)
def test_a_time_without_its_zone_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="with its zone"):
        read(text)


def test_a_time_near_the_end_of_the_calendar_is_read() -> None:
    assert isinstance(read("9999-12-31T23:59:59-00:00"), datetime)
