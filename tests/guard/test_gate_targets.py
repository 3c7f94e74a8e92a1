"""A call that stops several jobs: each of them is looked up, and one that is not own stops all."""

from __future__ import annotations

from pathlib import Path

import pytest

from comfy_mcp.errors import Denied, PermitError
from comfy_mcp.guard.gate import Call
from comfy_mcp.guard.second_look import MOST_TARGETS
from comfy_mcp.store.sqlite import SqliteStore
from tests.guard.gatehouse import NOW, Bench, submit

pytestmark = pytest.mark.anyio


def clearing(*targets: str, grant: str = "local") -> Call:
    return Call("clear_queue", grant, grant, args={}, targets=targets, stop_ms=1_000)


async def a_house(store: SqliteStore, **policy: object) -> Bench:
    """job-0 to job-2 are local's, job-3 is bob's."""
    bench = Bench(store, {"run_workflow": {}, "clear_queue": {}, "get_job": {}}, **policy)
    for number, grant in enumerate(("local", "local", "local", "bob")):
        async with bench.gate.admit(submit(number, grant)):
            pass
    return bench


async def refusal(bench: Bench, call: Call) -> Denied:
    with pytest.raises(Denied) as caught:
        async with bench.gate.admit(call):
            pytest.fail("the body must not run")
    return caught.value


async def test_the_permit_is_for_these_jobs_until_its_deadline(store: SqliteStore) -> None:
    bench = await a_house(store)

    async with bench.gate.admit(clearing("job-0", "job-2")) as granted:
        assert granted.stop is not None
        for prompt_id in ("job-0", "job-2"):
            granted.stop.check(prompt_id=prompt_id, now_ms=NOW + 1_000)
            with pytest.raises(PermitError):
                granted.stop.check(prompt_id=prompt_id, now_ms=NOW + 1_001)
        for prompt_id in ("job-1", "job-3"):
            with pytest.raises(PermitError):
                granted.stop.check(prompt_id=prompt_id, now_ms=NOW)


@pytest.mark.parametrize("stranger", ["job-3", "a-humans"])
@pytest.mark.parametrize("ownership", ["own", "any"])
async def test_one_job_that_is_not_the_callers_own_refuses_the_call_whatever_the_policy_says(
    store: SqliteStore, stranger: str, ownership: str
) -> None:
    bench = await a_house(store, gpu={"ownership": ownership})

    denial = (await refusal(bench, clearing("job-0", stranger, "job-1"))).denial

    assert denial.code == "not_owner"
    assert denial.reason.startswith("1 of the 3 jobs were not started by you, so none was stopped")
    row = (await bench.rows())[-1]
    assert (row["decision"], row["code"]) == ("deny", "not_owner")


async def test_the_audit_row_says_how_many_jobs_and_names_the_first(store: SqliteStore) -> None:
    bench = await a_house(store)
    async with bench.gate.admit(clearing("job-2", "job-0")):
        pass
    assert (await bench.rows())[-2]["targets"] == {"count": 2, "prompt_ids": ["job-0", "job-2"]}

    await refusal(bench, clearing(*(f"x{number:03}" * 60 for number in range(100))))
    told = (await bench.rows())[-1]["targets"]
    assert told["count"] == 100
    assert len(told["prompt_ids"]) == 20
    assert max(map(len, told["prompt_ids"])) == 128


async def test_nothing_to_stop_is_allowed_and_gets_no_permit(store: SqliteStore) -> None:
    bench = await a_house(store)

    async with bench.gate.admit(clearing()) as granted:
        assert granted.stop is None
    assert "targets" not in (await bench.rows())[-2]


async def test_more_jobs_than_any_queue_has_are_refused_unread(store: SqliteStore) -> None:
    bench = await a_house(store)
    many = clearing(*(f"p{number}" for number in range(MOST_TARGETS + 1)))

    assert (await refusal(bench, many)).denial.code == "too_many"


async def test_without_a_state_nobody_can_tell_whose_jobs_they_are(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a folder has to be")
    store = SqliteStore(tmp_path / "state")
    bench = Bench(store, {"clear_queue": {}})

    assert (await refusal(bench, clearing("job-0"))).denial.code == "audit_unavailable"
    await store.close()


async def test_a_refused_clearing_takes_nothing_from_its_limit(store: SqliteStore) -> None:
    bench = Bench(store, {"run_workflow": {}, "clear_queue": {"rate_limit": "1/minute"}})
    async with bench.gate.admit(submit(0)):
        pass

    await refusal(bench, clearing("job-0", "bobs"))
    async with bench.gate.admit(clearing("job-0")) as granted:
        assert granted.stop is not None
