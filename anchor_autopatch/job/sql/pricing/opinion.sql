-- Statements that hold the cards in force against a second list of prices.

-- name: rates_in_force
-- The standard rates of every list model that hold at $now, by context bracket and hour; USD per unit. `looked_at` is the
-- next minute in which a row applies: a model with off-peak hours has two prices a day.
SELECT
    rate_segment.model_key,
    rate_segment.provider,
    CASE
        WHEN rate_sheet.off_peak_minutes IS NULL THEN CAST($now AS TIMESTAMP)
        ELSE (
            SELECT MIN(minute)
            FROM (
                SELECT UNNEST(RANGE(CAST($now AS TIMESTAMP), CAST($now AS TIMESTAMP) + INTERVAL 7 DAY, INTERVAL 1 MINUTE)) AS minute
            )
            WHERE is_off_peak(rate_sheet.off_peak_minutes, 'standard', minute) = rate.off_peak
        )
    END AS looked_at,
    rate.*
FROM rate_segment
JOIN rate_sheet USING (rate_sheet_id)
JOIN rate USING (rate_sheet_id)
WHERE rate_segment.source = 'list'
    AND rate_segment.superseded_at IS NULL
    AND rate_segment.valid_from <= $now
    AND rate_segment.valid_to > $now
    AND rate.tier = 'standard'
    AND rate.modifier = ''
ORDER BY
    rate_segment.model_key,
    rate.off_peak,
    rate.above_tokens;

-- name: create_opinion_prices
-- Rates of which the other list says something else, to be looked for in usage.
CREATE OR REPLACE TEMP TABLE opinion_price (
    difference_no BIGINT,
    model_key VARCHAR,
    rate_id UBIGINT,
    meter VARCHAR,
    above_tokens BIGINT,
    upto_tokens BIGINT,
    card_usd DECIMAL(20, 18)
);

-- name: collect_doubted
-- Prices of open months that were made with one of those rates. Not by a contract, even one that agrees with the list:
-- there is nothing to doubt in it.
CREATE OR REPLACE TEMP TABLE doubted_price AS
SELECT receipt_price.*
FROM receipt_price
JOIN settled_receipt AS receipt USING (receipt_id)
JOIN rate_card USING (rate_card_id)
SEMI JOIN opinion_price USING (model_key, rate_id)
WHERE receipt.billable
    AND rate_card.source <> 'contract'
    AND NOT in_frozen_month(receipt.receipt_id, receipt.occurred_at);

-- name: doubted_usage
-- What was used at each of those rates, in units. A search is asked at one of three sizes, so the price itself must agree.
SELECT
    opinion_price.difference_no,
    SUM(usage_entry.quantity) AS quantity
FROM usage_lines_of('doubted_price') AS usage_entry
JOIN doubted_price USING (receipt_id)
JOIN receipt_meters USING (receipt_id)
JOIN opinion_price
    ON opinion_price.model_key = doubted_price.model_key
    AND opinion_price.rate_id = doubted_price.rate_id
    AND opinion_price.meter = usage_entry.meter
    AND opinion_price.card_usd = usage_entry.unit_price_usd
    AND opinion_price.above_tokens < COALESCE(receipt_meters.prompt_tokens, 0)
    AND opinion_price.upto_tokens >= COALESCE(receipt_meters.prompt_tokens, 0)
GROUP BY opinion_price.difference_no
ORDER BY opinion_price.difference_no;
