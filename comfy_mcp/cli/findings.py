"""The doctor's checks: each looks at one thing and says how it is and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from comfy_mcp.cli.asking import CHANNELS
from comfy_mcp.cli.screen import Verdict
from comfy_mcp.errors import ConfigError, WorkflowError
from comfy_mcp.guard.decide import grant_of
from comfy_mcp.guard.loading import Loaded, load
from comfy_mcp.guard.policy import Policy
from comfy_mcp.library import Library, shipped_folder
from comfy_mcp.oversight.gauge import duration
from comfy_mcp.oversight.state import now_ms
from comfy_mcp.settings import Settings

__all__ = [
    "Finding",
    "about_policy",
    "about_settings",
    "about_workflows",
]

RUNNING = (
    "A running server keeps the last policy that it could use, or with --on-bad-reload freeze"
    " refuses everything."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; *advice* is what to do about it."""

    verdict: Verdict
    name: str
    text: str
    advice: str = ""


def about_settings(settings: Settings) -> list[Finding]:
    """The settings in a line, and what is odd about the environment."""
    where = settings.address.base if settings.address else "embedded"
    line = f"ComfyUI {where}, grant {settings.grant}, protocol {settings.protocol}"
    notes = [Finding(Verdict.NOTE, "settings", text) for text in settings.warnings]
    return [Finding(Verdict.OK, "settings", line), *notes]


def about_policy(settings: Settings) -> tuple[list[Finding], Loaded | None]:
    """Whether the policy can be used, and the policy if so."""
    try:
        loaded = load(settings.policies)
    except ConfigError as error:
        return [Finding(Verdict.FAIL, "policy", f"{error}\n{RUNNING}", "correct the policy")], None
    notes = [Finding(Verdict.NOTE, "policy", text) for text in loaded.warnings]
    found = [Finding(Verdict.OK, "policy", ", ".join(loaded.sources)), *notes]
    found += _about_asking(loaded.policy)
    return [*found, *_about_grants(loaded.policy, settings.grant)], loaded


def about_workflows(settings: Settings) -> list[Finding]:
    """The library's workflows, and those that are broken."""
    library = Library((*settings.workflows, shipped_folder()))
    missing = [folder for folder in settings.workflows if not folder.is_dir()]
    notes = [Finding(Verdict.NOTE, "workflows", f"{folder} is no folder") for folder in missing]
    try:
        names = library.names()
        notes += [Finding(Verdict.NOTE, "workflows", text) for text in library.passed_over()]
    except WorkflowError as error:
        return [Finding(Verdict.FAIL, "workflows", str(error), "mend the workflow folder")]
    for name in names:
        try:
            library.draft(name)
        except WorkflowError as error:
            notes.append(Finding(Verdict.NOTE, "workflows", str(error)))
    return [Finding(Verdict.OK, "workflows", ", ".join(names)), *notes]


def _about_asking(policy: Policy) -> list[Finding]:
    """Where people are asked, if they are. A webhook's URL is a secret, but for its host."""
    if not any(file.asks for file in policy.files):
        return []
    way = policy.approvals
    where = f"{CHANNELS[way.channel]}, within {duration(way.expires_ms)}"
    text = f"a person decides some calls; where no rule says otherwise, {where}"
    hosts = sorted({urlsplit(url).hostname or "" for url in policy.webhooks})
    told = f"\nrequests are told to {', '.join(hosts)}" if hosts else ""
    return [Finding(Verdict.OK, "approvals", text + told)]


def _about_grants(policy: Policy, name: str) -> list[Finding]:
    """Whether the caller of this server is somebody under *policy*."""
    if not policy.knows_grants:
        return []
    grant = grant_of(policy, name, now_ms())
    if grant is not None:
        return [Finding(Verdict.OK, "grant", f"{name} is the policy's {grant}")]
    known = ", ".join(sorted({one.stdio for one in policy.grants})) or "nobody"
    text = f"the policy knows no {name}, so everything is denied; it knows {known}"
    return [Finding(Verdict.NOTE, "grant", text)]
