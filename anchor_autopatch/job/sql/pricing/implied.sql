-- Statements that hold the unit prices of invoices against the rate cards of their days.

-- name: collect_invoiced
-- Usage of open invoices in USD that says how much of what it charges for. Before discounts, where the source tells: a
-- discount is no other price. `is_told` = a variance of the run names the price already.
CREATE OR REPLACE TEMP TABLE invoiced_unit AS
SELECT
    line.provider,
    line.account,
    line.period,
    line.invoice_id,
    line.model_raw AS model,
    line.meter,
    COALESCE(line.tier, '') AS tier,
    line.period_start,
    line.period_end,
    SUM(line.quantity) AS quantity,
    SUM(COALESCE(line.list_amount, line.amount)) AS amount,
    EXISTS (
        SELECT 1
        FROM variance_line
        WHERE variance_line.invoice_id = line.invoice_id
            AND variance_line.category = 'price_drift'
            AND variance_line.flagged
            AND variance_line.meter = line.meter
            AND variance_line.model = line.model_raw
    ) AS is_told
FROM control_line AS line
WHERE line.charge_category = 'usage'
    AND line.currency = 'USD'
    AND line.quantity > 0
    AND line.model_raw IS NOT NULL
    AND line.meter IS NOT NULL
    AND line.period NOT IN (SELECT period FROM frozen_period)
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
-- Each of those lines with every rate that held for its model in its days; without any, one row of NULL.
SELECT
    unit.provider,
    unit.account,
    unit.period,
    unit.invoice_id,
    unit.model,
    unit.meter,
    unit.tier,
    unit.period_start,
    unit.period_end,
    unit.quantity,
    unit.amount,
    unit.is_told,
    price_span.is_contract,
    rate.tier AS card_tier,
    rate.* EXCLUDE (tier)
FROM invoiced_unit AS unit
LEFT JOIN work_name
    ON work_name.provider = unit.provider
    AND work_name.request_model = unit.model
LEFT JOIN price_span
    ON price_span.name_no = work_name.name_no
    AND price_span.valid_from < unit.period_end
    AND price_span.valid_to > unit.period_start
LEFT JOIN rate ON rate.rate_sheet_id = price_span.rate_sheet_id
ORDER BY
    unit.provider,
    unit.account,
    unit.period,
    unit.invoice_id,
    unit.model,
    unit.meter,
    unit.tier,
    unit.period_start,
    unit.period_end,
    rate.rate_id;

-- name: forget_implied
-- Makes room for what the bills of open periods imply now; those of frozen ones stay as they were.
DELETE FROM implied_unit_price
WHERE period NOT IN (SELECT period FROM frozen_period);

-- name: drop_invoiced
-- Ends the check.
DROP TABLE invoiced_unit;
