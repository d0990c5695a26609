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
