"""Several files are one policy: only unanimity allows by default."""

from __future__ import annotations

import pytest

from comfy_mcp.guard.policy import Hide, Policy, PolicyFile


def test_a_policy_without_a_file_allows_nothing_by_default() -> None:
    assert not Policy().default_allow


@pytest.mark.parametrize(
    ("defaults", "allowed"),
    [((True,), True), ((True, True), True), ((True, False), False), ((False,), False)],
)
def test_the_default_is_allow_only_if_every_file_says_so(
    defaults: tuple[bool, ...], allowed: bool
) -> None:
    files = tuple(PolicyFile(default_allow=default) for default in defaults)
    assert Policy(files).default_allow is allowed


def test_a_file_only_hides_if_it_says_nothing_about_the_rest() -> None:
    hide = (Hide("/hide/0", "cancel_job"),)
    assert PolicyFile(hide=hide).only_hides
    assert not PolicyFile().only_hides
    assert not PolicyFile(hide=hide, lists=True).only_hides
    assert not PolicyFile(hide=hide, default_allow=True).only_hides
