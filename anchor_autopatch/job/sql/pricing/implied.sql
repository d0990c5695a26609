-- Statements that hold the unit prices of invoices against the rate cards of their days.

-- name: collect_invoiced
-- Usage of open invoices in USD that says how much of what it charges for. Before discounts, where the source tells: a
-- discount is no other price. Not what the variances of the run name already.
CREATE OR REPLACE TEMP TABLE invoiced_unit AS
SELECT
    line.provider,
    line.period,
    line.invoice_id,
    line.model_raw AS model,
    line.meter,
    COALESCE(line.tier, '') AS tier,
    line.period_start,
    line.period_end,
    SUM(line.quantity) AS quantity,
    SUM(COALESCE(line.list_amount, line.amount)) AS amount
FROM control_line AS line
WHERE line.charge_category = 'usage'
    AND line.currency = 'USD'
    AND line.quantity > 0
    AND line.model_raw IS NOT NULL
    AND line.meter IS NOT NULL
    AND line.period NOT IN (SELECT period FROM frozen_period)
    AND NOT EXISTS (
        SELECT 1
        FROM variance_line
        WHERE variance_line.invoice_id = line.invoice_id
            AND variance_line.category = 'price_drift'
            AND variance_line.flagged
            AND variance_line.meter = line.meter
            AND variance_line.model = line.model_raw
    )
GROUP BY ALL
HAVING SUM(line.amount) > 0;

-- name: ask_names
-- The models of those lines, to be resolved as those of receipts are.
CREATE OR REPLACE TEMP TABLE asked_name AS
SELECT DISTINCT
    provider,
    model AS request_model,
    '' AS response_model,
    '' AS image_variant
FROM invoiced_unit;

-- name: invoiced_rates
-- Each of those lines with every rate that held for its model in its days, contracts first.
SELECT
    unit.provider,
    unit.period,
    unit.invoice_id,
    unit.model,
    unit.meter,
    unit.tier,
    unit.period_start,
    unit.quantity,
    unit.amount,
    price_span.is_contract,
    rate.tier AS card_tier,
    rate.* EXCLUDE (tier)
FROM invoiced_unit AS unit
JOIN work_name
    ON work_name.provider = unit.provider
    AND work_name.request_model = unit.model
JOIN price_span USING (name_no)
JOIN rate USING (rate_sheet_id)
WHERE price_span.valid_from < unit.period_end
    AND price_span.valid_to > unit.period_start
ORDER BY
    unit.provider,
    unit.period,
    unit.invoice_id,
    unit.model,
    unit.meter,
    unit.tier,
    unit.period_start,
    rate.rate_id;

-- name: drop_invoiced
-- Ends the check.
DROP TABLE invoiced_unit;
