-- What budgets, unusual hours and retries are judged by. Costs are estimates by rate card, in USD, unless a name says
-- otherwise; half-open spans of UTC TIMESTAMP.

-- name: hourly_costs
-- Cost of each application in each hour of [$from, $until) in which it has one; hours since 1970-01-01 UTC.
SELECT
    receipt.team,
    receipt.service,
    receipt.environment,
    epoch_us(receipt.occurred_at) // 3600000000 AS hour,
    sum(receipt_price.estimated_cost_usd)::DECIMAL(38, 18) AS cost_usd
FROM attributed_receipt AS receipt
JOIN receipt_price USING (receipt_id)
WHERE receipt.billable
    AND receipt.occurred_at >= $from
    AND receipt.occurred_at < $until
    AND receipt_price.estimated_cost_usd IS NOT NULL
GROUP BY ALL
ORDER BY ALL;

-- name: daily_costs
-- Cost of each day of [$from, $until) by what a budget can be about; days since 1970-01-01 UTC.
SELECT
    receipt.team,
    receipt.service,
    receipt.environment,
    receipt.provider,
    epoch_us(receipt.occurred_at) // 86400000000 AS day,
    coalesce(sum(receipt_price.estimated_cost_usd), 0)::DECIMAL(38, 18) AS cost_usd,
    count(*) FILTER (WHERE receipt_price.estimated_cost_usd IS NULL) AS unpriced_calls
FROM attributed_receipt AS receipt
LEFT JOIN receipt_price USING (receipt_id)
WHERE receipt.billable
    AND receipt.occurred_at >= $from
    AND receipt.occurred_at < $until
GROUP BY ALL
ORDER BY ALL;

-- name: window_costs
-- Cost of each span of $seconds until $now, as a list in their order.
SELECT
    receipt.team,
    receipt.service,
    receipt.environment,
    receipt.provider,
    span.seconds,
    sum(receipt_price.estimated_cost_usd)::DECIMAL(38, 18) AS cost_usd
FROM attributed_receipt AS receipt
JOIN receipt_price USING (receipt_id)
JOIN (SELECT unnest($seconds::BIGINT[]) AS seconds) AS span
    ON receipt.occurred_at > $now::TIMESTAMP - to_seconds(span.seconds)
WHERE receipt.billable
    AND receipt.occurred_at <= $now::TIMESTAMP
    AND receipt_price.estimated_cost_usd IS NOT NULL
GROUP BY ALL
ORDER BY ALL;

-- name: period_costs
-- What the months $periods cost so far: invoiced in the currency of the bill, estimated in USD where there is no bill.
SELECT
    period,
    team,
    service,
    environment,
    provider,
    status,
    currency,
    coalesce(sum(CASE WHEN status = 'estimated' THEN estimated_cost_usd ELSE anchored_cost END), 0)::DECIMAL(38, 18)
        AS cost
FROM app_cost
WHERE list_contains($periods, period)
GROUP BY ALL
ORDER BY ALL;

-- name: retry_findings
-- Retries of [$from, $until) that somebody is to know of.
SELECT
    slot,
    team,
    service,
    environment,
    provider,
    event_class,
    finding,
    wasted_requests,
    most_requests_of_a_call,
    sent_requests,
    wasted_ms,
    wasted_usd,
    last_seen
FROM retry_slot
WHERE finding IS NOT NULL
    AND slot >= $from
    AND slot < $until
ORDER BY ALL;

-- name: unpriced_days
-- Models of calls until $until that have no rate, or none for all that was used (reason NULL), day by day, where there are
-- more such calls than a run has noted before. Not those that no rate would help: whose usage, model or provider nobody
-- knows. All days are looked at, since an outbox may come late and a rate may end years ago; few prices are missing.
WITH lacking AS (
    SELECT
        receipt_id,
        unpriced_reason,
        unpriced_meters
    FROM receipt_price
    WHERE unpriced_meters IS NOT NULL
        OR unpriced_reason <> 'no usage was seen'
),
found AS (
    SELECT
        CAST(receipt.occurred_at AS DATE) AS day,
        receipt.provider,
        coalesce(
            receipt_meters.served_model,
            priced_model(receipt.operation, coalesce(receipt.response_model, receipt.request_model))
        ) AS model,
        -- The least of them, not any: a run that is repeated must end in the same bytes.
        min(lacking.unpriced_reason) AS reason,
        min(lacking.unpriced_meters) AS meters,
        count(*) AS calls,
        max(receipt.occurred_at) AS last_seen,
        shared_by_all(receipt.sdk) AS sdk,
        shared_by_all(receipt.operation) AS operation,
        shared_by_all(receipt.team) AS team,
        shared_by_all(receipt.service) AS service,
        shared_by_all(receipt.feature) AS feature,
        shared_by_all(receipt.environment) AS environment,
        shared_by_all(receipt.region) AS region,
        shared_by_all(receipt.cost_center) AS cost_center,
        shared_by_all(receipt.call_site) AS call_site
    FROM lacking
    JOIN attributed_receipt AS receipt USING (receipt_id)
    LEFT JOIN receipt_meters USING (receipt_id)
    WHERE receipt.provider <> 'unmapped'
        AND receipt.occurred_at < $until
        AND model IS NOT NULL
    GROUP BY ALL
)
SELECT
    found.day,
    found.provider,
    found.model,
    found.reason,
    found.meters,
    found.calls,
    found.last_seen,
    -- Neither users nor requests: the event outlives the receipts, and what retention removes must not live on in it.
    {
        'sdk': found.sdk,
        'operation': found.operation,
        'team': found.team,
        'service': found.service,
        'feature': found.feature,
        'environment': found.environment,
        'region': found.region,
        'cost_center': found.cost_center,
        'call_site': found.call_site
    } AS shared,
    epoch_us(noted.noted_at) AS noted_at_us
FROM found
LEFT JOIN job_event AS noted
    ON noted.event_class = 'unpriced_model'
    AND noted.provider = found.provider
    AND noted.code = found.model
    AND CAST(noted.occurred_at AS DATE) = found.day
WHERE found.calls > coalesce(noted.occurrences, 0)
ORDER BY ALL;

-- name: forget_job_events
-- Makes room for those of the ids $event_id.
DELETE FROM job_event
WHERE list_contains($event_id::VARCHAR[], event_id);

-- name: note_job_events
-- Notes events, given as one JSON array of objects.
INSERT INTO job_event
SELECT
    event_id,
    make_timestamp(occurred_at_us) AS occurred_at,
    event_class,
    provider,
    code,
    message,
    sdk,
    operation,
    request_model,
    team,
    service,
    feature,
    environment,
    region,
    cost_center,
    call_site,
    occurrences,
    coalesce(make_timestamp(noted_at_us), $now) AS noted_at,
    $now AS changed_at
FROM (
    SELECT
        unnest(
            from_json(
                $rows::JSON,
                '[{"event_id": "VARCHAR", "occurred_at_us": "BIGINT", "event_class": "VARCHAR", "provider": "VARCHAR",
                "code": "VARCHAR", "message": "VARCHAR", "sdk": "VARCHAR", "operation": "VARCHAR",
                "request_model": "VARCHAR", "team": "VARCHAR", "service": "VARCHAR", "feature": "VARCHAR",
                "environment": "VARCHAR", "region": "VARCHAR", "cost_center": "VARCHAR", "call_site": "VARCHAR",
                "occurrences": "BIGINT", "noted_at_us": "BIGINT"}]'
            ),
            recursive := true
        )
);

-- name: job_events
-- Events of [$from, $until) that somebody may still want to be told of, and those of earlier days that are part of an
-- incident and have grown since $from; in the columns of the record.
SELECT
    event_id,
    epoch_us(occurred_at) AS occurred_at_us,
    event_class,
    provider,
    code,
    message,
    sdk,
    operation,
    request_model,
    team,
    service,
    feature,
    environment,
    region,
    cost_center,
    call_site,
    occurrences
FROM job_event
WHERE occurred_at < $until
    AND (
        occurred_at >= $from
        OR (changed_at >= $from AND event_id IN (SELECT event_id FROM incident_event))
    )
ORDER BY occurred_at, event_id;

-- name: judged_until
-- The hours before this instant were judged; no row = none were.
SELECT judged_until FROM spend_run;

-- name: forget_judged
-- Makes room for how far it was judged.
DELETE FROM spend_run;

-- name: note_judged
-- Notes how far hours were judged.
INSERT INTO spend_run (judged_until) VALUES ($until);

-- name: forget_budgets
-- Makes room for the budgets as they stand now.
DELETE FROM budget_state;

-- name: forget_anomalies
-- Makes room for the hours from $from on: late receipts may have changed them.
DELETE FROM spend_anomaly
WHERE hour >= $from;

-- name: keep_budget
-- Keeps how a budget stands.
INSERT INTO budget_state (
    budget,
    period,
    team,
    service,
    environment,
    provider,
    amount,
    currency,
    spent,
    estimated_part,
    status,
    spent_percent,
    threshold_percent,
    burn,
    forecast_p50,
    forecast_p90,
    forecast_days,
    unpriced_calls,
    unconverted_usd,
    evaluated_at
)
VALUES (
    $budget,
    $period,
    $team,
    $service,
    $environment,
    $provider,
    $amount,
    $currency,
    $spent,
    $estimated_part,
    $status,
    $spent_percent,
    $threshold_percent,
    $burn,
    $forecast_p50,
    $forecast_p90,
    $forecast_days,
    $unpriced_calls,
    $unconverted_usd,
    $evaluated_at
);

-- name: keep_anomaly
-- Keeps an unusual hour.
INSERT INTO spend_anomaly (
    event_id,
    hour,
    team,
    service,
    environment,
    method,
    cost_usd,
    expected_usd,
    found_at
)
VALUES (
    $event_id,
    $hour,
    $team,
    $service,
    $environment,
    $method,
    $cost_usd,
    $expected_usd,
    $found_at
);
