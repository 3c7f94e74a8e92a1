"""A call with an idempotency key that was used before: one run, whoever asks how often."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from comfy_mcp.errors import Denied, KeyConflict, RateLimited, Refused
from comfy_mcp.guard.gate import Call, Granted
from comfy_mcp.store.protocol import FINAL, UNIT, Freeze
from comfy_mcp.store.sqlite import SqliteStore
from comfy_mcp.workflow.facts import Facts
from tests.guard.gatehouse import NOW, Bench, submit

pytestmark = pytest.mark.anyio

HOST = "http://host"
ORDER = {"kind": "operator"}


def keyed(number: int, *, request: str = "sha256:r", grant: str = "local", **run: Any) -> Call:
    """A run under the key k."""
    call = submit(number, grant, **run)
    assert call.job is not None
    args = {"workflow": "card", "idempotency_key": "k"}
    return replace(call, args=args, job=replace(call.job, key="k", request=request))


async def admitted(bench: Bench, call: Call) -> Granted:
    async with bench.gate.admit(call) as granted:
        return granted


async def test_a_repeat_gets_the_job_and_no_leave_to_submit(store: SqliteStore) -> None:
    bench = Bench(store, {"run_workflow": {}})
    first = await admitted(bench, keyed(1))
    assert first.submit is not None
    assert first.repeated is None

    again = await admitted(bench, keyed(2))

    assert again.submit is None
    assert again.repeated == await store.job("job-1")
    assert await store.job("job-2") is None


async def test_a_repeat_takes_nothing_though_limit_budget_and_slots_are_full(
    store: SqliteStore,
) -> None:
    gpu = {"max_in_flight": 1, "gpu_seconds": [{"window": "hour", "max": 300}]}
    bench = Bench(store, {"run_workflow": {"rate_limit": "1/minute"}}, gpu=gpu)
    await admitted(bench, keyed(1))
    held = await store.accounts()
    with pytest.raises(RateLimited):
        await admitted(bench, submit(9))

    for number in range(2, 6):
        again = await admitted(bench, keyed(number))
        assert again.repeated is not None
        assert again.repeated.prompt_id == "job-1"
    assert await store.accounts() == held
    assert len(await store.unfinished(host=HOST)) == 1


async def test_a_repeat_is_written_down_as_one_with_the_job_that_was_there(
    store: SqliteStore,
) -> None:
    bench = Bench(store, {"run_workflow": {"rate_limit": "1/minute"}})
    await admitted(bench, keyed(1))
    await admitted(bench, keyed(2, facts=Facts(steps=20)))

    decision, outcome = (await bench.rows())[-2:]
    told = {key: decision[key] for key in ("decision", "code", "prompt_id", "digest", "rule")}
    assert told == {
        "decision": "allow",
        "code": "repeated",
        "prompt_id": "job-1",
        "digest": "sha256:1",
        "rule": "",
    }
    assert not {"limits", "facts"} & decision.keys()
    assert (outcome["decision_id"], outcome["outcome"]) == (decision["decision_id"], "ok")
    assert bench.told[-1] == decision


async def test_another_request_under_the_key_is_refused_in_words_and_written_down(
    store: SqliteStore,
) -> None:
    bench = Bench(store, {"run_workflow": {}})
    await admitted(bench, keyed(1))

    with pytest.raises(KeyConflict, match=r"job-1.*nothing was run.*new key"):
        await admitted(bench, keyed(2, request="sha256:other"))

    row = (await bench.rows())[-1]
    assert (row["kind"], row["decision"]) == ("decision", "deny")
    assert (row["code"], row["prompt_id"]) == ("idempotency_conflict", "job-1")
    assert await store.job("job-2") is None


async def test_conflicts_count_as_refusals(store: SqliteStore) -> None:
    denials = {"max": 2, "window": "minute", "cooldown": 60}
    bench = Bench(store, {"run_workflow": {}}, denials=denials)
    await admitted(bench, keyed(1))
    for number in (2, 3):
        with pytest.raises(KeyConflict):
            await admitted(bench, keyed(number, request="sha256:other"))

    with pytest.raises(RateLimited) as caught:
        await admitted(bench, keyed(4))
    assert caught.value.denial.code == "cooldown"


async def test_two_callers_may_use_one_key(store: SqliteStore) -> None:
    bench = Bench(store, {"run_workflow": {}})

    for number, grant in enumerate(("ann", "bob")):
        assert (await admitted(bench, keyed(number, grant=grant))).repeated is None


@pytest.mark.parametrize("status", sorted(FINAL - {"refused"}))
async def test_however_a_job_ended_its_key_promises_that_it_is_not_run_again(
    store: SqliteStore, status: str
) -> None:
    bench = Bench(store, {"run_workflow": {}})
    await admitted(bench, keyed(1))
    await store.move_job("job-1", status, NOW)

    again = await admitted(bench, keyed(2))
    assert again.repeated is not None
    assert again.repeated.status == status


async def test_a_job_that_comfyui_never_took_is_run_under_the_same_key(store: SqliteStore) -> None:
    bench = Bench(store, {"run_workflow": {}})
    await admitted(bench, keyed(1))
    await store.move_job("job-1", "refused", NOW)

    assert (await admitted(bench, keyed(2))).submit is not None


REFUSING: list[tuple[dict[str, Any], str]] = [
    ({"tools": {"get_job": {}}}, "denied"),
    ({"tools": {"run_workflow": {}}, "hide": ["run_workflow"]}, "not_listed"),
    (
        {
            "tools": {
                "run_workflow": {
                    "deny_if": [{"path": "args.workflow", "op": "eq", "value": "card"}]
                }
            }
        },
        "deny_if",
    ),
    ({"tools": {"run_workflow": {}}, "grants": {"ann": {"match": {"stdio": "ann"}}}}, "no_grant"),
]


@pytest.mark.parametrize(("policy", "code"), REFUSING, ids=[code for _, code in REFUSING])
async def test_who_may_not_call_any_more_gets_no_repeat_either(
    store: SqliteStore, policy: dict[str, Any], code: str
) -> None:
    bench = Bench(store, {"run_workflow": {}})
    await admitted(bench, keyed(1))
    bench.write(**policy)

    with pytest.raises(Denied) as caught:
        await admitted(bench, keyed(2))
    assert caught.value.denial.code == code


async def test_who_is_somebody_else_by_now_gets_no_repeat(store: SqliteStore) -> None:
    bench = Bench(store, {"run_workflow": {}})
    await admitted(bench, keyed(1))
    bench.write(tools={"run_workflow": {}}, grants={"ann": {"match": {"stdio": "local"}}})

    with pytest.raises(Denied) as caught:
        await admitted(bench, keyed(2))
    assert caught.value.denial.code == "policy_unavailable"


async def test_a_freeze_refuses_a_repeat(store: SqliteStore) -> None:
    bench = Bench(store, {"run_workflow": {}})
    await admitted(bench, keyed(1))
    await store.freeze(NOW, Freeze("local", keep_reads=True), ORDER)

    with pytest.raises(Denied) as caught:
        await admitted(bench, keyed(2))
    assert caught.value.denial.code == "frozen"


async def test_rules_about_the_graph_have_had_their_say_when_the_job_was_run(
    store: SqliteStore,
) -> None:
    bench = Bench(store, {"run_workflow": {}})
    await admitted(bench, keyed(1, facts=Facts(steps=20)))
    bench.write(tools={"run_workflow": {}}, gpu={"max_steps": 10})

    assert (await admitted(bench, keyed(2, facts=Facts(steps=20)))).repeated is not None
    with pytest.raises(Refused):
        await admitted(bench, submit(3, facts=Facts(steps=20)))


async def test_of_many_calls_at_once_with_one_key_one_may_submit(store: SqliteStore) -> None:
    bench = Bench(store, {"run_workflow": {"rate_limit": "99/minute"}})
    other = Bench(
        SqliteStore(store._database._folder), {"run_workflow": {"rate_limit": "99/minute"}}
    )
    gates = (bench, other)

    found = await asyncio.gather(*(admitted(gates[n % 2], keyed(n)) for n in range(20)))

    submits = [one.submit for one in found if one.submit is not None]
    assert len(submits) == 1
    assert {one.repeated.prompt_id for one in found if one.repeated} == {submits[0].prompt_id}
    assert [account.amount for account in await store.accounts()] == [UNIT]
    await other.store.close()


async def test_a_journal_that_cannot_be_asked_for_the_key_runs_nothing(
    store: SqliteStore,
) -> None:
    bench = Bench(store, {"run_workflow": {}})
    await admitted(bench, keyed(1))
    await store.close()

    with pytest.raises(Denied) as caught:
        await admitted(bench, keyed(2))
    assert caught.value.denial.code == "audit_unavailable"
