"""The statements that make the tables, version by version: each brings the one before it up."""

from __future__ import annotations

from comfy_mcp.store.chain import GENESIS

__all__ = ["APPLICATION", "STEPS"]

APPLICATION = 0x436D4764

_KEPT_MS = 31 * 86_400_000
"""Charges are kept at least this long, so that a limit whose window is edited forgets nothing."""

_FIRST = (
    """CREATE TABLE head (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        last_ms INTEGER NOT NULL,
        longest_ms INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        hash TEXT NOT NULL
    )""",
    """CREATE TABLE charges (
        id INTEGER PRIMARY KEY,
        decision_id TEXT NOT NULL,
        counter TEXT NOT NULL,
        holder TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        amount INTEGER NOT NULL CHECK (amount >= 0)
    )""",
    "CREATE INDEX charges_of_account ON charges (counter, holder, at_ms, amount)",
    """CREATE TABLE jobs (
        id INTEGER PRIMARY KEY,
        prompt_id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        host TEXT NOT NULL,
        workflow TEXT NOT NULL,
        digest TEXT NOT NULL,
        decision_id TEXT NOT NULL,
        status TEXT NOT NULL,
        open INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        changed_ms INTEGER NOT NULL,
        result TEXT NOT NULL
    )""",
    "CREATE INDEX jobs_open ON jobs (host, owner) WHERE open = 1",
    """CREATE TABLE audit (
        seq INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        previous TEXT NOT NULL,
        hash TEXT NOT NULL,
        record TEXT NOT NULL
    )""",
    f"PRAGMA application_id = {APPLICATION}",
    f"INSERT INTO head VALUES (1, 0, {_KEPT_MS}, 0, '{GENESIS}')",  # noqa: S608 - our own words
)

# A server of version 1 may still run on a state that was brought up: it goes on working, because
# every new column has a default, and triggers keep the totals for it.
_SECOND = (
    "ALTER TABLE charges ADD COLUMN refund TEXT NOT NULL DEFAULT 'never'",
    # What was reserved, in a row whose amount became what was really taken.
    "ALTER TABLE charges ADD COLUMN reserved INTEGER",
    "CREATE INDEX charges_to_settle ON charges (decision_id) WHERE refund <> 'never'",
    # One for each window that was ever asked for: what its account took after from_ms. All of it
    # follows from the charges, so that a row may be missing, but never wrong.
    """CREATE TABLE totals (
        counter TEXT NOT NULL,
        holder TEXT NOT NULL,
        window_ms INTEGER NOT NULL,
        calendar INTEGER NOT NULL,
        from_ms INTEGER NOT NULL,
        amount INTEGER NOT NULL CHECK (typeof(amount) = 'integer' AND amount >= 0),
        PRIMARY KEY (counter, holder, window_ms, calendar)
    ) WITHOUT ROWID""",
    """CREATE TRIGGER charge_taken AFTER INSERT ON charges BEGIN
        UPDATE totals SET amount = amount + NEW.amount
        WHERE counter = NEW.counter AND holder = NEW.holder AND from_ms < NEW.at_ms;
    END""",
    """CREATE TRIGGER charge_settled AFTER UPDATE OF amount ON charges BEGIN
        UPDATE totals SET amount = amount + (NEW.amount - OLD.amount)
        WHERE counter = OLD.counter AND holder = OLD.holder AND from_ms < OLD.at_ms;
    END""",
    """CREATE TRIGGER charge_dropped AFTER DELETE ON charges BEGIN
        UPDATE totals SET amount = amount - OLD.amount
        WHERE counter = OLD.counter AND holder = OLD.holder AND from_ms < OLD.at_ms;
    END""",
    "ALTER TABLE jobs ADD COLUMN shape TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE jobs ADD COLUMN cap_ms INTEGER",
    "ALTER TABLE jobs ADD COLUMN cap_rule TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE jobs ADD COLUMN running_ms INTEGER",
    "ALTER TABLE jobs ADD COLUMN gpu_ms INTEGER",
    "CREATE INDEX jobs_to_settle ON jobs (decision_id) WHERE open = 1",
    """CREATE INDEX jobs_of_shape ON jobs (host, shape, id, gpu_ms)
        WHERE status = 'completed' AND gpu_ms IS NOT NULL""",
    """CREATE TABLE files (
        host TEXT NOT NULL,
        type TEXT NOT NULL,
        subfolder TEXT NOT NULL,
        filename TEXT NOT NULL,
        owner TEXT NOT NULL,
        job INTEGER NOT NULL,
        PRIMARY KEY (host, type, subfolder, filename)
    ) WITHOUT ROWID""",
    """CREATE TABLE freezes (
        holder TEXT PRIMARY KEY,
        reason TEXT NOT NULL,
        keep_reads INTEGER NOT NULL,
        at_ms INTEGER NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE cooldowns (
        holder TEXT NOT NULL,
        most INTEGER NOT NULL,
        window_ms INTEGER NOT NULL,
        cooldown_ms INTEGER NOT NULL,
        began_ms INTEGER NOT NULL,
        until_ms INTEGER NOT NULL,
        PRIMARY KEY (holder, most, window_ms, cooldown_ms)
    ) WITHOUT ROWID""",
)

# As before, a server of an older version goes on working: its jobs have no key.
_THIRD = (
    "ALTER TABLE jobs ADD COLUMN key TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE jobs ADD COLUMN request TEXT NOT NULL DEFAULT ''",
    # A job that ComfyUI never took has given its key back.
    """CREATE UNIQUE INDEX jobs_of_key ON jobs (host, owner, key)
        WHERE key <> '' AND status <> 'refused'""",
    # The status in it: rows that are not asked for are passed over without being read.
    "CREATE INDEX jobs_by_owner ON jobs (host, owner, id, status)",
    "CREATE INDEX jobs_by_host ON jobs (host, id, status)",
)

# A server of an older version asks nobody and spends no answer, so that it may go on beside these.
_FOURTH = (
    # Long columns come last: what is in front of them is read without them. *told* is the number
    # of the audit row that tells of the last move.
    """CREATE TABLE approvals (
        id INTEGER PRIMARY KEY,
        approval_id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        owner TEXT NOT NULL,
        host TEXT NOT NULL,
        tool TEXT NOT NULL,
        matched TEXT NOT NULL,
        effect TEXT NOT NULL,
        policy TEXT NOT NULL,
        channel TEXT NOT NULL,
        client TEXT,
        status TEXT NOT NULL CHECK (
            status IN ('pending', 'approved', 'denied', 'cancelled', 'spent')
        ),
        created_ms INTEGER NOT NULL,
        expires_ms INTEGER NOT NULL CHECK (
            typeof(expires_ms) = 'integer' AND expires_ms >= created_ms
        ),
        decided_ms INTEGER,
        decision_id TEXT NOT NULL DEFAULT '',
        prompt_id TEXT,
        told INTEGER NOT NULL,
        ruling TEXT NOT NULL,
        facts TEXT NOT NULL,
        payload TEXT NOT NULL
    )""",
    """CREATE INDEX approvals_standing ON approvals (owner, host, kind, matched)
        WHERE status IN ('pending', 'approved', 'denied')""",
    # From the one side what may still move, from the other what is over and was never answered.
    """CREATE INDEX approvals_live ON approvals (expires_ms, owner, status)
        WHERE status IN ('pending', 'approved')""",
    "CREATE INDEX approvals_by_owner ON approvals (owner, id, status, expires_ms)",
    "CREATE INDEX approvals_told ON approvals (told)",
    # Those that have a payload still, which is given up once they are over.
    "CREATE INDEX approvals_heavy ON approvals (expires_ms) WHERE payload <> '{}'",
    # Nobody clears it: it says something of jobs that have not ended, and is read of these only.
    "ALTER TABLE jobs ADD COLUMN progress TEXT",
)

# A server of an older version knows nothing of these: its jobs have no origin and are no sweep's.
_FIFTH = (
    # What is forgotten when there is too much of it, packed: the origin of a job by the job's
    # number, what a sweep asked for by the sweep's with a minus.
    """CREATE TABLE texts (
        id INTEGER PRIMARY KEY,
        about INTEGER NOT NULL UNIQUE,
        bytes INTEGER NOT NULL CHECK (typeof(bytes) = 'integer' AND bytes >= 0),
        data BLOB NOT NULL
    )""",
    "CREATE TABLE held (texts INTEGER NOT NULL, bytes INTEGER NOT NULL)",
    "INSERT INTO held VALUES (0, 0)",
    """CREATE TRIGGER text_added AFTER INSERT ON texts BEGIN
        UPDATE held SET texts = texts + 1, bytes = bytes + NEW.bytes;
    END""",
    """CREATE TRIGGER text_dropped AFTER DELETE ON texts BEGIN
        UPDATE held SET texts = texts - 1, bytes = bytes - OLD.bytes;
    END""",
    """CREATE TABLE sweeps (
        id INTEGER PRIMARY KEY,
        sweep_id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        host TEXT NOT NULL,
        workflow TEXT NOT NULL,
        decision_id TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        key TEXT NOT NULL,
        request TEXT NOT NULL
    )""",
    # A sweep of which ComfyUI took nothing has given its key back.
    "CREATE UNIQUE INDEX sweeps_of_key ON sweeps (host, owner, key) WHERE key <> ''",
    "CREATE INDEX sweeps_by_owner ON sweeps (host, owner, id)",
    "ALTER TABLE jobs ADD COLUMN sweep TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE jobs ADD COLUMN place INTEGER NOT NULL DEFAULT 0",
    "CREATE UNIQUE INDEX jobs_of_sweep ON jobs (sweep, place) WHERE sweep <> ''",
)

STEPS = (_FIRST, _SECOND, _THIRD, _FOURTH, _FIFTH)
"""What makes version 1 of nothing, version 2 of version 1, and so on."""
