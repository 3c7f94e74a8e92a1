"""Which ComfyUI the embedded host is: every difference between versions, told from the version."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PROFILES", "Profile"]


@dataclass(frozen=True, slots=True)
class Profile:
    """A ComfyUI by its *version*; each property says what that version does.

    *cloud*: Comfy Cloud's dialect of that version.
    """

    version: str
    cloud: bool = False

    def since(self, version: str) -> bool:
        """Whether this ComfyUI is at least *version*."""
        return _numbers(self.version) >= _numbers(version)

    @property
    def prompt_ids(self) -> Literal["ignored", "any", "uuid"]:
        """What becomes of a prompt_id that the client chose; Comfy Cloud knows no such field."""
        if self.cloud:
            return "ignored"
        if self.since("0.25.0"):
            return "uuid"
        return "any" if self.since("0.3.45") else "ignored"

    @property
    def targeted_interrupt(self) -> bool:
        """POST /interrupt heeds a prompt_id; before, it always hits whatever runs."""
        return self.since("0.3.57")

    @property
    def feature_flags(self) -> bool:
        """The websocket handshake, GET /features and progress_state exist."""
        return self.since("0.3.45")

    @property
    def jobs(self) -> bool:
        """GET /api/jobs and GET /api/jobs/{id} exist."""
        return self.since("0.6.0")

    @property
    def cancelled_status(self) -> bool:
        """An interrupted job is cancelled; before, it is failed."""
        return self.since("0.9.0")

    @property
    def job_cancel(self) -> bool:
        """POST /api/jobs/{id}/cancel and POST /api/jobs/cancel exist."""
        return self.since("0.26.0")

    @property
    def previewable_count(self) -> bool:
        """Jobs carry previewable_outputs_count."""
        return self.since("0.32.0")

    @property
    def create_time(self) -> bool:
        """The server notes in extra_data when a job came."""
        return self.since("0.3.69")

    @property
    def usage_source(self) -> bool:
        """The header Comfy-Usage-Source is kept in extra_data."""
        return self.since("0.25.0")

    @property
    def hides_credentials(self) -> bool:
        """Keys of partner nodes are kept out of queue and history."""
        return self.since("0.3.68")

    @property
    def missing_node_type(self) -> bool:
        """An unknown class is told as missing_node_type; before, as invalid_prompt."""
        return self.since("0.12.0")

    @property
    def node_replacement(self) -> bool:
        """A prompt is read for replaced nodes first, which a UI-format workflow breaks."""
        return self.since("0.14.0")

    @property
    def tells_cycles(self) -> bool:
        """A cycle is reported node by node; before, with empty node_errors."""
        return self.since("0.20.0")

    @property
    def forgets_others(self) -> bool:
        """Only the newest prompt's nodes stay cached; later versions keep more."""
        return not self.since("0.3.67")

    @property
    def throttles_progress(self) -> bool:
        """At most one progress message per 100 ms and half a percent."""
        return self.since("0.9.2")

    @property
    def coloured_log(self) -> bool:
        """A record of the log begins with its level, in colour."""
        return self.since("0.23.0")

    @property
    def fetch_site_check(self) -> bool:
        """Requests that a browser marks cross-site are refused."""
        return self.since("0.19.0")

    @property
    def guarded_files(self) -> bool:
        """Files that a browser could run are sent as downloads only."""
        return self.since("0.28.0")

    @property
    def modern_node_info(self) -> bool:
        """Some nodes describe themselves in the newer form of /object_info."""
        return self.since("0.3.67")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "0.3.40": Profile("0.3.40"),
        "0.3.64": Profile("0.3.64"),
        "0.8": Profile("0.8.0"),
        "0.33": Profile("0.33.0"),
        "cloud": Profile("0.33.0", cloud=True),
    }
)
