-- What is to be told: deliveries and their tries. Parameters only; instants are microseconds (`_us`).

-- name: enqueue
-- Adds a message before it is sent for the first time; nothing when it is there.
INSERT INTO delivery (
    delivery_key,
    incident_id,
    sink,
    kind,
    state,
    created_at_us,
    attempts,
    next_try_us,
    ended_at_us,
    last_error,
    alert
)
VALUES ($delivery_key, $incident_id, $sink, $kind, 'pending', $created_at_us, 0, $next_try_us, NULL, NULL, $alert)
ON CONFLICT DO NOTHING;

-- name: due
-- The oldest message of each sink that is to be tried by now.
SELECT
    delivery_key,
    incident_id,
    sink,
    kind,
    created_at_us,
    attempts,
    alert
FROM (
    SELECT
        *,
        row_number() OVER (PARTITION BY sink ORDER BY created_at_us, delivery_key) AS place
    FROM delivery
    WHERE state = 'pending'
)
WHERE place = 1
    AND next_try_us <= $now_us
ORDER BY created_at_us, delivery_key;

-- name: count_try
-- Notes a try that failed, and when the next one is.
UPDATE delivery
SET
    attempts = attempts + 1,
    next_try_us = $next_try_us,
    last_error = $error
WHERE delivery_key = $delivery_key;

-- name: finish
-- Ends a message: delivered, or dead after the last try.
UPDATE delivery
SET
    attempts = attempts + 1,
    state = $state,
    next_try_us = NULL,
    ended_at_us = $ended_at_us,
    last_error = $error
WHERE delivery_key = $delivery_key;

-- name: sinks_told
-- Sinks that were told of an incident, or are about to be.
SELECT DISTINCT sink
FROM delivery
WHERE incident_id = $incident_id
ORDER BY sink;

-- name: untried
-- Messages of which no try is known, with the cause of their incident.
SELECT
    delivery.delivery_key,
    incident.fingerprint
FROM delivery
JOIN incident USING (incident_id)
WHERE delivery.state = 'pending'
    AND delivery.attempts = 0;

-- name: next_try
-- When the next message is to be tried; NULL = none waits.
SELECT min(next_try_us)
FROM delivery
WHERE state = 'pending';

-- name: deliveries
-- All messages, newest first.
SELECT
    delivery_key,
    incident_id,
    sink,
    kind,
    state,
    created_at_us,
    attempts,
    next_try_us,
    ended_at_us,
    last_error
FROM delivery
ORDER BY created_at_us DESC, delivery_key;

-- name: attempts
-- Every try, in order.
SELECT
    attempt_no,
    delivery_key,
    sink,
    attempt,
    at_us,
    outcome,
    http_status,
    latency_ms,
    body_sha256,
    error
FROM delivery_attempt
ORDER BY attempt_no;

-- name: unproven
-- Messages that are noted as delivered without a try that says so.
SELECT delivery.delivery_key
FROM delivery
LEFT JOIN delivery_attempt
    ON delivery_attempt.delivery_key = delivery.delivery_key
    AND delivery_attempt.outcome = 'delivered'
WHERE delivery.state = 'delivered'
    AND delivery_attempt.attempt_no IS NULL
ORDER BY delivery.delivery_key;

-- name: waiting_since
-- When the oldest message that has not arrived was made; NULL = none waits.
SELECT min(created_at_us)
FROM delivery
WHERE state = 'pending';

-- name: keep_seen
-- Notes that something was done, and how it ended.
INSERT INTO last_seen (
    name,
    at_us,
    error
)
VALUES ($name, $at_us, $error)
ON CONFLICT (name) DO UPDATE SET
    at_us = excluded.at_us,
    error = excluded.error;

-- name: seen
-- When things were last done, and how they ended.
SELECT
    name,
    at_us,
    error
FROM last_seen
ORDER BY name;
