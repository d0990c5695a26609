-- What `anchor report` reads from report.duckdb, opened read-only.

-- name: published_at
-- When the report was made, UTC.
SELECT published_at FROM published;

-- name: periods
-- The periods that there is anything about, newest first.
SELECT period FROM app_costs
UNION
SELECT period FROM reconciliation
ORDER BY period DESC;

-- name: bills
-- Every bill of a period, and what is not invoiced yet, with the sum of its split.
SELECT
    reconciliation.period,
    reconciliation.provider,
    reconciliation.account,
    reconciliation.invoice_id,
    reconciliation.currency,
    reconciliation.invoice_total,
    reconciliation.estimated_total_usd,
    reconciliation.status,
    (
        SELECT sum(app_costs.anchored_cost)
        FROM app_costs
        WHERE app_costs.period = reconciliation.period
            AND app_costs.provider = reconciliation.provider
            AND app_costs.account = reconciliation.account
            AND app_costs.invoice_id = reconciliation.invoice_id
    ) AS split_sum
FROM reconciliation
WHERE reconciliation.period = $period
ORDER BY ALL;

-- name: split
-- The rows of one bill, largest first.
SELECT
    team,
    service,
    environment,
    response_model,
    calls,
    estimated_cost_usd,
    anchored_cost,
    status
FROM app_costs
WHERE period = $period
    AND provider = $provider
    AND account = $account
    AND invoice_id IS NOT DISTINCT FROM $invoice_id
ORDER BY
    anchored_cost DESC NULLS LAST,
    estimated_cost_usd DESC NULLS LAST,
    team,
    service,
    environment,
    response_model;

-- name: budgets
-- How the budgets of a period stand, those that are nearest to their end first.
SELECT
    budget,
    amount,
    currency,
    spent,
    status,
    spent_percent,
    burn,
    forecast_p50,
    forecast_p90
FROM budgets
WHERE period = $period
ORDER BY spent_percent DESC, budget;

-- name: relations
-- What can be exported as it is.
SELECT table_name AS relation
FROM information_schema.tables
WHERE table_schema = 'main'
ORDER BY relation;
