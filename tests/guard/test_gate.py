"""The gate: a refusal takes nothing; an admission leaves a decision and an outcome."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from comfy_mcp.errors import ApprovalNeeded, Denied, HostRejected, PermitError, RateLimited
from comfy_mcp.guard.call import Upload
from comfy_mcp.guard.gate import Call
from comfy_mcp.store.sqlite import SqliteStore
from comfy_mcp.workflow import digest
from tests.guard.gatehouse import NOW, Bench, submit

pytestmark = pytest.mark.anyio


async def test_an_admitted_submit_gets_a_permit_for_its_graph_and_job_only(
    store: SqliteStore,
) -> None:
    bench = Bench(store, {"run_workflow": {}})

    async with bench.gate.admit(submit(1)) as granted:
        assert granted.stop is None
        assert granted.submit is not None
        with pytest.raises(PermitError):
            granted.submit.spend(prompt_id="job-1", digest="sha256:other")
        granted.submit.spend(prompt_id="job-1", digest="sha256:1")

    row = await store.job("job-1")
    assert row is not None
    assert (row.status, row.decision_id) == ("submitting", granted.decision_id)


async def test_an_admitted_stop_gets_a_permit_until_its_deadline(store: SqliteStore) -> None:
    bench = Bench(store, {"cancel_job": {}})

    async with bench.gate.admit(
        Call("cancel_job", "local", "local", target="job-1", owner="mine", stop_ms=1_000)
    ) as granted:
        assert granted.stop is not None
        granted.stop.check(prompt_id="job-1", now_ms=NOW + 1_000)
        with pytest.raises(PermitError):
            granted.stop.check(prompt_id="job-1", now_ms=NOW + 1_001)
        with pytest.raises(PermitError):
            granted.stop.check(prompt_id="job-2", now_ms=NOW)


async def test_every_admission_leaves_one_decision_and_one_outcome(store: SqliteStore) -> None:
    bench = Bench(store, {"get_job": {}})

    async with bench.gate.admit(
        Call("get_job", "local", "local", client="test", args={"a": "secret words"})
    ):
        pass

    decision, outcome = await bench.rows()
    assert decision["kind"] == "decision"
    assert decision["code"] == "allowed"
    assert decision["args"] == {"a": digest("secret words")}
    assert "secret" not in str(decision)
    assert decision["client"] == "test"
    assert outcome == {
        "kind": "outcome",
        "decision_id": decision["decision_id"],
        "tool": "get_job",
        "outcome": "ok",
    }


async def test_a_failure_of_the_call_is_its_outcome_and_goes_on_to_the_caller(
    store: SqliteStore,
) -> None:
    bench = Bench(store, {"get_job": {}})

    with pytest.raises(HostRejected):
        async with bench.gate.admit(Call("get_job", "local", "local")):
            raise HostRejected("No.")

    assert (await bench.rows())[-1]["outcome"] == "host_rejected"


async def test_a_fault_of_our_own_is_an_outcome_too(store: SqliteStore) -> None:
    bench = Bench(store, {"get_job": {}})

    with pytest.raises(ZeroDivisionError):
        async with bench.gate.admit(Call("get_job", "local", "local")):
            _ = 1 / 0

    assert (await bench.rows())[-1]["outcome"] == "error"


async def test_a_call_that_its_client_gave_up_is_written_down(store: SqliteStore) -> None:
    bench = Bench(store, {"get_job": {}})

    with anyio.move_on_after(5) as scope:
        async with bench.gate.admit(Call("get_job", "local", "local")):
            scope.cancel()
            await anyio.sleep_forever()

    assert (await bench.rows())[-1]["outcome"] == "cancelled_by_client"


async def test_a_denial_takes_nothing_and_is_written_down(store: SqliteStore) -> None:
    bench = Bench(store, {"get_job": {}})

    with pytest.raises(Denied) as caught:
        async with bench.gate.admit(submit(1)):
            pytest.fail("the body must not run")

    assert caught.value.denial.code == "denied"
    assert await store.job("job-1") is None
    (row,) = await bench.rows()
    assert (row["decision"], row["decision_id"]) == ("deny", caught.value.denial.decision_id)


async def test_a_person_is_named_as_the_way_out_where_the_policy_wants_one(
    store: SqliteStore,
) -> None:
    bench = Bench(store, {"run_workflow": {"action": "require_approval"}})

    with pytest.raises(ApprovalNeeded) as caught:
        async with bench.gate.admit(submit(1)):
            pytest.fail("the body must not run")

    assert caught.value.denial.code == "approval_required"
    assert caught.value.denial.operator_hint


async def test_a_full_limit_says_how_long_exactly_and_a_served_wait_suffices(
    store: SqliteStore,
) -> None:
    bench = Bench(store, {"run_workflow": {"rate_limit": "2/minute"}})
    for number in range(2):
        async with bench.gate.admit(submit(number)):
            bench.now_ms += 1_500

    with pytest.raises(RateLimited) as caught:
        async with bench.gate.admit(submit(2)):
            pytest.fail("the body must not run")

    denial = caught.value.denial
    assert denial.retry_after_s == 57.0
    assert denial.limit == {
        "counter": denial.limit["counter"] if denial.limit else "",
        "used": 2.0,
        "max": 2.0,
        "window_s": 60.0,
        "scope": "grant",
    }
    assert await store.job("job-2") is None

    bench.now_ms += 57_000 - 1
    with pytest.raises(RateLimited):
        async with bench.gate.admit(submit(3)):
            pytest.fail("one millisecond too early")
    bench.now_ms += 1
    async with bench.gate.admit(submit(4)):
        pass


async def test_grants_do_not_eat_each_others_limits(store: SqliteStore) -> None:
    bench = Bench(store, {"run_workflow": {"rate_limit": "1/minute"}})

    for grant in ("alice", "bob"):
        async with bench.gate.admit(submit(hash(grant), grant)):
            pass

    with pytest.raises(RateLimited):
        async with bench.gate.admit(submit(3, "alice")):
            pytest.fail("alice has had hers")


async def test_a_limit_that_no_wait_can_meet_is_never_fits(store: SqliteStore) -> None:
    limit = {"counter": "none", "window": "hour", "max": 0, "scope": "global"}
    bench = Bench(store, {"run_workflow": {"limits": [limit]}})

    with pytest.raises(RateLimited) as caught:
        async with bench.gate.admit(submit(1)):
            pytest.fail("the body must not run")

    denial = caught.value.denial
    assert (denial.code, denial.retryable, denial.retry_after_s) == ("never_fits", False, None)
    assert denial.limit is not None
    assert denial.limit["scope"] == "global"


async def test_before_a_slot_is_refused_finished_jobs_are_looked_for(store: SqliteStore) -> None:
    bench = Bench(store, {"run_workflow": {}}, gpu={"max_in_flight": 1})
    async with bench.gate.admit(submit(1)):
        pass

    with pytest.raises(RateLimited) as caught:
        async with bench.gate.admit(submit(2)):
            pytest.fail("the body must not run")
    assert caught.value.denial.code == "in_flight"
    assert bench.asked_to_reconcile == ["local"]

    await store.move_job("job-1", "completed", NOW)
    async with bench.gate.admit(submit(3)):
        pass


async def test_reads_go_on_without_a_state_and_everything_else_stops(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a folder has to be")
    store = SqliteStore(tmp_path / "state")
    bench = Bench(store, {"get_job": {}, "run_workflow": {}})

    async with bench.gate.admit(Call("get_job", "local", "local")) as granted:
        assert granted.decision_id
    with pytest.raises(Denied) as caught:
        async with bench.gate.admit(submit(1)):
            pytest.fail("the body must not run")
    await store.close()

    assert caught.value.denial.code == "audit_unavailable"


async def test_screening_refuses_without_taking_anything(store: SqliteStore) -> None:
    bench = Bench(store, {"run_workflow": {"rate_limit": "1/minute"}})

    for _ in range(3):
        await bench.gate.screen(Call("run_workflow", "local", "local"))
    with pytest.raises(Denied):
        await bench.gate.screen(Call("get_job", "local", "local"))

    async with bench.gate.admit(submit(1)):
        pass


async def test_a_call_given_up_during_its_admission_leaves_nothing_half_done(
    store: SqliteStore, tmp_path: Path
) -> None:
    bench = Bench(store, {"run_workflow": {}})
    await bench.rows()
    lock = sqlite3.connect(tmp_path / "state" / "guard.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    reached = anyio.Event()

    async def call() -> None:
        reached.set()
        async with bench.gate.admit(submit(1)):
            await anyio.sleep_forever()

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await reached.wait()
            await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
            lock.execute("ROLLBACK")
    lock.close()

    decision, outcome = await bench.rows()
    assert decision["prompt_id"] == "job-1"
    assert outcome["outcome"] == "cancelled_by_client"
    job = await store.job("job-1")
    assert job is not None
    assert job.status == "refused"


async def test_a_long_wait_is_told_in_plain_seconds(store: SqliteStore) -> None:
    limit = {"counter": "rare", "window": 2_678_400, "max": 1, "scope": "grant"}
    bench = Bench(store, {"run_workflow": {"limits": [limit]}})
    async with bench.gate.admit(submit(1)):
        pass

    with pytest.raises(RateLimited, match=r"retry in 2678400 s\."):
        async with bench.gate.admit(submit(2)):
            pytest.fail("the body must not run")


# What is written down.


async def test_a_tool_that_the_server_does_not_offer_is_refused_in_the_log_as_a_hidden_one(
    store: SqliteStore,
) -> None:
    bench = Bench(store, {"run_workflow": {}, "get_job": {}}, offered=frozenset({"get_job"}))
    call = Call("run_workflow", "local", "local", args={"workflow": "card"})
    assert bench.gate.hidden("local", "run_workflow")
    await bench.gate.note_hidden(call)

    (row,) = await bench.rows()
    told = {key: row[key] for key in ("tool", "decision", "code", "rule", "grant")}
    assert told == {
        "tool": "run_workflow",
        "decision": "deny",
        "code": "not_listed",
        "rule": "",
        "grant": "local",
    }


async def test_the_row_of_an_upload_says_which_bytes_under_which_name(store: SqliteStore) -> None:
    bench = Bench(store, {"upload_input": {}})
    upload = Upload("cat.png", "ab" * 32)
    async with bench.gate.admit(Call("upload_input", "local", "local", upload=upload)) as granted:
        assert granted.upload is not None
        granted.upload.check(name="cat.png", sha256="ab" * 32)
    assert (await bench.rows())[0]["upload"] == {"name": "cat.png", "sha256": "ab" * 32}


@pytest.mark.parametrize(
    "value", ["x" * 3_000_000, ["y" * 30_000] * 100, {"a": {"b" * 3_000_000: 1}}, [0] * 300_000]
)
async def test_a_refused_call_that_brings_very_much_takes_no_time_for_a_digest(
    store: SqliteStore, value: object
) -> None:
    bench = Bench(store, {"get_job": {}})
    with pytest.raises(Denied):
        await bench.gate.screen(Call("upload_input", "local", "local", args={"source": value}))
    await bench.gate.note_hidden(Call("nothing", "local", "local", args={"source": value, "n": 1}))
    rows = await bench.rows()
    assert "source" not in rows[0]["args"] or rows[0]["args"]["source"] == "too long"
    assert rows[1]["args"] == {"source": "too long", "n": digest(1)}
