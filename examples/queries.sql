-- Five questions to ask report.duckdb; `make demo` asks them, and README.md shows them.

-- What does each application cost?
SELECT
    team,
    service,
    provider,
    sum(calls) AS calls,
    round(sum(anchored_cost), 2) AS anchored_cost,
    currency
FROM app_costs
GROUP BY ALL
ORDER BY anchored_cost DESC, team, service, provider;

-- What does each user of an application cost?
SELECT
    service,
    user_id,
    sum(calls) AS calls,
    round(sum(anchored_cost), 2) AS anchored_cost,
    currency
FROM user_costs
WHERE user_id IS NOT NULL
GROUP BY ALL
ORDER BY anchored_cost DESC, user_id;

-- Which calls carry no team, and where in the code are they made?
SELECT
    service,
    coalesce(call_site, 'not known') AS call_site,
    sum(calls) AS calls,
    round(sum(anchored_cost), 2) AS anchored_cost,
    currency
FROM unattributed_costs
WHERE team IS NULL
GROUP BY ALL
ORDER BY anchored_cost DESC, call_site;

-- What failed, where, and how many requests were sent in vain?
SELECT
    class,
    provider,
    request_model,
    http_status,
    service,
    sum(occurrences) FILTER (WHERE NOT retried) AS failed_calls,
    count(*) AS failed_requests
FROM exception_events
-- NULL: no request failed, but the job found no rate for its model.
WHERE retried IS NOT NULL
GROUP BY ALL
ORDER BY failed_requests DESC, class;

-- What makes up the price of the dearest call?
SELECT
    receipts.request_model,
    usage_lines.meter,
    usage_lines.quantity::BIGINT AS quantity,
    usage_lines.unit,
    round(usage_lines.unit_price_usd * 1_000_000, 2) AS usd_per_million,
    round(usage_lines.cost_usd, 6) AS cost_usd,
    left(usage_lines.rate_card_id, 12) AS rate_card
FROM usage_lines
JOIN receipts USING (receipt_id)
WHERE receipts.receipt_id = (
    SELECT receipt_id
    FROM receipts
    ORDER BY estimated_cost_usd DESC, receipt_id
    LIMIT 1
)
ORDER BY usage_lines.meter;
