"""What the guard itself takes: judging alone, and a call let through with its reservation."""

from __future__ import annotations

import json
import secrets
import time
from itertools import combinations
from time import perf_counter
from typing import Any

from bench.figures import Figure, of_times
from bench.places import Place
from comfy_mcp.guard.decide import decide
from comfy_mcp.guard.gate import Call, Gate
from comfy_mcp.guard.loading import load, parse
from comfy_mcp.guard.policy import Policy
from comfy_mcp.guard.question import Question, Run, in_this_zone
from comfy_mcp.guard.source import PolicySource
from comfy_mcp.store.sqlite import SqliteStore
from comfy_mcp.workflow.facts import Facts, Model, Prefix

__all__ = ["measure"]

WARM_UP = 50
RULES = 100
NODES = 300
MODELS = 20


async def measure(place: Place, rounds: int) -> list[Figure]:
    """Medians of *rounds* each of pure decisions, and of one admitted call of a reading tool."""
    small = _decided(load((place.policy,)).policy, Question("get_job", "bench"), rounds)
    large = _decided(_large_policy(), _large_question(), rounds)
    store = SqliteStore(place.folder / "gate")
    gate = Gate(
        PolicySource((place.policy,), now_ns=_much_later),
        store,
        now_ms=lambda: time.time_ns() // 1_000_000,
        new_id=lambda: secrets.token_hex(8),
        reconcile=_nothing,
    )
    try:
        guarded = [await _admitted(gate) for _ in range(WARM_UP + rounds)][WARM_UP:]
    finally:
        await store.close()
    return [
        of_times("guard: decide alone, pure", small),
        of_times(f"guard: decide a run, {RULES} rules, {NODES} nodes", large, goal=0.2),
        of_times("guard: admit a read, two audit rows", guarded, goal=1.0, strict=True),
    ]


def _decided(policy: Policy, question: Question, rounds: int) -> list[float]:
    """Seconds of each decision; the tables of the policy are made before."""
    if (decision := decide(policy, question)).code != "allowed":
        raise AssertionError(f"what is refused is judged too soon: {decision}")
    times: list[float] = []
    for _ in range(rounds):
        started = perf_counter()
        decide(policy, question)
        times.append(perf_counter() - started)
    return times


def _large_policy() -> Policy:
    """A hundred rules, half of them for run_workflow: each with a requirement and a limit."""
    masks = combinations(range(len("run_workflow")), 2)
    names = [_masked("run_workflow", mask) for mask in list(masks)[: RULES // 2]]
    others = combinations(range(len("get_policy_status")), 2)
    names += [_masked("get_policy_status", mask) for mask in list(others)[: RULES // 2 - 1]]
    document = {
        "version": "1",
        "tools": {name: _rule(number) for number, name in enumerate(names)},
        "classes": {"execute": {"rate_limit": "1000/hour"}},
        "gpu": {
            "max_steps": 100,
            "max_megapixels": 4.2,
            "max_nodes": 500,
            "allow_node_classes": ["Sampler*", "Loader?", "Node*"],
            "deny_node_classes": ["*Python*", "*Url*"],
            "allow_models": {"*": ["*.safetensors"]},
            "output_prefix": "agents/{grant}/",
            "gpu_seconds": [{"window": "hour", "max": 3600}],
        },
    }
    return parse(json.dumps(document), "bench").policy


def _masked(name: str, places: tuple[int, ...]) -> str:
    """*name* as one of many globs that fit it."""
    return "".join("?" if place in places else char for place, char in enumerate(name))


def _rule(number: int) -> dict[str, Any]:
    paths = ("graph.steps", "graph.megapixels", "graph.nodes", "args.wait_seconds", "time.hour")
    return {
        "require": [{"path": paths[number % len(paths)], "op": "lte", "value": 600 + number}],
        "limits": [{"counter": f"calls-{number}", "window": "hour", "max": 10_000}],
    }


def _large_question() -> Question:
    facts = Facts(
        nodes=NODES,
        bytes=100_000,
        steps=20,
        megapixels=1.0,
        node_classes={f"Node{number}": str(number) for number in range(NODES)},
        models={
            "loras": tuple(
                Model(f"styles/{number}.safetensors", str(number), "LoraLoader", "lora_name")
                for number in range(MODELS)
            )
        },
        output_prefixes=(Prefix("agents/bench/picture", "9", "SaveImage", "filename_prefix"),),
    )
    return Question(
        "run_workflow",
        "bench",
        args={"workflow": {}, "params": {}, "wait_seconds": 40, "front": False},
        final=True,
        run=Run(facts, estimate_ms=20_000),
        at=in_this_zone(0),
    )


async def _admitted(gate: Gate) -> float:
    call = Call(
        tool="get_job", identity="bench", grant="bench", target="0", args={"prompt_id": "0" * 64}
    )
    started = perf_counter()
    async with gate.admit(call):
        pass
    return perf_counter() - started


async def _nothing(_: str) -> None:
    """There are no jobs to look at."""


def _much_later() -> int:
    """A time at which the policy file is old: a fresh one is read again at every look."""
    return time.time_ns() + 60_000_000_000
