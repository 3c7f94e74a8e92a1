"""A version is read where there is one, and what is none is not guessed."""

from __future__ import annotations

import pytest

from comfy_mcp.host.version import TARGETED_INTERRUPT, parse_version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("0.3.64", (0, 3, 64)),
        ("v0.33.0", (0, 33, 0)),
        ("0.33", (0, 33, 0)),
        (" 1.2.3-beta+7 ", (1, 2, 3)),
        ("", None),
        ("nightly", None),
        ("5", None),
    ],
)
def test_a_version_is_three_numbers(text: str, version: tuple[int, int, int] | None) -> None:
    assert parse_version(text) == version


def test_versions_are_compared_by_number_and_not_by_letter() -> None:
    older, newer = parse_version("0.3.9"), parse_version("0.3.57")

    assert older is not None
    assert newer is not None
    assert older < TARGETED_INTERRUPT <= newer
