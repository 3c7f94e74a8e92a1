"""A permit is good for one thing: one graph once, or one job until its time is over."""

from __future__ import annotations

import pytest

from comfy_mcp.errors import PermitError
from comfy_mcp.permit import StopPermit, SubmitPermit


def submit_permit() -> SubmitPermit:
    return SubmitPermit(decision_id="dec_1", prompt_id="a", digest="sha256:1")


def stop_permit() -> StopPermit:
    return StopPermit(decision_id="dec_2", prompt_ids=["a"], deadline_ms=1000)


@pytest.mark.parametrize(("prompt_id", "digest"), [("b", "sha256:1"), ("a", "sha256:2")])
def test_a_permit_for_one_graph_and_job_is_none_for_another(prompt_id: str, digest: str) -> None:
    with pytest.raises(PermitError, match="dec_1 is for another"):
        submit_permit().spend(prompt_id=prompt_id, digest=digest)


@pytest.mark.parametrize("allowed", [True, False])
def test_a_permit_for_one_place_in_the_queue_is_none_for_another(*, allowed: bool) -> None:
    permit = SubmitPermit(decision_id="dec_1", prompt_id="a", digest="sha256:1", front=allowed)

    with pytest.raises(PermitError, match="dec_1 is for another"):
        permit.spend(prompt_id="a", digest="sha256:1", front=not allowed)
    permit.spend(prompt_id="a", digest="sha256:1", front=allowed)


@pytest.mark.parametrize("front", [True, False])
def test_a_permit_says_whether_the_job_goes_before_others(*, front: bool) -> None:
    permit = SubmitPermit(decision_id="dec_1", prompt_id="a", digest="sha256:1", front=front)

    with pytest.raises(PermitError, match="dec_1 is for another"):
        permit.spend(prompt_id="a", digest="sha256:1", front=not front)
    permit.spend(prompt_id="a", digest="sha256:1", front=front)


def test_a_wrong_use_does_not_use_a_permit_up() -> None:
    permit = submit_permit()
    with pytest.raises(PermitError):
        permit.spend(prompt_id="b", digest="sha256:1")

    permit.spend(prompt_id="a", digest="sha256:1")


def test_a_permit_to_submit_is_good_once() -> None:
    permit = submit_permit()
    permit.spend(prompt_id="a", digest="sha256:1")

    with pytest.raises(PermitError, match="used up"):
        permit.spend(prompt_id="a", digest="sha256:1")


def test_a_renewed_permit_is_good_once_more() -> None:
    permit = submit_permit()
    permit.spend(prompt_id="a", digest="sha256:1")
    permit.renew()

    permit.spend(prompt_id="a", digest="sha256:1")


def test_a_permit_to_stop_is_good_any_number_of_times_until_its_deadline() -> None:
    permit = stop_permit()

    for now_ms in (0, 999, 1000):
        permit.check(prompt_id="a", now_ms=now_ms)
    with pytest.raises(PermitError, match="out of date"):
        permit.check(prompt_id="a", now_ms=1001)


def test_a_permit_to_stop_one_job_stops_no_other() -> None:
    with pytest.raises(PermitError, match="dec_2 is for another job"):
        stop_permit().check(prompt_id="b", now_ms=0)
