-- Incidents and deliveries as incidents.db had them when the job last ran: copies, for the report. Instants are
-- microseconds since 1970-01-01 UTC, as there.

CREATE TABLE IF NOT EXISTS incident (
    incident_id VARCHAR NOT NULL,
    class VARCHAR NOT NULL,
    provider VARCHAR,
    dependency VARCHAR,
    model VARCHAR,
    code VARCHAR,
    exception_type VARCHAR,
    message VARCHAR,
    severity VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    first_seen_us BIGINT NOT NULL,
    last_seen_us BIGINT NOT NULL,
    event_count BIGINT NOT NULL,
    call_count BIGINT NOT NULL,
    wasted_requests BIGINT NOT NULL,
    affected_count BIGINT NOT NULL,
    affected VARCHAR NOT NULL,
    reopen_count BIGINT NOT NULL,
    acknowledged_by VARCHAR,
    acknowledged_at_us BIGINT,
    resolved_at_us BIGINT,
    resolve_reason VARCHAR,
    inhibited_by VARCHAR,
    first_notified_us BIGINT
);
COMMENT ON TABLE incident IS 'Failures of one cause, from the first to the end; a copy of incidents.db';
COMMENT ON COLUMN incident.affected IS 'JSON array of the applications that it hit';
COMMENT ON COLUMN incident.inhibited_by IS 'Incident that explains this one; NULL = none';

CREATE TABLE IF NOT EXISTS incident_event (
    event_id VARCHAR NOT NULL,
    incident_id VARCHAR NOT NULL
);
COMMENT ON TABLE incident_event IS 'Which exception event is part of which incident; a copy of incidents.db';

CREATE TABLE IF NOT EXISTS delivery (
    delivery_key VARCHAR NOT NULL,
    incident_id VARCHAR,
    sink VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    created_at_us BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    next_try_us BIGINT,
    ended_at_us BIGINT,
    last_error VARCHAR
);
COMMENT ON TABLE delivery IS 'One message about an incident to one sink; a copy of incidents.db';
COMMENT ON COLUMN delivery.delivery_key IS 'Idempotency key: the same on every try';
