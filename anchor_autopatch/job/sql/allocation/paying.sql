-- What each pool, cell and receipt is paid: commitments, untracked usage, taxes.

-- name: commitments
-- Lines that pay for capacity, with the tokens that they name as such and the tokens used of it.
WITH used AS (
    SELECT
        pool_cell.pool_no,
        SUM(cell.micro_quantity) // 1000000 AS tokens
    FROM pool_cell
    INNER JOIN cell USING (cell_no)
    WHERE cell.meter LIKE '%tokens'
        OR cell.meter = ''
    GROUP BY pool_cell.pool_no
)
SELECT
    line.invoice_line_id,
    scope.provider,
    line.model,
    line.amount_nano,
    line.token_quantity,
    COALESCE(used.tokens, 0) AS used_tokens
FROM resolved_line AS line
INNER JOIN scope USING (invoice_id)
LEFT JOIN used USING (pool_no)
WHERE line.charge_category = 'commitment'
ORDER BY line.invoice_line_id;

-- name: carve_idle
-- Takes the idle share out of commitments, given as two lists, before receipts divide the used one.
UPDATE resolved_line
SET idle_nano = carved.idle_nano
FROM (
    SELECT
        UNNEST($invoice_line_id::VARCHAR[]) AS invoice_line_id,
        UNNEST($idle_nano::HUGEINT[]) AS idle_nano
) AS carved
WHERE resolved_line.invoice_line_id = carved.invoice_line_id;

-- name: paid_pools
-- Pools that lines pay for, and the line that pays most of each.
CREATE OR REPLACE TEMP TABLE paid_pool AS
SELECT
    pool_no,
    invoice_id,
    match_level,
    weight,
    SUM(amount_nano - idle_nano) AS amount_nano,
    CAST(0 AS HUGEINT) AS untracked_nano,
    MIN_BY(invoice_line_id, (-ABS(amount_nano), invoice_line_id)) AS invoice_line_id
FROM resolved_line
WHERE pool_no IS NOT NULL
GROUP BY pool_no, invoice_id, match_level, weight;

-- name: untracked_pools
-- Pools of a model and a meter of which the provider counted more than the receipts explain, in 1e-6 units.
WITH tracked AS (
    SELECT
        pool.invoice_id,
        pool.model,
        pool.meter,
        SUM(cell.micro_quantity) AS micro_quantity
    FROM (
        SELECT DISTINCT
            invoice_id,
            model,
            meter
        FROM pool
        WHERE model <> ''
            AND meter <> ''
    ) AS pool
    INNER JOIN model_match
        ON model_match.invoice_id = pool.invoice_id
        AND model_match.line_model = pool.model
    INNER JOIN meter_match
        ON meter_match.line_meter = pool.meter
    INNER JOIN cell
        ON cell.invoice_id = pool.invoice_id
        AND cell.model = model_match.receipt_model
        AND cell.meter = meter_match.receipt_meter
    GROUP BY ALL
),
counted AS (
    SELECT
        scope.invoice_id,
        evidence.model_raw AS model,
        evidence.meter,
        CAST(SUM(evidence.quantity) * 1000000 AS HUGEINT) AS micro_quantity
    FROM usage_evidence AS evidence
    INNER JOIN scope USING (provider, account, period)
    GROUP BY ALL
)
SELECT
    paid_pool.pool_no,
    paid_pool.amount_nano,
    counted.micro_quantity - tracked.micro_quantity AS untracked_quantity,
    tracked.micro_quantity AS tracked_quantity
FROM paid_pool
INNER JOIN pool USING (pool_no)
INNER JOIN tracked
    ON tracked.invoice_id = pool.invoice_id
    AND tracked.model = pool.model
    AND tracked.meter = pool.meter
INNER JOIN counted
    ON counted.invoice_id = pool.invoice_id
    AND counted.model = pool.model
    AND counted.meter = pool.meter
WHERE counted.micro_quantity > tracked.micro_quantity
ORDER BY paid_pool.pool_no;

-- name: carve_untracked
-- Takes the untracked share out of pools, given as two lists, before receipts divide the rest.
UPDATE paid_pool
SET
    amount_nano = paid_pool.amount_nano - carved.untracked_nano,
    untracked_nano = carved.untracked_nano
FROM (
    SELECT
        UNNEST($pool_no::BIGINT[]) AS pool_no,
        UNNEST($untracked_nano::HUGEINT[]) AS untracked_nano
) AS carved
WHERE paid_pool.pool_no = carved.pool_no;

-- name: paid_cells
-- What each cell is paid by all its pools, in 1e-18 of the currency, cut off, and by which pool most of it.
-- Here and below the product is divided in two steps, to stay in 128 bits.
CREATE OR REPLACE TEMP TABLE paid_cell AS
WITH pool_part AS (
    SELECT
        cell.cell_no,
        paid_pool.invoice_id,
        paid_pool.pool_no,
        SIGN(paid_pool.amount_nano) * (
            (ABS(paid_pool.amount_nano) * pool_cell.weight // paid_pool.weight) * 1000000000
            + (ABS(paid_pool.amount_nano) * pool_cell.weight % paid_pool.weight)
                * 1000000000 // paid_pool.weight
        ) AS atto
    FROM paid_pool
    INNER JOIN pool_cell USING (pool_no)
    INNER JOIN cell USING (cell_no)
),
cell_part AS (
    SELECT
        cell_no,
        ANY_VALUE(invoice_id) AS invoice_id,
        ARG_MAX(pool_no, paid_rank(atto, pool_no)) AS pool_no,
        COUNT(*) AS part_count,
        SUM(atto) AS atto
    FROM pool_part
    GROUP BY cell_no
)
SELECT
    cell.cell_no,
    cell.group_no,
    cell.meter,
    cell_part.invoice_id,
    cell_part.pool_no,
    cell_part.part_count,
    cell.weight,
    SIGN(cell_part.atto) AS sign,
    ABS(cell_part.atto) // 1000000000 AS nano,
    ABS(cell_part.atto) % 1000000000 AS atto_below_nano
FROM cell_part
INNER JOIN cell USING (cell_no);

-- name: bucket_parts
-- What no receipt explains of each invoice before taxes: lines without receipts, and what was carved out.
SELECT
    invoice_id,
    bucket,
    SUM(amount_nano) AS amount_nano
FROM (
    SELECT
        invoice_id,
        CASE charge_category WHEN 'rounding' THEN '__rounding' ELSE '__unallocated' END AS bucket,
        amount_nano - idle_nano AS amount_nano
    FROM resolved_line
    WHERE pool_no IS NULL
        AND charge_category <> 'tax'
        AND past_period IS NULL
    UNION ALL
    SELECT
        invoice_id,
        '__idle' AS bucket,
        idle_nano AS amount_nano
    FROM resolved_line
    UNION ALL
    SELECT
        invoice_id,
        '__untracked' AS bucket,
        untracked_nano AS amount_nano
    FROM paid_pool
) AS part
WHERE amount_nano <> 0
GROUP BY invoice_id, bucket
ORDER BY invoice_id, bucket;

-- name: taxed_invoices
-- Invoices with taxes, and what their receipts came to without them; what came to less than nothing bears none.
SELECT
    line.invoice_id,
    SUM(line.amount_nano) AS tax_nano,
    COALESCE(ANY_VALUE(net.amount_nano), 0) AS net_nano
FROM resolved_line AS line
LEFT JOIN (
    SELECT
        invoice_id,
        SUM(GREATEST(sign * nano, 0)) AS amount_nano
    FROM paid_cell
    GROUP BY invoice_id
) AS net USING (invoice_id)
WHERE line.charge_category = 'tax'
GROUP BY line.invoice_id
ORDER BY line.invoice_id;

-- name: tax_pools
-- One pool for the taxes of each invoice, given as two lists; its receipts weigh what they came to.
INSERT INTO paid_pool (
    pool_no, invoice_id, match_level, weight, amount_nano, untracked_nano, invoice_line_id
)
WITH taxed AS (
    SELECT
        UNNEST($invoice_id::VARCHAR[]) AS invoice_id,
        UNNEST($amount_nano::HUGEINT[]) AS amount_nano
),
net AS (
    SELECT
        invoice_id,
        SUM(GREATEST(sign * nano, 0)) AS amount_nano
    FROM paid_cell
    GROUP BY invoice_id
),
scaled AS (
    SELECT
        taxed.invoice_id,
        taxed.amount_nano,
        net.amount_nano // (100000000000000000000000000000000000000 // ABS(taxed.amount_nano)) + 1 AS divisor
    FROM taxed
    INNER JOIN net USING (invoice_id)
)
SELECT
    (SELECT MAX(pool_no) FROM pool) + ROW_NUMBER() OVER (ORDER BY scaled.invoice_id) AS pool_no,
    scaled.invoice_id,
    'net' AS match_level,
    SUM(GREATEST(cell.sign * cell.nano, 0) // scaled.divisor) AS weight,
    scaled.amount_nano,
    0 AS untracked_nano,
    (
        SELECT MIN_BY(line.invoice_line_id, (-ABS(line.amount_nano), line.invoice_line_id))
        FROM resolved_line AS line
        WHERE line.invoice_id = scaled.invoice_id
            AND line.charge_category = 'tax'
    ) AS invoice_line_id
FROM scaled
INNER JOIN paid_cell AS cell USING (invoice_id)
GROUP BY scaled.invoice_id, scaled.amount_nano;

-- name: tax_pool_cells
-- What each cell weighs in the pool of its invoice's taxes.
INSERT INTO pool_cell (pool_no, cell_no, weight)
SELECT
    tax.pool_no,
    paid_cell.cell_no,
    GREATEST(paid_cell.sign * paid_cell.nano, 0)
        // (net.amount_nano // (100000000000000000000000000000000000000 // ABS(tax.amount_nano)) + 1) AS weight
FROM paid_pool AS tax
INNER JOIN paid_cell USING (invoice_id)
INNER JOIN (
    SELECT
        invoice_id,
        SUM(GREATEST(sign * nano, 0)) AS amount_nano
    FROM paid_cell
    GROUP BY invoice_id
) AS net USING (invoice_id)
WHERE tax.match_level = 'net'
    AND paid_cell.sign * paid_cell.nano > 0;

-- name: taxed_lines
-- Says of the lines of taxes that they were divided by what everything came to.
UPDATE resolved_line
SET match_level = 'net'
WHERE charge_category = 'tax'
    AND invoice_id IN (
        SELECT invoice_id
        FROM paid_pool
        WHERE match_level = 'net'
    );

-- name: usage_shares
-- What each usage carries, in 1e-18 of the currency, cut off.
CREATE OR REPLACE TEMP TABLE usage_share AS
SELECT
    usage.receipt_no,
    usage.plain_no,
    usage.meter,
    usage.micro_quantity,
    cell.pool_no,
    cell.sign * (
        (cell.nano * usage.weight // cell.weight) * 1000000000
        + ((cell.nano * usage.weight % cell.weight) * 1000000000
            + cell.atto_below_nano * usage.weight) // cell.weight
    ) AS atto
FROM weighed_usage AS usage
INNER JOIN paid_cell AS cell USING (group_no, meter)
WHERE usage.weight > 0;

-- name: plain_factors
-- What a unit of each meter carries in each group of plain receipts: whole + fine / 2^34 of 1e-18.
CREATE OR REPLACE TEMP TABLE plain_factor AS
WITH unit_share AS (
    SELECT
        plain_no,
        meter,
        {
            'pool_no': pool_no,
            'sign': SIGN(atto),
            'whole': ABS(atto) // quantity,
            'fine': CAST(((ABS(atto) % quantity) << 34) // quantity AS BIGINT)
        } AS factor
    FROM (
        SELECT
            plain_no,
            meter,
            pool_no,
            atto,
            micro_quantity // 1000000 AS quantity
        FROM usage_share
        WHERE plain_no IS NOT NULL
    ) AS plain_share
)
SELECT
    plain_group.scope_no,
    plain_group.day,
    plain_group.key_no,
    plain_group.model_no,
    plain_group.tier_no,
    plain_group.rate_no,
    ANY_VALUE(factor) FILTER (meter = 'input_tokens') AS input,
    ANY_VALUE(factor) FILTER (meter = 'cache_read_tokens') AS cache_read,
    ANY_VALUE(factor) FILTER (meter = 'cache_write_5m_tokens') AS cache_write_5m,
    ANY_VALUE(factor) FILTER (meter = 'cache_write_1h_tokens') AS cache_write_1h,
    ANY_VALUE(factor) FILTER (meter = 'output_tokens') AS output,
    ANY_VALUE(factor) FILTER (meter = 'output_reasoning_tokens') AS reasoning
FROM unit_share
INNER JOIN plain_group USING (plain_no)
GROUP BY ALL;

-- name: receipt_shares
-- What each open receipt carries, in 1e-18 of the currency; pool_no NULL = no line pays for it.
CREATE OR REPLACE TEMP TABLE receipt_share AS
WITH unfolded_share AS (
    SELECT
        receipt_no,
        ARG_MAX(pool_no, paid_rank(atto, pool_no)) AS pool_no,
        SUM(atto) AS atto
    FROM usage_share
    WHERE receipt_no IS NOT NULL
    GROUP BY receipt_no
),
meter_share AS (
    SELECT
        receipt.receipt_no,
        receipt.scope_no,
        receipt.estimated_cost_usd,
        factor.input.pool_no AS input_pool_no,
        CASE WHEN receipt.input_tokens > 0 THEN quantity_share(receipt.input_tokens, factor.input) END AS input,
        factor.cache_read.pool_no AS cache_read_pool_no,
        CASE WHEN receipt.cache_read_tokens > 0 THEN quantity_share(receipt.cache_read_tokens, factor.cache_read) END AS cache_read,
        factor.cache_write_5m.pool_no AS cache_write_5m_pool_no,
        CASE WHEN receipt.cache_write_5m_tokens > 0 THEN quantity_share(receipt.cache_write_5m_tokens, factor.cache_write_5m) END AS cache_write_5m,
        factor.cache_write_1h.pool_no AS cache_write_1h_pool_no,
        CASE WHEN receipt.cache_write_1h_tokens > 0 THEN quantity_share(receipt.cache_write_1h_tokens, factor.cache_write_1h) END AS cache_write_1h,
        factor.output.pool_no AS output_pool_no,
        CASE WHEN receipt.output_tokens > 0 THEN quantity_share(receipt.output_tokens, factor.output) END AS output,
        factor.reasoning.pool_no AS reasoning_pool_no,
        CASE WHEN receipt.output_reasoning_tokens > 0 THEN quantity_share(receipt.output_reasoning_tokens, factor.reasoning) END AS reasoning
    FROM open_receipt AS receipt
    LEFT JOIN plain_factor AS factor USING (scope_no, day, key_no, model_no, tier_no, rate_no)
),
ranked_share AS (
    SELECT
        receipt_no,
        scope_no,
        estimated_cost_usd,
        input_pool_no,
        paid_rank(input, input_pool_no) AS input_rank,
        cache_read_pool_no,
        paid_rank(cache_read, cache_read_pool_no) AS cache_read_rank,
        cache_write_5m_pool_no,
        paid_rank(cache_write_5m, cache_write_5m_pool_no) AS cache_write_5m_rank,
        cache_write_1h_pool_no,
        paid_rank(cache_write_1h, cache_write_1h_pool_no) AS cache_write_1h_rank,
        output_pool_no,
        paid_rank(output, output_pool_no) AS output_rank,
        reasoning_pool_no,
        paid_rank(reasoning, reasoning_pool_no) AS reasoning_rank,
        GREATEST(input_rank, cache_read_rank, cache_write_5m_rank, cache_write_1h_rank, output_rank, reasoning_rank) AS best_rank,
        COALESCE(input, 0)
        + COALESCE(cache_read, 0)
        + COALESCE(cache_write_5m, 0)
        + COALESCE(cache_write_1h, 0)
        + COALESCE(output, 0)
        + COALESCE(reasoning, 0) AS atto
    FROM meter_share
)
SELECT
    ranked.receipt_no,
    ranked.scope_no,
    ranked.estimated_cost_usd,
    COALESCE(
        unfolded.pool_no,
        CASE ranked.best_rank
            WHEN ranked.input_rank THEN ranked.input_pool_no
            WHEN ranked.cache_read_rank THEN ranked.cache_read_pool_no
            WHEN ranked.cache_write_5m_rank THEN ranked.cache_write_5m_pool_no
            WHEN ranked.cache_write_1h_rank THEN ranked.cache_write_1h_pool_no
            WHEN ranked.output_rank THEN ranked.output_pool_no
            WHEN ranked.reasoning_rank THEN ranked.reasoning_pool_no
        END
    ) AS pool_no,
    COALESCE(unfolded.atto, ranked.atto) AS atto
FROM ranked_share AS ranked
LEFT JOIN unfolded_share AS unfolded USING (receipt_no);

-- name: drop_open_receipts
-- The largest table of a run, whose room the parts need.
DROP TABLE open_receipt;

-- name: loose_shares
-- Invoices whose receipts do not carry what their pools are paid, but for less than 1e-18 a division; must be none.
WITH paid AS (
    SELECT
        invoice_id,
        SUM(amount_nano) * 1000000000 AS atto
    FROM paid_pool
    GROUP BY invoice_id
),
divided AS (
    SELECT
        invoice_id,
        SUM(part_count) AS part_count
    FROM paid_cell
    GROUP BY invoice_id
),
unfolded AS (
    SELECT
        receipt_group.invoice_id,
        COUNT(*) AS usage_count
    FROM weighed_usage
    INNER JOIN receipt_group USING (group_no)
    GROUP BY receipt_group.invoice_id
),
carried AS (
    SELECT
        scope.invoice_id,
        SUM(share.atto) AS atto,
        -- A plain receipt has six meters at most.
        COUNT(*) * 6 AS share_count
    FROM receipt_share AS share
    INNER JOIN scope USING (scope_no)
    GROUP BY scope.invoice_id
)
SELECT
    paid.invoice_id,
    paid.atto AS expected_atto,
    COALESCE(carried.atto, 0) AS found_atto
FROM paid
LEFT JOIN divided USING (invoice_id)
LEFT JOIN unfolded USING (invoice_id)
LEFT JOIN carried USING (invoice_id)
WHERE ABS(paid.atto - COALESCE(carried.atto, 0))
    > COALESCE(divided.part_count, 0) + COALESCE(unfolded.usage_count, 0) + COALESCE(carried.share_count, 0)
ORDER BY paid.invoice_id;
