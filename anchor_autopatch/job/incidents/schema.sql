-- incidents.db, an SQLite file of ANCHOR_HOME: incidents and what is told of them.
-- Instants are integers, microseconds since 1970-01-01 UTC (`_us`). Empty text where nobody said.

-- One cause, from its first failure to its end; `pending` is none yet.
CREATE TABLE IF NOT EXISTS incident (
    incident_id TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    event_class TEXT NOT NULL,
    provider TEXT,
    dependency TEXT,
    model TEXT,
    code TEXT,
    exception_type TEXT,
    message TEXT,
    call_site TEXT,
    service TEXT,
    severity TEXT NOT NULL,
    state TEXT NOT NULL,
    first_seen_us INTEGER NOT NULL,
    last_seen_us INTEGER NOT NULL,
    event_count INTEGER NOT NULL,
    call_count INTEGER NOT NULL,
    wasted_requests INTEGER NOT NULL,
    opened_at_us INTEGER NOT NULL,
    reopen_count INTEGER NOT NULL,
    ack_by TEXT,
    ack_at_us INTEGER,
    resolved_at_us INTEGER,
    resolve_reason TEXT,
    inhibited_by TEXT,
    notice_count INTEGER NOT NULL,
    notified_severity TEXT,
    notified_at_us INTEGER,
    first_notified_us INTEGER,
    reminders_sent INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS incident_by_fingerprint ON incident (fingerprint, opened_at_us);
CREATE INDEX IF NOT EXISTS incident_by_state ON incident (state);

-- Which applications an incident hit, by model.
CREATE TABLE IF NOT EXISTS affected (
    incident_id TEXT NOT NULL,
    team TEXT NOT NULL,
    service TEXT NOT NULL,
    environment TEXT NOT NULL,
    model TEXT NOT NULL,
    event_count INTEGER NOT NULL,
    first_seen_us INTEGER NOT NULL,
    last_seen_us INTEGER NOT NULL,
    PRIMARY KEY (incident_id, team, service, environment, model)
) WITHOUT ROWID;

-- Every event that was taken in, once; NULL = only counted, of no incident.
CREATE TABLE IF NOT EXISTS incident_event (
    event_id TEXT PRIMARY KEY,
    incident_id TEXT,
    occurrences INTEGER NOT NULL DEFAULT 1
) WITHOUT ROWID;

-- Every step in the life of an incident: the audit trail.
CREATE TABLE IF NOT EXISTS incident_change (
    incident_id TEXT NOT NULL,
    change_no INTEGER NOT NULL,
    kind TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    actor TEXT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (incident_id, change_no)
) WITHOUT ROWID;

-- Calls that ended in a failure of one cause, by slots of ten seconds; three days are kept.
CREATE TABLE IF NOT EXISTS failed_slot (
    fingerprint TEXT NOT NULL,
    slot_us INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (fingerprint, slot_us)
) WITHOUT ROWID;

-- Calls that went well, by slots of ten seconds; three days are kept.
CREATE TABLE IF NOT EXISTS succeeded_slot (
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    slot_us INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (provider, model, slot_us)
) WITHOUT ROWID;

-- The last call that went well, for ever.
CREATE TABLE IF NOT EXISTS last_success (
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    PRIMARY KEY (provider, model)
) WITHOUT ROWID;

-- How far each outbox was taken in, by its gapless numbers.
CREATE TABLE IF NOT EXISTS intake (
    outbox_id TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    crc INTEGER
) WITHOUT ROWID;

-- What nobody is to be told of, until when; ended ones are kept for the audit.
CREATE TABLE IF NOT EXISTS silence (
    silence_id TEXT PRIMARY KEY,
    matcher TEXT NOT NULL,
    until_us INTEGER NOT NULL,
    author TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at_us INTEGER NOT NULL
) WITHOUT ROWID;
