-- Statements that price receipts: set-based, one pass, DECIMAL throughout.

-- name: knowledge
-- Digest of the current segments; order-independent.
SELECT
    COUNT(*) AS segment_count,
    BIT_XOR(HASH(source, model_key, provider, valid_from, valid_to, rate_sheet_id, rate_card_id)) AS digest
FROM rate_segment
WHERE superseded_at IS NULL;

-- name: last_run
-- Knowledge of the latest run, and when the oldest receipt was shipped that it may not have seen: by the number of the
-- shipment, since a side-car may take the time long before it gets hold of the warehouse. Shipments are never removed.
SELECT
    knowledge,
    LEAST(
        priced_at - TO_MICROSECONDS($look_back_us),
        (
            SELECT MIN(shipment.shipped_at)
            FROM shipment
            WHERE shipment.rowid >= COALESCE(pricing_run.shipment_count, 0)
        )
    ) AS unseen_since,
    priced_at
FROM pricing_run
ORDER BY priced_at DESC
LIMIT 1;

-- name: collect_new
-- Billable receipts that have meters and no price, among those shipped or settled anew at $since or later: whatever is
-- older was looked at by a run before. The part of the history that is read does not grow with it.
CREATE OR REPLACE TEMP TABLE price_work AS
SELECT receipt_no
FROM (
    SELECT
        receipt_no,
        receipt_id
    FROM settled_receipt
    WHERE billable
        AND shipped_at >= $since
    UNION
    SELECT
        settled_receipt.receipt_no,
        receipt_id
    FROM settlement
    JOIN settled_receipt USING (receipt_id)
    WHERE settlement.settled_at >= $since
        AND settled_receipt.billable
) AS candidate
SEMI JOIN receipt_meters USING (receipt_id)
ANTI JOIN receipt_price USING (receipt_id)
ORDER BY receipt_no;

-- name: collect_open
-- All billable receipts that have meters, of periods from $open_from on that are not frozen, and those without a price.
CREATE OR REPLACE TEMP TABLE price_work AS
SELECT receipt.receipt_no
FROM settled_receipt AS receipt
SEMI JOIN receipt_meters USING (receipt_id)
LEFT JOIN receipt_price USING (receipt_id)
WHERE receipt.billable
    AND (
        receipt_price.receipt_id IS NULL
        OR (
            receipt.occurred_at >= $open_from
            AND NOT in_frozen_month(receipt.receipt_id, receipt.occurred_at)
        )
    )
ORDER BY receipt.receipt_no;

-- name: collect_since
-- Billable receipts with a price that began at $since or later, of frozen periods, too.
CREATE OR REPLACE TEMP TABLE price_work AS
SELECT receipt.receipt_no
FROM settled_receipt AS receipt
SEMI JOIN receipt_price USING (receipt_id)
WHERE receipt.billable
    AND receipt.occurred_at >= $since
ORDER BY receipt.receipt_no;

-- name: collect_frozen
-- Receipts of frozen periods that rates learnt or corrected after $since may concern: those of their models at their time,
-- and those that had no price. Nothing of them is changed; what would change becomes a proposal.
CREATE OR REPLACE TEMP TABLE price_work AS
WITH changed_segment AS (
    SELECT
        source,
        model_key,
        valid_from,
        valid_to
    FROM rate_segment
    WHERE recorded_at > $since
        OR superseded_at > $since
),
frozen AS (
    SELECT
        receipt.receipt_no,
        receipt.occurred_at,
        LOWER(receipt.request_model) AS request_model,
        LOWER(receipt.response_model) AS response_model,
        receipt_price.model_key,
        receipt_price.price_status
    FROM settled_receipt AS receipt
    JOIN receipt_price USING (receipt_id)
    WHERE receipt.billable
        AND in_frozen_month(receipt.receipt_id, receipt.occurred_at)
)
SELECT receipt_no
FROM frozen
WHERE price_status = 'unpriced'
UNION
SELECT receipt_no
FROM frozen
JOIN changed_segment USING (model_key)
WHERE occurred_at >= valid_from
    AND occurred_at < valid_to
UNION
-- A contract may cover names that the list priced until now; too many are looked at rather than too few.
SELECT receipt_no
FROM frozen
JOIN changed_segment
    ON changed_segment.source = 'contract'
    AND occurred_at >= valid_from
    AND occurred_at < valid_to
    AND (
        ENDS_WITH(request_model, changed_segment.model_key)
        OR ENDS_WITH(response_model, changed_segment.model_key)
        OR ENDS_WITH(changed_segment.model_key, request_model)
        OR ENDS_WITH(changed_segment.model_key, response_model)
    )
ORDER BY receipt_no;

-- name: forget_proposals
-- Drops the proposals of the receipts that are looked at anew.
DELETE FROM price_proposal
WHERE receipt_id IN (SELECT receipt_id FROM receipt SEMI JOIN price_work ON price_work.receipt_no = receipt.rowid);

-- name: insert_proposals
-- What receipts of frozen periods would cost by what is known now, where it differs.
INSERT INTO price_proposal (
    receipt_id, period, provider, model_key, rate_card_id, price_status, frozen_cost_usd, proposed_cost_usd, noticed_at,
    rate_id, unpriced_meters
)
SELECT
    receipt_id,
    billed_month(edge_receipt.period, receipt.occurred_at),
    receipt.provider,
    fresh_price.model_key,
    fresh_price.rate_card_id,
    fresh_price.price_status,
    receipt_price.estimated_cost_usd,
    fresh_price.estimated_cost_usd,
    $now,
    fresh_price.rate_id,
    fresh_price.unpriced_meters
FROM fresh_price
JOIN receipt_price USING (receipt_id)
JOIN settled_receipt AS receipt USING (receipt_id)
LEFT JOIN edge_receipt USING (receipt_id)
WHERE fresh_price.estimated_cost_usd IS DISTINCT FROM receipt_price.estimated_cost_usd;

-- name: count_proposals
-- Receipts of frozen periods with a proposal.
SELECT COUNT(*) FROM price_proposal;

-- name: list_proposals
-- Frozen periods whose receipts would cost another amount by what is known now; USD.
SELECT
    period,
    provider,
    model_key,
    COUNT(*) AS receipt_count,
    COALESCE(SUM(frozen_cost_usd), 0) AS frozen_usd,
    COALESCE(SUM(proposed_cost_usd), 0) AS proposed_usd,
    MAX(noticed_at) AS noticed_at
FROM price_proposal
GROUP BY ALL
ORDER BY period, ABS(proposed_usd - frozen_usd) DESC, provider, model_key;

-- name: repriced_periods
-- Frozen periods with receipts that would now cost another amount, and how many.
SELECT
    price_proposal.period,
    COUNT(*) AS receipt_count
FROM price_proposal
JOIN period_state USING (period)
WHERE period_state.state = 'frozen'
GROUP BY price_proposal.period
ORDER BY price_proposal.period;

-- name: assume_proposals
-- Puts what is known now in place of the frozen prices of $period; the caller takes it back. Proposals of older versions
-- do not know their unit prices, by which lines are weighed: they wait for the next change of those rates.
UPDATE receipt_price
SET
    model_key = price_proposal.model_key,
    price_status = price_proposal.price_status,
    unpriced_meters = price_proposal.unpriced_meters,
    rate_card_id = price_proposal.rate_card_id,
    rate_id = price_proposal.rate_id,
    estimated_cost_usd = price_proposal.proposed_cost_usd
FROM price_proposal
WHERE receipt_price.receipt_id = price_proposal.receipt_id
    AND price_proposal.period = $period
    AND (price_proposal.rate_id IS NOT NULL OR price_proposal.proposed_cost_usd IS NULL);

-- name: corrected_periods
-- Periods of which the close has proposed a correction since their prices were last found to differ.
SELECT period
FROM price_proposal
JOIN (
    SELECT
        period_correction.period,
        MAX(correction_state.proposed_at) AS proposed_at
    FROM period_correction
    JOIN correction_state USING (correction_id)
    WHERE period_correction.kind IN ('late_receipts', 'new_rates')
        AND correction_state.state <> 'withdrawn'
    GROUP BY period_correction.period
) AS proposed USING (period)
GROUP BY period
HAVING MAX(proposed.proposed_at) >= MAX(price_proposal.noticed_at);

-- name: count_work
-- How many receipts are looked at.
SELECT COUNT(*) FROM price_work;

-- name: collect_changed
-- The fresh prices that are new or differ from the price on record.
CREATE OR REPLACE TEMP TABLE changed_price AS
SELECT fresh_price.*
FROM fresh_price
LEFT JOIN receipt_price USING (receipt_id)
WHERE receipt_price.receipt_id IS NULL
    OR receipt_price.model_key IS DISTINCT FROM fresh_price.model_key
    OR receipt_price.resolution_rule <> fresh_price.resolution_rule
    OR receipt_price.price_status <> fresh_price.price_status
    OR receipt_price.unpriced_reason IS DISTINCT FROM fresh_price.unpriced_reason
    OR receipt_price.unpriced_meters IS DISTINCT FROM fresh_price.unpriced_meters
    OR receipt_price.rate_card_id IS DISTINCT FROM fresh_price.rate_card_id
    OR receipt_price.rate_id IS DISTINCT FROM fresh_price.rate_id
    OR receipt_price.estimated_cost_usd IS DISTINCT FROM fresh_price.estimated_cost_usd;

-- name: forget_changed
-- Removes the prices that are about to be replaced.
DELETE FROM receipt_price
WHERE receipt_id IN (SELECT receipt_id FROM changed_price);

-- name: insert_changed
-- Records the prices that are new or different.
INSERT INTO receipt_price (
    receipt_id, model_key, resolution_rule, price_status, unpriced_reason, unpriced_meters, rate_card_id,
    rate_id, estimated_cost_usd, priced_at
)
SELECT
    receipt_id,
    model_key,
    resolution_rule,
    price_status,
    unpriced_reason,
    unpriced_meters,
    rate_card_id,
    rate_id,
    estimated_cost_usd,
    $now
FROM changed_price;

-- name: collect_checked
-- One in $every of the prices written now, chosen by hash: their sums are checked.
CREATE OR REPLACE TEMP TABLE checked_price AS
SELECT *
FROM changed_price
WHERE HASH(receipt_id) % $every = 0;

-- name: count_broken_sums
-- How many of the checked prices differ from the sum of their usage lines; must be 0.
SELECT COUNT(*)
FROM checked_price
LEFT JOIN (
    SELECT
        receipt_id,
        SUM(cost_usd) AS cost_usd
    FROM usage_lines_of('checked_price')
    GROUP BY receipt_id
) AS line_sum USING (receipt_id)
WHERE checked_price.estimated_cost_usd <> COALESCE(line_sum.cost_usd, 0);

-- name: count_statuses
-- Receipts of the work by price status.
SELECT
    CAST(price_status AS VARCHAR) AS status_name,
    COUNT(*) AS receipt_count
FROM fresh_cost
GROUP BY status_name
ORDER BY status_name;

-- name: count_changed
-- How many prices were written.
SELECT COUNT(*) FROM changed_price;

-- name: record_run
-- One row per run that looked at receipts or at new knowledge.
INSERT INTO pricing_run (priced_at, knowledge, receipt_count, changed_count, shipment_count)
VALUES ($now, $knowledge, $receipt_count, $changed_count, (SELECT COUNT(*) FROM shipment));

-- name: drop_work
-- Ends the run.
DROP VIEW IF EXISTS fresh_price;
DROP TABLE IF EXISTS price_work;
DROP TABLE IF EXISTS special_name;
DROP TABLE IF EXISTS asked_name;
DROP TABLE IF EXISTS work_name;
DROP TABLE IF EXISTS price_span;
DROP TABLE IF EXISTS price_piece;
DROP TABLE IF EXISTS usual_rate;
DROP TABLE IF EXISTS usual_price;
DROP TABLE IF EXISTS stretch_work;
DROP TABLE IF EXISTS rest_work;
DROP TABLE IF EXISTS rest_receipt;
DROP TABLE IF EXISTS fresh_cost;
DROP TYPE IF EXISTS fresh_status;
DROP TABLE IF EXISTS changed_price;
DROP TABLE IF EXISTS checked_price;
DROP TABLE IF EXISTS agreed_segment;
