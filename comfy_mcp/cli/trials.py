"""A policy's own tests, read: files of calls and of what is expected of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from comfy_mcp.cli.arguments import complete, nearest
from comfy_mcp.cli.times import read as read_time
from comfy_mcp.cli.trial_keys import CALL, EXPECTED, OWNERS, TOP
from comfy_mcp.errors import ConfigError, Fault
from comfy_mcp.guard.question import Effect

__all__ = ["Step", "Suite", "Trial", "read"]

MAX_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a test, made *times* times, and what has to become of each.

    *at* sets the clock, *after_ms* moves it. *queue_depth* None: as many as the test's own jobs.
    *facts* replace measured numbers; *partner_nodes* None: nothing is known of node classes.
    *job_ms* is how long the call's job runs; None: for ever. *expected* maps ``expect``, ``code``,
    ``rule`` and ``retry_after_s`` to values.
    """

    tool: str
    args: Mapping[str, Any]
    expected: Mapping[str, Any]
    grant: str = "local"
    owner: str | None = None
    at: datetime | None = None
    after_ms: int = 0
    times: int = 1
    queue_depth: int | None = None
    facts: Mapping[str, float] = field(default_factory=dict[str, float])
    partner_nodes: tuple[str, ...] | None = None
    job_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One test: calls in order, on a fresh state."""

    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Suite:
    """One file of tests, and the policy files they are for; none: the built-in policy."""

    source: str
    policies: tuple[Path, ...]
    trials: tuple[Trial, ...]


def read(path: Path) -> Suite:
    """The tests of *path*.

    Raises:
        ConfigError: it cannot be read or is no file of tests; it has every fault.
    """
    value = _json(path)
    faults: list[Fault] = []
    if not isinstance(value, dict):
        raise _unusable(path, [Fault("", "a file of tests is a JSON object.")])
    top = cast("dict[str, object]", value)
    faults += _strangers(top, TOP, "")
    tests = top.get("tests")
    if not isinstance(tests, list) or not tests:
        faults.append(Fault("/tests", "there must be a list with at least one test."))
        tests = []
    found = [
        _trial(one, f"/tests/{number}", faults)
        for number, one in enumerate(cast("list[object]", tests))
    ]
    policies = _policies(path, top.get("policy"), faults)
    if faults:
        raise _unusable(path, faults)
    return Suite(str(path), policies, tuple(found))


def _trial(value: object, where: str, faults: list[Fault]) -> Trial:
    if not isinstance(value, dict):
        faults.append(Fault(where, "a test is an object."))
        return Trial("", ())
    test = cast("dict[str, object]", value)
    name = test.get("name")
    if not isinstance(name, str) or not name:
        faults.append(Fault(f"{where}/name", "every test has a name, in words."))
    if "calls" not in test:
        call = {key: test[key] for key in test if key != "name"}
        return Trial(str(name), (_step(call, where, faults),))
    shared = {key: test[key] for key in test if key in CALL}
    faults += _strangers(test, [*CALL, "name", "calls"], where)
    calls = test["calls"]
    if not isinstance(calls, list) or not calls:
        faults.append(Fault(f"{where}/calls", "there must be a list with at least one call."))
        calls = []
    steps = [
        _step({**shared, **cast("dict[str, object]", one)}, f"{where}/calls/{number}", faults)
        if isinstance(one, dict)
        else _no_step(f"{where}/calls/{number}", faults)
        for number, one in enumerate(cast("list[object]", calls))
    ]
    return Trial(str(name), tuple(steps))


def _no_step(where: str, faults: list[Fault]) -> Step:
    faults.append(Fault(where, "a call is an object."))
    return Step("", {}, {})


def _step(call: Mapping[str, object], where: str, faults: list[Fault]) -> Step:
    found = [*_strangers(call, CALL, where), *_misfits(call, where)]
    if not isinstance(call.get("tool"), str):
        found.append(Fault(f"{where}/tool", "it is missing: every call names its tool."))
    if "expect" not in call:
        words = ", ".join(effect.value for effect in Effect)
        found.append(Fault(f"{where}/expect", "it is missing.", f"Say one of: {words}."))
    faults += found
    if found:
        return Step("", {}, {})
    return _made(cast("Mapping[str, Any]", call), where, faults)


def _made(call: Mapping[str, Any], where: str, faults: list[Fault]) -> Step:
    try:
        args = complete(call["tool"], call.get("args", {}))
    except ConfigError as error:
        faults += [Fault(f"{where}/args{one.where}", one.cause, one.fix) for one in error.faults]
        args = {}
    partners: list[str] | None = call.get("partner_nodes")
    job_s: float | None = call.get("job_seconds")
    owner: str | None = call.get("owner")
    return Step(
        tool=call["tool"],
        args=args,
        expected={key: call[key] for key in EXPECTED if key in call},
        grant=call.get("grant", "local"),
        owner=None if owner is None else OWNERS[owner],
        at=read_time(call["at"]) if "at" in call else None,
        after_ms=round(1000 * call.get("after", 0)),
        times=call.get("times", 1),
        queue_depth=call.get("queue_depth"),
        facts=call.get("facts", {}),
        partner_nodes=None if partners is None else tuple(partners),
        job_ms=None if job_s is None else round(1000 * job_s),
    )


def _misfits(call: Mapping[str, object], where: str) -> Iterator[Fault]:
    for key, value in call.items():
        kind = CALL.get(key)
        problem = kind(value) if kind else None
        if problem is not None:
            yield Fault(f"{where}/{key}", problem)
    if "at" in call and "after" in call:
        yield Fault(f"{where}/after", 'it stands beside "at".', "Give one of them.")


def _strangers(
    given: Mapping[str, object], known: Mapping[str, Any] | list[str], where: str
) -> Iterator[Fault]:
    for key in given:
        if key not in known:
            yield Fault(f"{where}/{key}", f'unknown key "{key[:80]}".', nearest(key, known))


def _policies(path: Path, value: object, faults: list[Fault]) -> tuple[Path, ...]:
    if value is None:
        return ()
    named = cast("list[object]", value) if isinstance(value, list) else [value]
    if not named or not all(isinstance(one, str) and one for one in named):
        faults.append(Fault("/policy", "it is a path, or a list of paths, from this file on."))
        return ()
    return tuple(path.parent / str(one) for one in named)


def _json(path: Path) -> object:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_BYTES} bytes: name a file of tests.")
        return json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_unique)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}): correct its path.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is no JSON: {error}.") from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'the key "{twice[:80]}" stands twice in one object')
    return found


def _unusable(path: Path, faults: list[Fault]) -> ConfigError:
    what = "fault" if len(faults) == 1 else "faults"
    return ConfigError(f"{path} is no file of tests: correct {len(faults)} {what}.", tuple(faults))
