"""Several files are one policy: only unanimity allows by default."""

from __future__ import annotations

import pytest

from comfy_mcp.guard.policy import Grant, Hide, Layer, Policy, PolicyFile


def test_a_policy_without_a_file_allows_nothing_by_default() -> None:
    assert not Policy().default_allow
    assert Policy().layers == ()
    assert not Policy().knows_grants


@pytest.mark.parametrize(
    ("defaults", "allowed"),
    [((True,), True), ((True, True), True), ((True, False), False), ((False,), False)],
)
def test_the_default_is_allow_only_if_every_file_says_so(
    defaults: tuple[bool, ...], allowed: bool
) -> None:
    files = tuple(PolicyFile(layer=Layer(default_allow=default)) for default in defaults)
    assert Policy(files).default_allow is allowed


def test_a_file_only_hides_if_it_says_nothing_about_the_rest() -> None:
    hide = Layer(hide=(Hide("/hide/0", "cancel_job"),))
    assert PolicyFile(layer=hide).only_hides
    assert not PolicyFile().only_hides
    assert not PolicyFile(layer=hide, lists=True).only_hides
    assert not PolicyFile(layer=Layer(hide=hide.hide, default_allow=True)).only_hides


def test_grants_of_all_files_are_known_and_a_file_may_know_nobody() -> None:
    ann = Grant("a#/grants/ann", "ann", "ann", Layer())
    bob = Grant("b#/grants/bob", "bob", "bob", Layer())
    policy = Policy((PolicyFile(grants=(ann,)), PolicyFile(), PolicyFile(grants=(bob,))))
    assert policy.grants == (ann, bob)
    assert policy.knows_grants
    assert Policy((PolicyFile(grants=()),)).knows_grants
    assert not Policy((PolicyFile(),)).knows_grants
