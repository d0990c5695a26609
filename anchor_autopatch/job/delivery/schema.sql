-- The part of incidents.db that says what was told, to whom. Instants are microseconds since 1970-01-01 UTC.

-- One message to one sink; committed before its first try.
CREATE TABLE IF NOT EXISTS delivery (
    delivery_key TEXT PRIMARY KEY,
    incident_id TEXT,
    sink TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at_us INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    next_try_us INTEGER,
    ended_at_us INTEGER,
    last_error TEXT,
    alert TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS delivery_by_state ON delivery (state, next_try_us);
CREATE INDEX IF NOT EXISTS delivery_by_incident ON delivery (incident_id);

-- Every try, chained by hashes: only ever added to.
CREATE TABLE IF NOT EXISTS delivery_attempt (
    attempt_no INTEGER PRIMARY KEY,
    delivery_key TEXT NOT NULL,
    sink TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    http_status INTEGER,
    latency_ms INTEGER NOT NULL,
    body_sha256 TEXT NOT NULL,
    error TEXT,
    prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL
);

-- How long the chain is and how it ends.
CREATE TABLE IF NOT EXISTS chain_head (
    chain TEXT NOT NULL,
    row_count INTEGER NOT NULL,
    hash TEXT NOT NULL
);

-- When something was last seen to work: `round` of the job, `ping` to whoever listens for its silence.
CREATE TABLE IF NOT EXISTS last_seen (
    name TEXT PRIMARY KEY,
    at_us INTEGER NOT NULL,
    error TEXT
) WITHOUT ROWID;
