"""Everything that can go wrong, in one tree; each message says what happened and what to do next.

ComfyMCPError
├── ConfigError          the environment, the command line or a policy file is not usable
├── WorkflowError        the workflow or its parameters cannot be sent as they are
├── Refused              the guard said no
│   ├── Denied           a rule of the policy, ownership, or an unusable state
│   ├── RateLimited      a limit is used up; says when it is not
│   └── ApprovalNeeded   a person has to decide first
├── PermitError          a request was about to be sent that the guard did not allow
├── StateError           the state folder cannot be read or written
├── HostError            between us and ComfyUI
│   ├── HostUnreachable  nobody answers there
│   ├── HostTimeout      no answer in time
│   ├── HostRejected     ComfyUI said no, and why
│   │   └── HostBusy     not now: it passes by itself
│   ├── AnswerLost       sent, but the answer never came: the job may exist
│   ├── NotComfyUI       somebody else answers there
│   └── WorkerDead       it answers, but works on nothing any more
├── KeyConflict          an idempotency key was used for another workflow
├── JobNotFound          no such job, or not one that may be seen
├── ApprovalNotFound     no such request to a person, or somebody else's
├── WebhookError         somebody who is to be told of requests did not take one
├── RootError            a path leads out of the folders that the operator opened, or cannot be used
├── InputError           a file cannot be given to ComfyUI as it is
└── OutputError          a file of a job cannot be had or shown
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = [
    "AnswerLost",
    "ApprovalNeeded",
    "ApprovalNotFound",
    "ComfyMCPError",
    "ConfigError",
    "Denial",
    "Denied",
    "Fault",
    "HostBusy",
    "HostError",
    "HostRejected",
    "HostTimeout",
    "HostUnreachable",
    "InputError",
    "JobNotFound",
    "KeyConflict",
    "NodeProblem",
    "NotComfyUI",
    "OutputError",
    "PermitError",
    "RateLimited",
    "Refused",
    "RootError",
    "StateError",
    "WebhookError",
    "WorkerDead",
    "WorkflowError",
]


class ComfyMCPError(Exception):
    """Base of all errors of this package; *code* is stable, the message is for people."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def details(self) -> dict[str, Any]:
        """What a program may read beside code and message: JSON values only, no secrets."""
        return {}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a file or setting: *where* (a pointer or name), why, and the fix."""

    where: str
    cause: str
    fix: str = ""

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.where or '/'}: {self.cause}" + (f" Fix: {self.fix}" if self.fix else "")


class ConfigError(ComfyMCPError):
    """A setting or a policy file cannot be used; carries every fault that was found."""

    code = "config"

    def __init__(self, message: str, faults: tuple[Fault, ...] = ()) -> None:
        lines = "".join(f"\n  {fault}" for fault in faults)
        super().__init__(message + lines)
        self.faults = faults


class WorkflowError(ComfyMCPError):
    """A workflow or its parameters cannot be sent as they are; names node and input if it can."""

    code = "workflow"

    def __init__(
        self, message: str, *, node_id: str | None = None, input_name: str | None = None
    ) -> None:
        super().__init__(message)
        self.node_id = node_id
        self.input_name = input_name

    def details(self) -> dict[str, Any]:
        """Node and input the message is about."""
        return _present({"node_id": self.node_id, "input": self.input_name})


@dataclass(frozen=True, slots=True)
class Denial:
    """What an agent is told when the guard says no.

    *rule* is a JSON Pointer into the policy; *retry_after_s* is exact (rounded up to milliseconds);
    *limit* has counter, used, max, window_s and scope. *approval_id* is the request to a person
    that this is about, and *expires_in_s* how long it can still be decided.
    """

    code: str
    reason: str
    rule: str
    decision_id: str
    retryable: bool = False
    retry_after_s: float | None = None
    limit: dict[str, Any] | None = None
    fix: dict[str, Any] | None = None
    operator_hint: str | None = None
    decision: str = "deny"
    approval_id: str | None = None
    expires_in_s: float | None = None

    def payload(self) -> dict[str, Any]:
        """The denial as a JSON object, absent things left out."""
        return _present(
            {
                "decision": self.decision,
                "code": self.code,
                "rule": self.rule,
                "reason": self.reason,
                "retryable": self.retryable,
                "retry_after_s": self.retry_after_s,
                "limit": self.limit,
                "fix": self.fix,
                "decision_id": self.decision_id,
                "approval_id": self.approval_id,
                "expires_in_s": self.expires_in_s,
                "operator_hint": self.operator_hint,
            }
        )


class Refused(ComfyMCPError):
    """The guard said no; *denial* says which rule and what may be done."""

    code = "denied"
    mark: ClassVar[str] = "[POLICY DENIED]"

    def __init__(self, denial: Denial) -> None:
        super().__init__(f"{self.mark} {denial.code}: {denial.reason} ({denial.decision_id})")
        self.denial = denial

    def details(self) -> dict[str, Any]:
        """The denial."""
        return self.denial.payload()


class Denied(Refused):
    """A rule of the policy, ownership, or a state that cannot be written said no."""


class RateLimited(Refused):
    """A limit is used up."""

    retryable = True


class ApprovalNeeded(Refused):
    """A person has to decide first, and has not yet; the hint is the command that shows what."""

    retryable = True
    mark = "[APPROVAL NEEDED]"

    def __init__(self, denial: Denial) -> None:
        super().__init__(denial)
        if denial.operator_hint:
            self.args = (f"{self.args[0]} Tell the user to run: {denial.operator_hint}",)


class PermitError(ComfyMCPError):
    """A request was about to be sent that the guard did not allow: a fault of this program."""

    code = "permit"


class StateError(ComfyMCPError):
    """The state folder cannot be read or written."""

    code = "state"


class HostError(ComfyMCPError):
    """Something between us and ComfyUI."""

    code = "host"


class HostUnreachable(HostError):
    """Nobody answers at that address."""

    code = "host_unreachable"
    retryable = True


class HostTimeout(HostError):
    """No answer in time to a request that changes nothing."""

    code = "host_timeout"
    retryable = True


@dataclass(frozen=True, slots=True)
class NodeProblem:
    """One reason why ComfyUI refused a node: *reason* is ComfyUI's own message."""

    node_id: str
    node_type: str
    input_name: str | None
    kind: str
    reason: str

    def __str__(self) -> str:
        """One line for people."""
        where = f"node {self.node_id} ({self.node_type})"
        return (
            f"{where}, input {self.input_name}: {self.reason}"
            if self.input_name
            else (f"{where}: {self.reason}")
        )


class HostRejected(HostError):
    """ComfyUI understood and said no; *problems* name nodes and inputs."""

    code = "host_rejected"

    def __init__(
        self,
        message: str,
        *,
        kind: str = "",
        problems: tuple[NodeProblem, ...] = (),
        status: int = 400,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.problems = problems
        self.status = status

    def details(self) -> dict[str, Any]:
        """ComfyUI's error type and the nodes it named."""
        nodes = [
            _present(
                {
                    "node_id": p.node_id,
                    "node_type": p.node_type,
                    "input": p.input_name,
                    "type": p.kind,
                    "reason": p.reason,
                }
            )
            for p in self.problems
        ]
        return _present({"type": self.kind or None, "nodes": nodes or None})


class HostBusy(HostRejected):
    """The host takes nothing more at the moment; the same request may be taken later."""

    code = "host_busy"
    retryable = True


class AnswerLost(HostError):
    """A request that changes something was sent and its answer never came."""

    code = "answer_lost"

    def __init__(self, message: str, *, prompt_id: str | None = None) -> None:
        super().__init__(message)
        self.prompt_id = prompt_id

    def details(self) -> dict[str, Any]:
        """The job that may exist."""
        return _present({"prompt_id": self.prompt_id})


class NotComfyUI(HostError):
    """Something answers there, but not as ComfyUI does."""

    code = "not_comfyui"


class WorkerDead(HostError):
    """ComfyUI answers, but its worker thread has died: only a restart of ComfyUI helps."""

    code = "worker_dead"


class KeyConflict(ComfyMCPError):
    """The idempotency key was used before, for another workflow or other parameters."""

    code = "idempotency_conflict"


class JobNotFound(ComfyMCPError):
    """No such job in ComfyUI's queue or history, nor in our journal."""

    code = "job_not_found"


class ApprovalNotFound(ComfyMCPError):
    """No such request to a person, or one of another caller: the two are told alike."""

    code = "approval_not_found"


class WebhookError(ComfyMCPError):
    """A webhook did not take a notification; a clause says why, without its URL.

    *again*: it may take it later.
    """

    code = "webhook"

    def __init__(self, message: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.again = again


class OutputError(ComfyMCPError):
    """A file that a job made cannot be had or shown."""

    code = "output"


class InputError(ComfyMCPError):
    """A file cannot be given to ComfyUI: what it is, how large it is, or what it is called."""

    code = "input"


class RootError(ComfyMCPError):
    """A path leads out of the folders that the operator opened, or no file can be there."""

    code = "path"


def _present(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
