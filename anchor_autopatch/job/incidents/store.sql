-- Reads and writes incidents.db. Parameters only; instants are microseconds (`_us`).

-- name: keep_incident
-- Adds an incident, or replaces all of it.
INSERT INTO incident (
    incident_id,
    fingerprint,
    event_class,
    provider,
    dependency,
    model,
    code,
    exception_type,
    message,
    call_site,
    service,
    severity,
    state,
    first_seen_us,
    last_seen_us,
    event_count,
    call_count,
    wasted_requests,
    opened_at_us,
    reopen_count,
    ack_by,
    ack_at_us,
    resolved_at_us,
    resolve_reason,
    inhibited_by,
    notice_count,
    notified_severity,
    notified_at_us,
    first_notified_us,
    reminders_sent
)
VALUES (
    $incident_id,
    $fingerprint,
    $event_class,
    $provider,
    $dependency,
    $model,
    $code,
    $exception_type,
    $message,
    $call_site,
    $service,
    $severity,
    $state,
    $first_seen_us,
    $last_seen_us,
    $event_count,
    $call_count,
    $wasted_requests,
    $opened_at_us,
    $reopen_count,
    $ack_by,
    $ack_at_us,
    $resolved_at_us,
    $resolve_reason,
    $inhibited_by,
    $notice_count,
    $notified_severity,
    $notified_at_us,
    $first_notified_us,
    $reminders_sent
)
ON CONFLICT (incident_id) DO UPDATE SET
    fingerprint = excluded.fingerprint,
    event_class = excluded.event_class,
    provider = excluded.provider,
    dependency = excluded.dependency,
    model = excluded.model,
    code = excluded.code,
    exception_type = excluded.exception_type,
    message = excluded.message,
    call_site = excluded.call_site,
    service = excluded.service,
    severity = excluded.severity,
    state = excluded.state,
    first_seen_us = excluded.first_seen_us,
    last_seen_us = excluded.last_seen_us,
    event_count = excluded.event_count,
    call_count = excluded.call_count,
    wasted_requests = excluded.wasted_requests,
    opened_at_us = excluded.opened_at_us,
    reopen_count = excluded.reopen_count,
    ack_by = excluded.ack_by,
    ack_at_us = excluded.ack_at_us,
    resolved_at_us = excluded.resolved_at_us,
    resolve_reason = excluded.resolve_reason,
    inhibited_by = excluded.inhibited_by,
    notice_count = excluded.notice_count,
    notified_severity = excluded.notified_severity,
    notified_at_us = excluded.notified_at_us,
    first_notified_us = excluded.first_notified_us,
    reminders_sent = excluded.reminders_sent;

-- name: latest_of_cause
-- The newest incident of a fingerprint.
SELECT
    incident_id,
    fingerprint,
    event_class,
    provider,
    dependency,
    model,
    code,
    exception_type,
    message,
    call_site,
    service,
    severity,
    state,
    first_seen_us,
    last_seen_us,
    event_count,
    call_count,
    wasted_requests,
    opened_at_us,
    reopen_count,
    ack_by,
    ack_at_us,
    resolved_at_us,
    resolve_reason,
    inhibited_by,
    notice_count,
    notified_severity,
    notified_at_us,
    first_notified_us,
    reminders_sent
FROM incident
WHERE fingerprint = $fingerprint
ORDER BY opened_at_us DESC, incident_id
LIMIT 1;

-- name: incident
-- One incident.
SELECT
    incident_id,
    fingerprint,
    event_class,
    provider,
    dependency,
    model,
    code,
    exception_type,
    message,
    call_site,
    service,
    severity,
    state,
    first_seen_us,
    last_seen_us,
    event_count,
    call_count,
    wasted_requests,
    opened_at_us,
    reopen_count,
    ack_by,
    ack_at_us,
    resolved_at_us,
    resolve_reason,
    inhibited_by,
    notice_count,
    notified_severity,
    notified_at_us,
    first_notified_us,
    reminders_sent
FROM incident
WHERE incident_id = $incident_id;

-- name: incidents
-- All incidents that are one, newest first.
SELECT
    incident_id,
    fingerprint,
    event_class,
    provider,
    dependency,
    model,
    code,
    exception_type,
    message,
    call_site,
    service,
    severity,
    state,
    first_seen_us,
    last_seen_us,
    event_count,
    call_count,
    wasted_requests,
    opened_at_us,
    reopen_count,
    ack_by,
    ack_at_us,
    resolved_at_us,
    resolve_reason,
    inhibited_by,
    notice_count,
    notified_severity,
    notified_at_us,
    first_notified_us,
    reminders_sent
FROM incident
WHERE state <> 'pending'
ORDER BY last_seen_us DESC, incident_id;

-- name: unsettled
-- What a run looks at: what goes on, and what ended and was not told yet to those who know of it.
SELECT
    incident_id,
    fingerprint,
    event_class,
    provider,
    dependency,
    model,
    code,
    exception_type,
    message,
    call_site,
    service,
    severity,
    state,
    first_seen_us,
    last_seen_us,
    event_count,
    call_count,
    wasted_requests,
    opened_at_us,
    reopen_count,
    ack_by,
    ack_at_us,
    resolved_at_us,
    resolve_reason,
    inhibited_by,
    notice_count,
    notified_severity,
    notified_at_us,
    first_notified_us,
    reminders_sent
FROM incident
WHERE state IN ('pending', 'open', 'reopened', 'acknowledged')
    OR notified_severity IS NOT NULL
ORDER BY first_seen_us, incident_id;

-- name: note_event
-- Notes an event; nothing when it was taken in before.
INSERT INTO incident_event (
    event_id,
    incident_id,
    occurrences
)
VALUES ($event_id, NULL, $occurrences)
ON CONFLICT DO NOTHING;

-- name: occurrences_of
-- For how many failures an event stood when it was last seen.
SELECT occurrences
FROM incident_event
WHERE event_id = $event_id;

-- name: keep_occurrences
-- Notes that it stands for more.
UPDATE incident_event
SET occurrences = $occurrences
WHERE event_id = $event_id;

-- name: incident_of_event
-- The incident that an event is part of; NULL = it is only counted.
SELECT incident_id
FROM incident_event
WHERE event_id = $event_id;

-- name: assign_event
-- Says which incident an event is part of.
UPDATE incident_event
SET incident_id = $incident_id
WHERE event_id = $event_id;

-- name: events_of_incidents
-- Every event that is part of an incident.
SELECT
    event_id,
    incident_id
FROM incident_event
WHERE incident_id IS NOT NULL
ORDER BY event_id;

-- name: add_affected
-- Counts new events of an application.
INSERT INTO affected (
    incident_id,
    team,
    service,
    environment,
    model,
    event_count,
    first_seen_us,
    last_seen_us
)
VALUES ($incident_id, $team, $service, $environment, $model, $event_count, $first_seen_us, $last_seen_us)
ON CONFLICT (incident_id, team, service, environment, model) DO UPDATE SET
    event_count = event_count + excluded.event_count,
    first_seen_us = min(first_seen_us, excluded.first_seen_us),
    last_seen_us = max(last_seen_us, excluded.last_seen_us);

-- name: affected
-- Whom an incident hit, hardest first.
SELECT
    incident_id,
    team,
    service,
    environment,
    model,
    event_count,
    first_seen_us,
    last_seen_us
FROM affected
WHERE incident_id = $incident_id
ORDER BY event_count DESC, team, service, environment, model;

-- name: add_change
-- Adds a step under the incident's next number.
INSERT INTO incident_change (
    incident_id,
    change_no,
    kind,
    at_us,
    actor,
    note
)
SELECT
    $incident_id,
    1 + coalesce(max(change_no), 0),
    $kind,
    $at_us,
    $actor,
    $note
FROM incident_change
WHERE incident_id = $incident_id;

-- name: changes
-- The life of an incident, oldest step first.
SELECT
    kind,
    at_us,
    actor,
    note
FROM incident_change
WHERE incident_id = $incident_id
ORDER BY change_no;

-- name: add_failed
-- Counts calls that ended in a failure of this cause.
INSERT INTO failed_slot (
    fingerprint,
    slot_us,
    calls
)
VALUES ($fingerprint, $slot_us, $calls)
ON CONFLICT (fingerprint, slot_us) DO UPDATE SET
    calls = calls + excluded.calls;

-- name: add_succeeded
-- Counts calls that went well.
INSERT INTO succeeded_slot (
    provider,
    model,
    slot_us,
    calls
)
VALUES ($provider, $model, $slot_us, $calls)
ON CONFLICT (provider, model, slot_us) DO UPDATE SET
    calls = calls + excluded.calls;

-- name: note_success
-- Keeps the latest call that went well.
INSERT INTO last_success (
    provider,
    model,
    at_us
)
VALUES ($provider, $model, $at_us)
ON CONFLICT (provider, model) DO UPDATE SET
    at_us = max(at_us, excluded.at_us);

-- name: last_success
-- When one of the models that an incident hit was last called with success; NULL = never seen.
SELECT max(last_success.at_us)
FROM last_success
JOIN affected USING (model)
WHERE last_success.provider = $provider
    AND affected.incident_id = $incident_id;

-- name: failed_since
-- Calls that ended in a failure of this cause within (after, until].
SELECT coalesce(sum(calls), 0)
FROM failed_slot
WHERE fingerprint = $fingerprint
    AND slot_us > $after_us
    AND slot_us <= $until_us;

-- name: succeeded_since
-- Calls of the models that an incident hit which went well within (after, until].
SELECT coalesce(sum(calls), 0)
FROM succeeded_slot
WHERE provider = $provider
    AND slot_us > $after_us
    AND slot_us <= $until_us
    AND model IN (
        SELECT model
        FROM affected
        WHERE incident_id = $incident_id
    );

-- name: forget_failed
-- Drops counts that no window reaches back to.
DELETE FROM failed_slot
WHERE slot_us < $before_us;

-- name: forget_succeeded
-- Drops counts that no window reaches back to.
DELETE FROM succeeded_slot
WHERE slot_us < $before_us;

-- name: intake
-- How far an outbox was taken in.
SELECT
    seq,
    crc
FROM intake
WHERE outbox_id = $outbox_id;

-- name: intakes
-- How far every outbox was taken in.
SELECT
    outbox_id,
    seq
FROM intake
ORDER BY outbox_id;

-- name: keep_intake
-- Notes how far an outbox was taken in; never back.
INSERT INTO intake (
    outbox_id,
    seq,
    crc
)
VALUES ($outbox_id, $seq, $crc)
ON CONFLICT (outbox_id) DO UPDATE SET
    crc = CASE WHEN excluded.seq > seq THEN excluded.crc ELSE crc END,
    seq = max(seq, excluded.seq);

-- name: add_silence
-- Adds a silence.
INSERT INTO silence (
    silence_id,
    matcher,
    until_us,
    author,
    reason,
    created_at_us
)
VALUES ($silence_id, $matcher, $until_us, $author, $reason, $created_at_us);

-- name: end_silence
-- Ends a silence now, if it has not ended.
UPDATE silence
SET until_us = min(until_us, $until_us)
WHERE silence_id = $silence_id;

-- name: silences
-- All silences, those that end last first.
SELECT
    silence_id,
    matcher,
    until_us,
    author,
    reason,
    created_at_us
FROM silence
ORDER BY until_us DESC, silence_id;

-- name: miscounted
-- Incidents whose count is not the number of their events, or of those of their applications.
SELECT
    incident.incident_id,
    incident.event_count,
    (
        SELECT coalesce(sum(occurrences), 0)
        FROM incident_event
        WHERE incident_event.incident_id = incident.incident_id
    ) AS events,
    (
        SELECT coalesce(sum(affected.event_count), 0)
        FROM affected
        WHERE affected.incident_id = incident.incident_id
    ) AS of_applications
FROM incident
WHERE event_count <> events
    OR event_count <> of_applications
ORDER BY incident.incident_id;

-- name: sums
-- What is proven, in one row.
SELECT
    (SELECT count(*) FROM incident WHERE state <> 'pending'),
    (SELECT coalesce(sum(occurrences), 0) FROM incident_event WHERE incident_id IS NOT NULL),
    (SELECT count(*) FROM delivery_attempt);

-- name: columns_of_events
-- Names of the columns that the table of events has in this file.
SELECT name
FROM pragma_table_info('incident_event');

-- name: add_occurrences
-- The column that says for how many failures an event stands.
ALTER TABLE incident_event ADD COLUMN occurrences INTEGER NOT NULL DEFAULT 1;
