-- What incidents are made from where it was shipped already, and what is published of them.

-- name: shipped_events
-- Exception events shipped at $since_us (microseconds) or later, in the columns of the record.
SELECT
    event_id,
    epoch_us(occurred_at),
    event_class,
    provider,
    dependency,
    http_status,
    code,
    exception_type,
    message,
    sdk,
    operation,
    request_model,
    attempts,
    retried::INTEGER,
    receipt_id,
    team,
    service,
    feature,
    environment,
    region,
    cost_center,
    user_id,
    request_id,
    trace_id,
    span_id,
    call_site,
    labels,
    attribution_source,
    occurrences
FROM exception_event
WHERE epoch_us(shipped_at) >= $since_us
ORDER BY occurred_at, event_id;

-- name: shipped_successes
-- Calls that went well, by model and ten seconds, beyond the numbers $seq of the outboxes $outbox_id.
WITH known AS (
    SELECT
        unnest($outbox_id::VARCHAR[]) AS outbox_id,
        unnest($seq::BIGINT[]) AS seq
)
SELECT
    receipt.provider,
    coalesce(receipt.request_model, '') AS model,
    epoch_us(receipt.occurred_at) - epoch_us(receipt.occurred_at) % 10000000 AS slot_us,
    count(*) AS calls,
    epoch_us(max(receipt.occurred_at)) AS last_us
FROM receipt
LEFT JOIN known USING (outbox_id)
WHERE receipt.outcome = 'ok'
    AND epoch_us(receipt.shipped_at) >= $since_us
    AND receipt.writer_seq > coalesce(known.seq, 0)
GROUP BY ALL
ORDER BY ALL;

-- name: shipped_marks
-- How far each outbox was shipped since $since_us; the warehouse itself by the instant of shipping.
SELECT
    outbox_id,
    max(watermark) AS seq
FROM outbox
WHERE epoch_us(last_shipped_at) >= $since_us
GROUP BY outbox_id
UNION ALL
SELECT
    'warehouse',
    epoch_us(max(last_shipped_at))
FROM outbox
HAVING count(*) > 0;

-- name: forget_incidents
-- Makes room for the incidents as they are now.
DELETE FROM incident;

-- name: forget_incident_events
-- Makes room for the events of incidents.
DELETE FROM incident_event;

-- name: forget_deliveries
-- Makes room for the deliveries as they are now.
DELETE FROM delivery;

-- name: keep_incidents
-- Takes over incidents, given as one JSON array of objects.
INSERT INTO incident
SELECT
    unnest(
        from_json(
            $rows::JSON,
            '[{"incident_id": "VARCHAR", "class": "VARCHAR", "provider": "VARCHAR", "dependency": "VARCHAR",
            "model": "VARCHAR", "code": "VARCHAR", "exception_type": "VARCHAR", "message": "VARCHAR",
            "severity": "VARCHAR", "state": "VARCHAR", "first_seen_us": "BIGINT", "last_seen_us": "BIGINT",
            "event_count": "BIGINT", "call_count": "BIGINT", "wasted_requests": "BIGINT",
            "affected_count": "BIGINT", "affected": "VARCHAR", "reopen_count": "BIGINT",
            "acknowledged_by": "VARCHAR", "acknowledged_at_us": "BIGINT", "resolved_at_us": "BIGINT",
            "resolve_reason": "VARCHAR", "inhibited_by": "VARCHAR", "first_notified_us": "BIGINT"}]'
        ),
        recursive := true
    );

-- name: keep_incident_events
-- Takes over which event is part of which incident.
INSERT INTO incident_event
SELECT
    unnest($event_id::VARCHAR[]) AS event_id,
    unnest($incident_id::VARCHAR[]) AS incident_id;

-- name: keep_deliveries
-- Takes over deliveries, given as one JSON array of objects.
INSERT INTO delivery
SELECT
    unnest(
        from_json(
            $rows::JSON,
            '[{"delivery_key": "VARCHAR", "incident_id": "VARCHAR", "sink": "VARCHAR", "kind": "VARCHAR",
            "state": "VARCHAR", "created_at_us": "BIGINT", "attempts": "BIGINT", "next_try_us": "BIGINT",
            "ended_at_us": "BIGINT", "last_error": "VARCHAR"}]'
        ),
        recursive := true
    );
