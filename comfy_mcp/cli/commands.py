"""Every command, as a value: one table from which the program, its overview and tests are made."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["COMMANDS", "Command"]

TRY = "Try it"
SET_UP = "Set it up"
RULES = "Say what agents may do"
CONTROL = "Watch and stop"
RUN = "Run it"


@dataclass(frozen=True, slots=True)
class Command:
    """One command: *module* of this package has its options and what it does.

    *shown* is how the overview writes it, *group* the heading it stands under.
    """

    name: str
    shown: str
    module: str
    group: str
    summary: str


COMMANDS: tuple[Command, ...] = (
    Command("demo", "demo", "demo", TRY, "See it work: no GPU, no ComfyUI, no client needed."),
    Command(
        "doctor", "doctor", "doctor", SET_UP, "ComfyUI there? Policy fine? What may an agent do?"
    ),
    Command(
        "config",
        "config CLIENT",
        "client_config",
        SET_UP,
        "Print what your MCP client needs to start this server.",
    ),
    Command("policy init", "policy init", "policy_init", RULES, "A policy to start from."),
    Command(
        "policy check",
        "policy check FILE...",
        "policy_check",
        RULES,
        "Look for faults in policy files, together.",
    ),
    Command(
        "policy explain",
        "policy explain TOOL",
        "policy_explain",
        RULES,
        "What would become of a call, step by step?",
    ),
    Command(
        "policy test",
        "policy test FILE...",
        "policy_test",
        RULES,
        "Run a policy's own tests; needs no ComfyUI.",
    ),
    Command(
        "policy schema", "policy schema", "policy_schema", RULES, "The JSON Schema, for editors."
    ),
    Command("console", "console", "console", CONTROL, "Look on and decide, in your browser."),
    Command(
        "approvals ls", "approvals ls", "approvals_ls", CONTROL, "What waits for your yes or no?"
    ),
    Command(
        "approvals show",
        "approvals show ID",
        "approvals_show",
        CONTROL,
        "Exactly what would run, and what it would cost.",
    ),
    Command(
        "approvals approve",
        "approvals approve ID",
        "approvals_approve",
        CONTROL,
        "Yes, once; --set changes values first.",
    ),
    Command("approvals deny", "approvals deny ID", "approvals_deny", CONTROL, "No."),
    Command(
        "approvals watch",
        "approvals watch",
        "approvals_watch",
        CONTROL,
        "See requests come and go, live.",
    ),
    Command(
        "approvals stats",
        "approvals stats",
        "approvals_stats",
        CONTROL,
        "How often was somebody asked, and what came of it?",
    ),
    Command(
        "limits show", "limits show", "limits_show", CONTROL, "How full is each limit, for whom?"
    ),
    Command("limits reset", "limits reset", "limits_reset", CONTROL, "Forget what was counted."),
    Command("audit tail", "audit tail", "audit_tail", CONTROL, "What happened last?"),
    Command("audit verify", "audit verify", "audit_verify", CONTROL, "Was the audit log changed?"),
    Command(
        "audit export", "audit export", "audit_export", CONTROL, "The audit log as JSON lines."
    ),
    Command("freeze", "freeze", "freeze", CONTROL, "Refuse every call, now."),
    Command("unfreeze", "unfreeze", "unfreeze", CONTROL, "Let agents go on."),
    Command(
        "serve",
        "serve",
        "serve",
        RUN,
        "Speak MCP on stdin and stdout; the same as no command.",
    ),
    Command(
        "embedded",
        "embedded",
        "embedded_host",
        RUN,
        "Run the demo ComfyUI host alone, to test and to try.",
    ),
)
"""In the order of the overview."""
