"""Ways round a person: each ends in a new request or a refusal, and none lets anything through."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from comfy_mcp.errors import Denied, WorkflowError
from comfy_mcp.guard.asking import AskClient
from comfy_mcp.guard.gate import Call, Gate
from comfy_mcp.guard.matter import Matter
from comfy_mcp.guard.requests import Asked
from comfy_mcp.store.folder import FILE
from comfy_mcp.store.protocol import NewApproval, Parked
from comfy_mcp.store.sqlite import SqliteStore
from comfy_mcp.workflow.facts import Facts
from tests.guard.gatehouse import HOST, NOW, Bench, submit
from tests.guard.person import ALL, ASKS, CLIENT, OPERATOR, Files, House, run

pytestmark = pytest.mark.anyio

MINUTE_MS = 60_000


@pytest.fixture(autouse=True)
async def _sound(store: SqliteStore) -> AsyncIterator[None]:
    """Whatever happened: the audit log is whole."""
    yield
    assert (await store.verify())[1] is None


@pytest.fixture
def house(store: SqliteStore) -> House:
    """A person is asked about everything here."""
    return House(Bench(store, ALL, approvals={"max_pending": 100}))


APPROVED: dict[str, Any] = {"n": 1, "text": "caf\u00e9", "list": [1, 2], "deep": {"a": None}}


@pytest.mark.parametrize(
    "other",
    [
        *({"n": 1.0}, {"n": True}, {"n": "1"}, {"n": 2}, {"n": -1}, {"n": 1e0}, {"n": 10**30}),
        *({"text": "cafe\u0301"}, {"text": "CAF\u00c9"}, {"text": "caf\u00e9 "}, {"text": ""}),
        *({"text": "caf\u00e9\u200b"}, {"text": "\u202ecaf\u00e9"}, {"text": None}),
        *({"list": [2, 1]}, {"list": [1, 2, 3]}, {"list": [[1], 2]}, {"list": {"0": 1, "1": 2}}),
        *({"deep": {"a": 0}}, {"deep": {}}, {"deep": {"a": None, "b": 1}}, {"deep": None}),
        *({"front": True}, {"more": None}, {"workflow": "other"}, {"workflow": {"1": {}}}),
        {"n": None, "N": 1},
    ],
)
async def test_another_argument_is_another_call(house: House, other: dict[str, Any]) -> None:
    yes = await house.approved(run(1, **APPROVED))

    row = await house.asked(run(2, **{**APPROVED, **other}))

    assert row.approval_id != yes.approval_id
    assert await house.status(yes) == "approved"
    await house.nothing_happened()


async def test_an_argument_that_is_left_out_is_another_call(house: House) -> None:
    await house.approved(run(1, **APPROVED))

    for name in APPROVED:
        fewer = {key: value for key, value in APPROVED.items() if key != name}
        assert await house.code(run(2, **fewer)) == "approval_required"
    await house.nothing_happened()


@pytest.mark.parametrize(
    "other",
    [
        {"wait_seconds": 0},
        {"idempotency_key": "another"},
        {"on_cancel": "cancel"},
        {"cleanup_after_ms": 1},
        {"approval_id": "apr_0000000000000000"},
        {"deep": {"a": None}, "list": [1, 2], "text": "caf\u00e9", "n": 1},
    ],
)
async def test_how_to_wait_and_the_order_of_arguments_say_nothing_about_what_is_done(
    house: House, other: dict[str, Any]
) -> None:
    await house.approved(run(1, **APPROVED))

    call = run(2, **{**other, **APPROVED})
    assert await house.code(replace(call, args=dict(reversed((call.args or {}).items())))) == "ran"


async def test_another_tool_another_target_and_another_grant_have_no_part_in_a_yes(
    store: SqliteStore,
) -> None:
    # One rule asks about both.
    house = House(Bench(store, {"cancel_job": {}, "interrupt_execution": {}}, all_tools=ASKS))
    stop = Call("cancel_job", "ann", "ann", args={}, target="job-1", owner="mine", stop_ms=1_000)
    yes = await house.approved(stop)

    for other in (
        replace(stop, tool="interrupt_execution"),
        replace(stop, target="job-2"),
        replace(stop, target=None),
        replace(stop, identity="bob", grant="bob"),
    ):
        assert await house.code(other) == "approval_required"
    await house.nothing_happened()

    # An alias is the same tool, and spends the same yes.
    assert await house.code(replace(stop, tool="comfy_cancel_generation")) == "ran"
    assert await house.status(yes) == "spent"
    assert await house.code(stop) == "approval_required"


@pytest.mark.parametrize("tool", ["get_approval", "cancel_approval", "cancel_interrupt"])
async def test_a_yes_about_one_request_is_none_about_another(store: SqliteStore, tool: str) -> None:
    house = House(Bench(store, {"get_approval": ASKS, "cancel_approval": ASKS}))

    def about(number: int, **waits: Any) -> Call:
        return Call(tool, "local", "local", args={"approval_id": f"apr_{number:016x}", **waits})

    row = await house.approved(about(1))
    assert row.facts["args"] == {"approval_id": "apr_0000000000000001"}

    assert await house.code(about(2)) == "approval_required"
    assert house.ran == []
    assert await house.code(about(1, wait_seconds=5)) == "ran"


async def test_an_interrupt_of_whatever_runs_is_for_the_job_that_ran_then(
    store: SqliteStore,
) -> None:
    house = House(Bench(store, {"interrupt_execution": ASKS}))

    def interrupt(target: str) -> Call:
        known = {"target": target, "owner": "mine", "whatever_runs": True, "stop_ms": 1_000}
        return Call("interrupt_execution", "local", "local", args={"prompt_id": None}, **known)

    await house.approved(interrupt("job-1"))

    assert await house.code(interrupt("job-2")) == "approval_required"
    assert await house.code(interrupt("job-1")) == "ran"
    assert house.ran[0].stop is not None
    assert house.ran[0].call.target == "job-1"


async def test_a_yes_of_another_comfyui_or_of_another_grant_is_unknown(store: SqliteStore) -> None:
    house = House(Bench(store, ALL))
    yes = await house.approved(run(1))
    elsewhere = Gate(
        house.bench.source,
        store,
        now_ms=lambda: NOW,
        new_id=lambda: "f" * 16,
        reconcile=house.bench._reconcile,
        host="http://elsewhere",
        waits=False,
    )
    other = House(house.bench)
    other.bench.gate = elsewhere
    assert (await other.asked(run(2))).approval_id == "apr_ffffffffffffffff"

    by_id = Call("run_workflow", "bob", "bob")
    for unknown in (yes.approval_id, "apr_0123456789abcdef", "x" * 9_000):
        with pytest.raises(Denied) as caught:
            await elsewhere.approved_args(by_id, unknown)
        assert caught.value.denial.code == "approval_unknown"
        assert len(caught.value.denial.reason) < 200
        row = (await house.bench.rows())[-1]
        assert (row["decision"], row["code"]) == ("deny", "approval_unknown")
    assert await house.status(yes) == "approved"


async def test_the_id_of_another_tools_request_or_of_a_question_is_unknown_too(
    store: SqliteStore,
) -> None:
    house = House(Bench(store, {**ALL, "request_approval": {}}))
    stop = Call("cancel_job", "local", "local", args={}, target="job-1", owner="mine", stop_ms=1)
    yes = await house.approved(stop)
    asked = Asked("May I?", {"workflow": "card"}, "low", MINUTE_MS)
    question = await house.bench.gate.requests.ask(
        Call("run_workflow", "local", "local"), asked, "dec_1"
    )
    assert await house.say(question)

    for row in (yes, question):
        with pytest.raises(Denied) as caught:
            await house.bench.gate.approved_args(
                Call("run_workflow", "local", "local"), row.approval_id
            )
        assert caught.value.denial.code == "approval_unknown"
    assert await house.code(run(1)) == "approval_required"
    await house.nothing_happened()


@pytest.mark.parametrize("status", ["denied", "cancelled", "spent", "expired"])
async def test_the_id_of_a_request_that_is_over_says_so(house: House, status: str) -> None:
    row = await house.approved(run(1))
    if status == "spent":
        assert await house.code(run(2)) == "ran"
    elif status == "expired":
        house.bench.now_ms = row.expires_ms
    else:
        assert await house.say(row, status)

    with pytest.raises(Denied) as caught:
        await house.bench.gate.approved_args(run(3), row.approval_id)

    denial = caught.value.denial
    assert (denial.code, denial.approval_id) == (f"approval_{status}", row.approval_id)
    told = (await house.bench.rows())[-1]
    assert (told["code"], told["approval"]) == (f"approval_{status}", row.approval_id)


async def test_of_retries_that_race_exactly_one_runs(house: House) -> None:
    yes = await house.approved(run(0))

    codes = await asyncio.gather(*(house.code(run(number)) for number in range(1, 9)))

    assert codes.count("ran") == 1
    assert set(codes) <= {"ran", "approval_spent", "approval_required", "approval_pending"}
    (granted,) = house.ran
    assert granted.submit is not None
    assert (await house.row(yes.approval_id)).prompt_id == granted.submit.prompt_id
    assert len(await house.bench.store.unfinished(host=HOST)) == 1


async def test_of_first_calls_that_race_all_are_one_request(house: House) -> None:
    codes = await asyncio.gather(*(house.code(run(number)) for number in range(8)))

    assert sorted(codes) == ["approval_pending"] * 7 + ["approval_required"]
    assert len(house.bench.asked) == 1


async def test_it_can_be_approved_and_used_to_the_last_millisecond_and_no_longer(
    house: House,
) -> None:
    in_time, late, unused = [await house.asked(run(number, n=number)) for number in range(3)]

    house.bench.now_ms = in_time.expires_ms - 1
    assert await house.say(in_time)
    assert await house.say(unused)
    assert await house.code(run(10, n=0)) == "ran"

    house.bench.now_ms += 1
    assert not await house.say(late)
    assert await house.status(late) == "expired"
    denial = await house.attempt(run(11, n=1))
    assert denial is not None
    assert denial.code == "approval_required"
    assert denial.approval_id != late.approval_id
    assert await house.status(unused) == "expired"
    assert await house.code(run(12, n=2)) == "approval_required"
    assert len(house.ran) == 1


async def test_a_clock_that_steps_back_brings_no_request_back(house: House) -> None:
    row = await house.asked(run(1))
    house.bench.now_ms = row.expires_ms
    assert await house.code(run(2, n=2)) == "approval_required"

    house.bench.now_ms = NOW

    assert not await house.say(row)
    assert await house.code(run(3)) == "approval_required"


class Edits(Matter):
    """A call during which somebody edits the policy: *edit* happens after the yes was found."""

    def __init__(self, call: Call, edit: Callable[[], None]) -> None:
        super().__init__(call)
        self.edit = edit

    async def remade(self, row: Any) -> Call:
        """What the yes lets through; meanwhile the file is saved."""
        self.edit()
        return await super().remade(row)


async def edited(house: House, matter: str, **policy: Any) -> str:
    """How the call ends if the policy's file is saved between yes and run, or in the very call."""
    if matter == "before":
        house.bench.write(**policy)
        await house.bench.source.refresh()
        return await house.code(run(2))
    return await house.code(run(2), Edits(run(2), lambda: house.bench.write(**policy)))


@pytest.mark.parametrize(
    ("when", "code"), [("before", "approval_required"), ("during", "policy_unavailable")]
)
async def test_a_yes_under_another_policy_is_void(house: House, when: str, code: str) -> None:
    yes = await house.approved(run(1))

    assert await edited(house, when, tools=ALL, description="stricter elsewhere") == code

    new = await house.asked(run(3)) if when == "during" else house.bench.asked[-1]
    assert new.approval_id != yes.approval_id
    old = await house.row(yes.approval_id)
    assert (old.status, old.reason) == ("cancelled", "superseded")
    await house.nothing_happened()


async def test_a_policy_that_is_edited_back_lets_the_old_yes_through_only_if_nobody_asked_anew(
    house: House,
) -> None:
    original = house.bench.file.read_text()
    yes = await house.approved(run(1))
    house.bench.write(tools=ALL, description="another")
    await house.bench.source.refresh()
    house.bench.file.write_text(original)
    await house.bench.source.refresh()
    # Nobody called meanwhile: it is the policy that the person decided under.
    assert await house.code(run(2)) == "ran"
    assert await house.status(yes) == "spent"

    second = await house.approved(run(3))
    house.bench.write(tools=ALL, description="another")
    await house.bench.source.refresh()
    assert await house.code(run(4)) == "approval_required"
    house.bench.file.write_text(original)
    await house.bench.source.refresh()
    assert await house.code(run(5)) == "approval_required"
    assert await house.status(second) == "cancelled"
    assert len(house.ran) == 1


@pytest.mark.parametrize("when", ["before", "during"])
async def test_a_policy_that_denies_by_now_denies(house: House, when: str) -> None:
    yes = await house.approved(run(1))
    rules = {"run_workflow": {"action": "deny", "reason": "Not any more"}}

    assert await edited(house, when, tools=rules) == "denied"
    await house.nothing_happened()
    assert await house.status(yes) == "approved"


async def test_a_policy_that_allows_by_now_spends_nothing(house: House) -> None:
    yes = await house.approved(run(1))

    assert await edited(house, "during", tools={"run_workflow": {}}) == "policy_unavailable"
    assert await house.code(run(3)) == "ran"
    assert await house.status(yes) == "approved"
    assert "approval" not in (await house.bench.rows())[-2]


async def test_a_policy_that_asks_only_by_now_lets_nothing_through_unasked(
    store: SqliteStore,
) -> None:
    house = House(Bench(store, {"run_workflow": {}}))
    house.bench.write(tools={"run_workflow": ASKS})

    # The gate was asked under the old policy and takes under the new one.
    assert await house.code(run(1)) == "policy_unavailable"
    assert await house.code(run(1)) == "approval_required"
    await house.nothing_happened()


async def test_a_file_that_changed_under_its_name_is_another_call(house: House) -> None:
    contents: dict[str, Any] = {"x.png": "aa"}
    yes = await house.approved(run(1), Files(run(1), contents))
    assert yes.payload["files"] == {"x.png": "aa"}

    for swapped in ({"x.png": "bb"}, {"x.png": None}, {}, {"x.png": "aa", "y.png": "cc"}):
        row = await house.asked(run(2), Files(run(2), swapped))
        assert row.approval_id != yes.approval_id
    await house.nothing_happened()
    assert await house.code(run(3), Files(run(3), {"x.png": "aa"})) == "ran"


async def test_a_file_that_changes_while_the_call_waits_is_noticed(store: SqliteStore) -> None:
    house = House(Bench(store, ALL, waits=True))
    contents: dict[str, Any] = {"x.png": "aa"}
    call = run(1, wait_seconds=50)

    async with anyio.create_task_group() as tasks:

        async def swap_and_approve() -> None:
            row = await first_of(house)
            contents["x.png"] = "bb"
            assert await house.say(row)

        tasks.start_soon(swap_and_approve)
        assert await house.code(call, Files(call, contents)) == "approval_outdated"

    assert await house.status(house.bench.asked[0]) == "approved"
    await house.nothing_happened()
    bench = House(house.bench)
    quick = replace(call, args={"workflow": "card", "wait_seconds": 0})
    assert await bench.code(quick, Files(quick, contents)) == "approval_required"


async def first_of(house: House) -> Any:
    """The first request, as soon as it is made."""
    with anyio.fail_after(20):
        while not house.bench.asked:  # noqa: ASYNC110 - a list tells nobody
            await anyio.sleep(0.01)
    return house.bench.asked[0]


async def test_a_call_that_nobody_can_be_asked_about_is_refused_and_leaves_no_request(
    house: House,
) -> None:
    class TooMuch(Matter):
        async def bound(self) -> dict[str, Any]:
            raise WorkflowError("Too many files.")

    with pytest.raises(WorkflowError):
        async with house.bench.gate.admit(run(1), TooMuch(run(1))):
            pytest.fail("the body must not run")

    assert house.bench.asked == []
    await house.nothing_happened()


class Changed(Matter):
    """A run that a person changed: then it has as many steps as the payload says."""

    async def frozen(self) -> Any:
        """The call, with its steps."""
        plain = await super().frozen()
        return replace(plain, payload={**plain.payload, "steps": 10})

    async def remade(self, row: Any) -> Call:
        """Judged by what is in the row, whatever was asked for now."""
        assert self.call.run is not None
        facts = replace(self.call.run.facts, steps=row.payload["steps"])
        return replace(self.call, run=replace(self.call.run, facts=facts))


@pytest.mark.parametrize(("steps", "code"), [(20, "ran"), (21, "gpu_limit")])
async def test_what_a_person_changed_is_judged_by_the_policy_like_any_call(
    store: SqliteStore, steps: int, code: str
) -> None:
    rules = {"run_workflow": {**ASKS, "gpu": {"max_steps": 20}}}
    house = House(Bench(store, rules))
    call = submit(1, facts=Facts(steps=10))
    row = await house.asked(call, Changed(call))
    payload = {**row.payload, "steps": steps}
    assert await house.say(row, payload=payload, changes={"steps": [10, steps]})

    assert await house.code(call, Changed(call)) == code

    if code == "ran":
        assert house.ran[0].call.run is not None
        assert house.ran[0].call.run.facts.steps == 20
    else:
        await house.nothing_happened()
        assert (await house.bench.rows())[-1]["rule"] == "/tools/run_workflow/gpu/max_steps"
        assert await house.code(call, Changed(call)) == code


async def test_a_yes_by_nobody_or_by_the_client_counts_only_where_the_policy_says_so(
    house: House,
) -> None:
    for by in (CLIENT, {"channel": "x"}, {}, {**OPERATOR, "assurance": "root"}):
        row = await house.asked(run(1, by=str(by)))
        assert await house.say(row, by=by)
        assert await house.code(run(1, by=str(by))) == "approval_outdated"
        assert await house.status(row) == "approved"
    await house.nothing_happened()


@pytest.mark.parametrize("channel", ["any", "elicitation"])
async def test_a_yes_of_the_client_counts_where_the_policy_is_content_with_it(
    store: SqliteStore, channel: str
) -> None:
    house = House(Bench(store, ALL, approvals={"channel": channel}))
    row = await house.asked(run(1))
    assert row.channel == channel
    assert await house.say(row, by=CLIENT)

    assert await house.code(run(1)) == "ran"
    assert (await house.bench.rows())[-2]["assurance"] == "client"


async def test_a_client_that_may_answer_is_asked_before_anybody_waits(store: SqliteStore) -> None:
    house = House(Bench(store, ALL, approvals={"channel": "any"}))
    matter = Matter(run(1))
    matter.asks_client = True

    with pytest.raises(AskClient) as caught:
        await house.attempt(run(1), matter)

    assert await house.status(caught.value.row) == "pending"
    await house.nothing_happened()


AT_NIGHT = {
    "require_approval": {
        "when": [{"path": "time.utc_hour", "op": "gte", "value": 20}],
        "channel": "operator",
        "reason": "At night the operator decides",
    }
}


async def test_a_yes_of_the_client_is_none_once_the_operator_has_to_decide(
    store: SqliteStore,
) -> None:
    asks = {"require_approval": {"channel": "any", "expires": 86_400}}
    house = House(Bench(store, {"run_workflow": asks}, classes={"execute": AT_NIGHT}))
    row = await house.asked(run(1))
    assert (row.channel, row.facts["asks"].keys()) == (
        "any",
        {"/tools/run_workflow/require_approval"},
    )
    assert await house.say(row, by=CLIENT)

    house.bench.now_ms = NOW + 13 * 60 * MINUTE_MS
    assert await house.status(row) == "approved"
    stricter = await house.asked(run(2))

    assert stricter.channel == "operator"
    assert len(stricter.facts["asks"]) == 2
    await house.nothing_happened()
    assert await house.say(stricter)
    assert await house.code(run(2)) == "ran"


async def test_when_night_falls_between_yes_and_run_a_clients_yes_is_too_weak(
    store: SqliteStore,
) -> None:
    asks = {"require_approval": {"channel": "any", "expires": 86_400}}
    house = House(Bench(store, {"run_workflow": asks}, classes={"execute": AT_NIGHT}))
    row = await house.asked(run(1))
    await house.say(row, by=CLIENT)

    def night_falls() -> None:
        house.bench.now_ms = NOW + 13 * 60 * MINUTE_MS

    assert await house.code(run(2), Edits(run(2), night_falls)) == "approval_outdated"
    await house.nothing_happened()


async def test_a_request_whose_payload_was_edited_in_the_state_is_refused(
    store: SqliteStore, tmp_path: Path
) -> None:
    house = House(Bench(store, ALL))
    yes = await house.approved(run(1))

    with closing(sqlite3.connect(tmp_path / "state" / FILE)) as state, state:
        state.execute("UPDATE approvals SET payload = replace(payload, 'plain', 'other')")
    assert (await house.row(yes.approval_id)).payload["kind"] == "other"

    assert await house.code(run(2)) == "approval_outdated"
    await house.nothing_happened()


async def test_a_forged_row_with_the_right_match_but_another_effect_is_none(
    house: House,
) -> None:
    """Somebody who could write the state might as well say yes; the gate still spends no other."""
    asked = await house.asked(run(1))
    await house.say(asked, "cancelled")
    forged = NewApproval(
        approval_id="apr_00000000000000ff",
        kind="question",
        grant="local",
        host=HOST,
        tool="run_workflow",
        match=asked.match,
        effect=asked.effect,
        policy=asked.policy,
        payload=asked.payload,
        facts=asked.facts,
    )
    parked = await house.bench.store.park(NOW, forged, {"kind": "approval"}, most=9)
    assert isinstance(parked, Parked)
    assert await house.say(parked.row)

    assert await house.code(run(2)) == "approval_required"
    await house.nothing_happened()
