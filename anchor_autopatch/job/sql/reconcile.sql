-- What a run of reconcile looks at after the work is done.

-- name: receipt_count
-- Receipts ever shipped.
SELECT count(*) FROM receipt;

-- name: unpriced_models
-- Models of open periods whose billable calls have no price, or none for some of what was used (reason NULL).
SELECT
    receipt.provider,
    coalesce(
        receipt_meters.served_model,
        priced_model(receipt.operation, coalesce(receipt.response_model, receipt.request_model)),
        ''
    ) AS model,
    receipt_price.unpriced_reason AS reason,
    coalesce(receipt_price.unpriced_meters, '') AS meters,
    count(*) AS calls,
    strftime(min(receipt.occurred_at), '%Y-%m-%d') AS first_day
FROM receipt
JOIN receipt_price USING (receipt_id)
LEFT JOIN receipt_meters USING (receipt_id)
WHERE (receipt_price.price_status = 'unpriced' OR receipt_price.unpriced_meters IS NOT NULL)
    AND NOT in_frozen_month(receipt_id, receipt.occurred_at)
GROUP BY ALL
ORDER BY ALL;

-- name: unmapped_hosts
-- Hosts of open periods that answered billable calls and of which nobody said who invoices.
SELECT
    coalesce(provider_host, '') AS provider_host,
    count(*) AS calls
FROM settled_receipt
WHERE billable
    AND provider = 'unmapped'
    AND NOT in_frozen_month(receipt_id, occurred_at)
GROUP BY ALL
ORDER BY ALL;

-- name: coarse_lines
-- Lines of open invoices that name a model of which no receipt was found, so that all calls share them.
SELECT
    line_match.period,
    invoice_line.provider,
    line_match.invoice_id,
    invoice_line.model_raw AS model,
    sum(line_match.amount) AS amount,
    line_match.currency
FROM line_match
JOIN control_line AS invoice_line USING (invoice_id, invoice_line_id)
WHERE line_match.match_level = 'provider'
    AND invoice_line.model_raw <> ''
    AND line_match.period NOT IN (SELECT period FROM frozen_period)
GROUP BY ALL
HAVING sum(line_match.amount) <> 0
ORDER BY ALL;

-- name: invoice_checks
-- Every invoice of an open period beside the sum of its split, which must be the same.
SELECT
    reconciliation.period,
    reconciliation.provider,
    reconciliation.account,
    reconciliation.invoice_id,
    reconciliation.invoice_total AS total,
    reconciliation.currency,
    coalesce(sum(app_cost.anchored_cost), 0) AS split_sum,
    reconciliation.estimated_total_usd
FROM reconciliation
LEFT JOIN app_cost USING (period, provider, account, invoice_id)
WHERE reconciliation.invoice_id IS NOT NULL
    AND reconciliation.period NOT IN (SELECT period FROM frozen_period)
GROUP BY ALL
ORDER BY ALL;
