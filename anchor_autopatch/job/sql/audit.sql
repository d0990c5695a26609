-- What `anchor audit` reads from report.duckdb, opened read-only.

-- name: matches
-- Receipts that some of the given texts name, by the kind of id that names them; 1 is the surest.
WITH token AS (
    SELECT DISTINCT UNNEST($tokens::VARCHAR[]) AS text
)
SELECT
    receipt_id,
    1 AS kind
FROM receipts
WHERE receipt_id IN (SELECT text FROM token)
UNION ALL
SELECT
    receipt_id,
    2 AS kind
FROM receipts
WHERE response_id IN (SELECT text FROM token)
    OR provider_request_id IN (SELECT text FROM token)
UNION ALL
SELECT
    receipt_id,
    3 AS kind
FROM receipts
WHERE trace_id IN (SELECT text FROM token)
UNION ALL
SELECT
    receipt_id,
    4 AS kind
FROM receipts
WHERE request_id IN (SELECT text FROM token)
ORDER BY kind, receipt_id;

-- name: evidence
-- Everything that a charge rests on, of the given receipts, oldest first.
SELECT
    receipts.receipt_id,
    receipts.occurred_at,
    receipts.team,
    receipts.service,
    receipts.environment,
    receipts.request_id,
    receipts.trace_id,
    CAST(receipts.attribution_source AS VARCHAR) AS sources,
    receipts.policy_status,
    finding.problems AS policy_problems,
    receipts.provider,
    receipts.provider_host,
    receipts.provider_account,
    receipts.api_key_id,
    receipts.outcome,
    receipts.billable,
    receipts.parent_receipt_id,
    receipts.usage_source,
    receipts.usage_mismatch,
    receipts.total_tokens,
    receipts.response_id,
    receipts.provider_request_id,
    coalesce(receipts.response_model, receipts.request_model) AS model,
    receipts.price_status,
    receipts.unpriced_meters,
    receipts.rate_card_id,
    receipts.estimated_cost_usd,
    receipts.anchored_cost,
    receipts.anchored_currency,
    receipts.invoice_id,
    receipts.match_level
FROM receipts
LEFT JOIN (
    SELECT
        receipt_id,
        string_agg(field || coalesce(' = ' || value, ' is missing'), ', ' ORDER BY field) AS problems
    FROM policy_findings
    GROUP BY receipt_id
) AS finding USING (receipt_id)
WHERE receipts.receipt_id IN (SELECT UNNEST($receipt_ids::VARCHAR[]))
ORDER BY receipts.occurred_at, receipts.receipt_id;

-- name: newest_period
-- The last period that there is a billable receipt of.
SELECT max(period)
FROM receipts
WHERE billable;

-- name: missing_fields
-- How many billable receipts of a service lack a field, in a period and in the one before it.
SELECT
    period = $period AS is_asked,
    service,
    count(*) AS receipts,
    count(*) - count(team) AS team,
    count(*) - count(environment) AS environment,
    count(*) - count(feature) AS feature,
    count(*) - count(user_id) AS user_id,
    count(*) - count(request_id) AS request_id,
    count(*) - count(trace_id) AS trace_id,
    count(*) FILTER (WHERE usage_source = 'absent') AS usage,
    count(*) FILTER (WHERE coalesce(price_status, 'unpriced') = 'unpriced') AS price,
    count(*) FILTER (WHERE policy_status IN ('reported', 'held')) AS policy
FROM receipts
WHERE billable
    AND period IN (
        $period,
        strftime(CAST($period || '-01' AS DATE) - INTERVAL 1 MONTH, '%Y-%m')
    )
GROUP BY ALL
ORDER BY is_asked DESC, service;
