"""Yes, no, yes with other parameters; freeze and let go on: over a socket, into the state."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.console.app import Console, started
from comfy_mcp.oversight.state import user
from comfy_mcp.settings import Address, Settings
from comfy_mcp.store.asked import Ruling
from comfy_mcp.store.protocol import Freeze
from comfy_mcp.store.sqlite import SqliteStore
from tests.console.caller import SECONDS, Caller, Terminal, connected, read, signed_in, until
from tests.console.conftest import Times
from tests.oversight.asked import HOST, HOUR, parked, policy_file, question, run_request

pytestmark = pytest.mark.anyio

ID = "apr_0000000000000001"


async def last(store: SqliteStore) -> dict[str, Any]:
    """The newest audit record."""
    return dict((await store.tail(1))[0].record)


async def test_a_yes_is_written_down_with_who_said_it_where(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    await parked(store, run_request(), times.ms)

    said = await operator.post(f"/api/approvals/{ID}/approve", {"reason": "Go on."})

    by = {"channel": "console", "user": user(), "assurance": "operator"}
    row = await store.approval(ID, times.ms)
    assert said.status == 200
    assert said.values["approval"]["status"] == "approved"
    assert said.values["message"]
    assert row is not None
    assert (row.status, row.by, row.reason) == ("approved", by, "Go on.")
    record = await last(store)
    assert (record["action"], record["by"], record["approval_id"]) == ("approved", by, ID)


async def test_a_no_is_written_down_with_its_reason(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    await parked(store, question(), times.ms)

    said = await operator.post(f"/api/approvals/{ID}/deny", {"reason": "Not today."})

    row = await store.approval(ID, times.ms)
    assert said.status == 200
    assert row is not None
    assert (row.status, row.reason, row.by["channel"]) == ("denied", "Not today.", "console")


async def test_a_yes_with_other_parameters_is_for_those_and_says_what_changed(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    await parked(store, run_request(), times.ms)

    changes = {"changes": {"steps": 20, "prompt": "a blue fox"}}
    said = await operator.post(f"/api/approvals/{ID}/approve", changes)

    row = await store.approval(ID, times.ms)
    assert said.status == 200, said.values
    assert row is not None
    assert dict(row.changes) == {"steps": [50, 20], "prompt": ["a red fox", "a blue fox"]}
    assert row.payload["values"]["steps"] == 20
    assert {one["name"] for one in said.values["approval"]["changes"]} == {"steps", "prompt"}


@pytest.mark.parametrize("changes", [{"stepz": 20}, {"steps": "many"}, {"steps": 10**9}])
async def test_parameters_that_do_not_fit_decide_nothing(
    operator: Caller, store: SqliteStore, times: Times, changes: dict[str, object]
) -> None:
    await parked(store, run_request(), times.ms)

    said = await operator.post(f"/api/approvals/{ID}/approve", {"changes": changes})

    assert said.status == 409
    assert said.values["error"]
    assert said.values["approval"]["status"] == "pending"
    assert (await store.approval(ID, times.ms)).status == "pending"  # type: ignore[union-attr]  # None would fail, too


async def test_the_policy_of_the_request_judges_what_was_changed(
    operator: Caller, store: SqliteStore, times: Times, tmp_path: Path
) -> None:
    policy = policy_file(tmp_path)
    await parked(store, run_request(policy), times.ms)

    said = await operator.post(f"/api/approvals/{ID}/approve", {"changes": {"steps": 61}})

    assert said.status == 409
    assert "60" in said.values["error"]


async def test_a_policy_that_the_console_was_given_judges_instead(
    settings: Settings, store: SqliteStore, terminal: Terminal, times: Times, tmp_path: Path
) -> None:
    policy = policy_file(tmp_path)
    await parked(store, run_request(policy), times.ms)
    other = tmp_path / "other.json"
    other.write_text('{"version": "1", "default": "deny"}')

    async with started(
        settings, terminal, port=0, judged_by=(other,), now_ms=times.now_ms, clock=times.clock
    ) as console:
        caller = await signed_in(console, terminal)
        said = await caller.post(f"/api/approvals/{ID}/approve")

    assert said.status == 409
    assert "policy" in said.values["error"]


async def test_a_millisecond_too_late_is_too_late(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    await parked(store, question(), times.ms)
    times.ms += HOUR

    said = await operator.post(f"/api/approvals/{ID}/approve")

    assert said.status == 409
    assert said.values["approval"]["status"] == "expired"
    times.ms -= 1


async def test_what_was_decided_is_not_decided_again(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    await parked(store, question(), times.ms)
    taken_back = Ruling("cancelled", {"channel": "agent"})
    await store.rule(times.ms, ID, taken_back, {"kind": "approval", "action": "cancelled"})
    before = await store.head()

    said = await operator.post(f"/api/approvals/{ID}/approve")

    assert said.status == 409
    assert said.values["approval"]["status"] == "cancelled"
    assert await store.head() == before


async def test_a_no_can_be_turned_into_a_yes(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    await parked(store, question(), times.ms)
    await operator.post(f"/api/approvals/{ID}/deny")

    said = await operator.post(f"/api/approvals/{ID}/approve")

    assert (said.status, said.values["approval"]["status"]) == (200, "approved")


async def test_of_many_who_say_the_same_at_the_same_moment_one_decides(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    await parked(store, question(), times.ms)

    said = await asyncio.gather(
        *(operator.post(f"/api/approvals/{ID}/{word}") for word in ["deny"] * 3 + ["approve"] * 3)
    )

    row = await store.approval(ID, times.ms)
    assert row is not None
    done = [one for one in said if one.status == 200]
    told = [one.record["action"] for one in await store.tail(20) if "by" in one.record]
    # A yes may be taken back, and a no: each of them once, and each is written down.
    assert len(told) == len(done)
    assert all(one != after for one, after in itertools.pairwise(told))
    assert told[-1] == row.status


async def begun(caller: Caller, path: str, body: bytes, writer: asyncio.StreamWriter) -> None:
    """A POST of which everything is there but the last byte."""
    told = caller.headers("POST", {"Content-Length": str(len(body))})
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {told[name]}" for name in told), "", ""]
    writer.write("\r\n".join(lines).encode() + body[:-1])
    await writer.drain()


@pytest.mark.parametrize("out", ["/api/sign-out", "/api/sign-out-all"])
async def test_who_signs_out_while_a_yes_is_on_its_way_has_not_said_it(
    operator: Caller, store: SqliteStore, times: Times, out: str
) -> None:
    await parked(store, question(), times.ms)
    before = await store.head()

    async with asyncio.timeout(SECONDS), connected(operator.port) as (reader, writer):
        looks = times.looks
        await begun(operator, f"/api/approvals/{ID}/approve", b'{"reason":"yes"}', writer)
        await until(lambda: times.looks > looks)
        assert (await operator.post(out)).status == 204
        writer.write(b"}")
        said = read(await reader.read())

    assert said.status == 401
    assert await store.head() == before


async def test_a_request_that_is_not_there_is_not_decided(operator: Caller) -> None:
    said = await operator.post("/api/approvals/apr_ffffffffffffffff/approve")

    assert said.status == 409
    assert said.values["approval"] is None


async def test_the_whole_request_can_be_read_with_its_graph(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    await parked(store, run_request(), times.ms)

    told = (await operator.get(f"/api/approvals/{ID}")).values

    assert told["approval_id"] == ID
    assert told["agent_words"]["values"]
    classes = {node["class_type"] for node in told["graph"].values()}
    assert "KSampler" in classes


async def test_a_request_without_a_graph_has_none_to_read(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    await parked(store, question(), times.ms)

    assert (await operator.get(f"/api/approvals/{ID}")).values["graph"] is None
    assert (await operator.get("/api/approvals/apr_ffffffffffffffff")).status == 404


async def test_everybody_is_frozen_and_may_go_on(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    body = {"grant": "*", "reason": " Rendering. ", "keep_reads": True}

    said = await operator.post("/api/freeze", body)

    assert (said.status, said.values) == (200, {"message": "Everybody is frozen."})
    assert await store.freezes() == (Freeze("*", "Rendering.", True, times.ms),)
    record = await last(store)
    assert (record["action"], record["channel"], record["user"]) == ("freeze", "console", user())

    said = await operator.post("/api/unfreeze", {"grant": "*"})

    assert (said.status, said.values) == (200, {"message": "Everybody may go on."})
    assert await store.freezes() == ()
    assert (await last(store))["action"] == "unfreeze"


async def test_one_caller_is_frozen_and_no_other(operator: Caller, store: SqliteStore) -> None:
    await operator.post("/api/freeze", {"grant": "ci-bot"})

    assert [one.grant for one in await store.freezes()] == ["ci-bot"]
    assert (await operator.post("/api/unfreeze", {"grant": "*"})).status == 409
    assert (await operator.post("/api/unfreeze", {"grant": "ci-bot"})).status == 200


async def test_what_was_done_here_is_seen_here_at_once(
    console: Console, operator: Caller, store: SqliteStore, times: Times
) -> None:
    await parked(store, question(), times.ms)
    async with operator.events() as stream:
        await stream.until("it waits", lambda told: told["approvals"][0]["status"] == "pending")
        await operator.post(f"/api/approvals/{ID}/approve")
        await stream.until("it is over", lambda told: told["approvals"][0]["status"] == "approved")
        await operator.post("/api/freeze", {"grant": "*"})
        await stream.until("all is frozen", lambda told: bool(told["freezes"]))
    assert console.board.version


async def test_no_secret_is_in_any_answer_nor_on_the_terminal(
    store: SqliteStore,
    terminal: Terminal,
    times: Times,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hook = "https://hooks.example/services/T0/B0/webhook-secret?token=query-secret"
    policy = policy_file(tmp_path, approvals={"webhook": hook})
    headers = {"X-API-Key": "key-secret-1234", "Authorization": "Bearer bearer-secret-1234"}
    settings = Settings(Address(HOST, headers), (policy,), tmp_path / "state")
    await parked(store, run_request(policy), times.ms)
    answers: list[bytes] = []
    async with started(
        settings, terminal, port=0, now_ms=times.now_ms, clock=times.clock
    ) as console:
        caller = await signed_in(console, terminal)
        used = terminal.key
        async with caller.events() as stream:
            answers.append(
                repr(await stream.until("words", lambda told: told["comfyui"]["words"])).encode()
            )
        paths = ("/api/session", f"/api/approvals/{ID}", f"/api/approvals/{ID}/inputs/0", "/")
        answers += [(await caller.get(path)).body for path in (*paths, "/api/audit")]
        answers.append((await caller.post(f"/api/approvals/{ID}/approve")).body)

    everything = b"\n".join(answers).decode() + caplog.text
    token = caller.cookie.partition("=")[2]
    for secret in ("webhook-secret", "query-secret", "key-secret", "bearer-secret", token, used):
        assert secret not in everything, secret
    assert token not in "\n".join(terminal.said)
    assert "https://hooks.example/..." in everything
