-- What the receipts of open months weigh: which month each belongs to, what it counted, what that cost.

-- name: keep_frozen
-- Periods that this run leaves alone: those that are frozen.
CREATE OR REPLACE TEMP TABLE kept_period AS
SELECT period
FROM frozen_period;

-- name: keep_others
-- Periods that this run leaves alone: all but one, which is divided to see what it would be now.
CREATE OR REPLACE TEMP TABLE kept_period AS
SELECT period
FROM (
    SELECT STRFTIME(occurred_at, '%Y-%m') AS period
    FROM settled_receipt
    UNION
    SELECT period
    FROM invoice
) AS every_period
WHERE period <> $period;

-- name: kept_periods
-- Periods that this run leaves alone.
SELECT period
FROM kept_period;

-- name: money_macro
-- Whole units of 1e-18 as an exact decimal. Not by // and %: they take 30 times as long in 128 bits.
CREATE OR REPLACE TEMP MACRO atto_decimal(atto) AS
    CAST(atto AS DECIMAL(38, 0)) * 0.000000000000000001;

-- name: quantity_share_macro
-- What a quantity below 2^32 carries at a unit share of whole + fine / 2^34: exact where the true share is whole, else to
-- the nearest unit. A product and a shift; the quotient that it stands for would take 20 times as long in 128 bits.
CREATE OR REPLACE TEMP MACRO quantity_share(quantity, factor) AS
    factor.sign * (quantity * factor.whole + ((CAST(quantity AS HUGEINT) * factor.fine + 8589934592) >> 34));

-- name: paid_rank_macro
-- Which of several pools paid most: parts are compared in 2^30 x 1e-18; of equal ones the pool that comes first decides.
CREATE OR REPLACE TEMP MACRO paid_rank(atto, pool_no) AS
    ((ABS(atto) >> 30) << 30) - pool_no;

-- name: converted_macro
-- USD in the currency of an invoice, to 1e-9: integers, since a quotient of decimals would be a binary fraction.
CREATE OR REPLACE TEMP MACRO from_usd(usd, rate_pico) AS
    CAST(
        CAST(CAST(usd AS DECIMAL(38, 9)) * 1000000000 AS HUGEINT) * 1000000000000 // rate_pico AS DECIMAL(38, 0)
    ) * 0.000000001;

-- name: femto_macro
-- A cost in USD as a whole number of 1e-15 USD; exact but for rates with more than 15 decimals.
CREATE OR REPLACE TEMP MACRO femto_usd(cost_usd) AS
    CAST(CAST(cost_usd AS DECIMAL(38, 15)) * 1000000000000000 AS HUGEINT);

-- name: local_macro
-- A UTC instant as the calendar of a source shows it.
CREATE OR REPLACE TEMP MACRO local_time(instant, zone) AS
    CASE WHEN zone = 'UTC' THEN instant ELSE TIMEZONE(zone, TIMEZONE('UTC', instant)) END;

-- name: every_scope
-- Control totals of all periods, with the source whose calendar their lines keep.
SELECT
    control.provider,
    control.account,
    control.period,
    control.invoice_id,
    breakdown.source,
    control.period IN (
        SELECT period
        FROM kept_period
    ) AS is_kept
FROM control_total AS control
INNER JOIN invoice AS breakdown ON breakdown.invoice_id = control.breakdown_invoice_id
    AND breakdown.superseded_at IS NULL
ORDER BY ALL;

-- name: payers
-- Accounts that receipts came from, with the first and the last instant of each.
SELECT
    provider,
    provider_account,
    MIN(occurred_at) AS first_at,
    MAX(occurred_at) AS last_at
FROM receipt
GROUP BY provider, provider_account
ORDER BY provider, provider_account;

-- name: billing_months
-- Which receipts of an account belong to which month, [from_at, to_at) in UTC, as its source counts months; from lists.
CREATE OR REPLACE TEMP TABLE billing_month AS
SELECT
    UNNEST($scope_no::INTEGER[]) AS scope_no,
    UNNEST($provider::VARCHAR[]) AS provider,
    UNNEST($account::VARCHAR[]) AS account,
    UNNEST($zone::VARCHAR[]) AS zone,
    UNNEST($from_at::TIMESTAMP[]) AS from_at,
    UNNEST($to_at::TIMESTAMP[]) AS to_at;

-- name: scope_keys
-- What is divided under one number: an invoice, or a month of an account that no invoice pays for yet; from lists.
CREATE OR REPLACE TEMP TABLE scope_key AS
SELECT
    UNNEST($scope_no::INTEGER[]) AS scope_no,
    UNNEST($period::VARCHAR[]) AS period,
    UNNEST($provider::VARCHAR[]) AS provider,
    UNNEST($account::VARCHAR[]) AS account,
    UNNEST($invoice_id::VARCHAR[]) AS invoice_id,
    UNNEST($zone::VARCHAR[]) AS zone;

-- name: open_scopes
-- Control totals that may still be allocated.
CREATE OR REPLACE TEMP TABLE scope AS
SELECT
    scope_key.scope_no,
    scope_key.zone,
    control.provider,
    control.account,
    control.period,
    CAST(control.period || '-01' AS DATE) AS month,
    control.invoice_id,
    control.currency,
    control.minor_units,
    control.total,
    -- Of the last day of the month; NULL = nobody booked one.
    rate.usd_per_unit,
    CAST(rate.usd_per_unit * 1000000000000 AS HUGEINT) AS rate_pico
FROM control_total AS control
INNER JOIN scope_key USING (invoice_id)
LEFT JOIN exchange_rate_in_force AS rate
    ON rate.currency = control.currency
    AND rate.effective_from <= LAST_DAY(CAST(control.period || '-01' AS DATE))
    AND (rate.effective_to IS NULL OR rate.effective_to > LAST_DAY(CAST(control.period || '-01' AS DATE)));

-- name: key_codes
-- API keys by number: ten million receipts hold numbers better than texts.
CREATE OR REPLACE TEMP TABLE key_code AS
SELECT
    ROW_NUMBER() OVER (ORDER BY api_key)::INTEGER AS key_no,
    api_key
FROM (
    SELECT DISTINCT COALESCE(api_key_id, '') AS api_key
    FROM receipt
);

-- name: model_codes
-- Models by number, as served, else as asked for.
CREATE OR REPLACE TEMP TABLE model_code AS
SELECT
    ROW_NUMBER() OVER (ORDER BY model)::INTEGER AS model_no,
    model
FROM (
    SELECT DISTINCT COALESCE(response_model, request_model, '') AS model
    FROM settled_receipt
);

-- name: tier_codes
-- Service tiers by number; what was not measured counts as standard.
CREATE OR REPLACE TEMP TABLE tier_code AS
SELECT
    ROW_NUMBER() OVER (ORDER BY tier)::INTEGER AS tier_no,
    tier
FROM (
    SELECT DISTINCT tier
    FROM receipt_meters
    UNION
    SELECT 'standard' AS tier
);

-- name: rate_codes
-- Rates by number; 0 = a price without a rate.
CREATE OR REPLACE TEMP TABLE rate_code AS
SELECT
    ROW_NUMBER() OVER (ORDER BY rate_id)::INTEGER AS rate_no,
    rate_id
FROM rate;

-- name: open_receipts
-- Billable receipts of the months that are divided: what a line can name, by number, and plain tokens as they are.
-- rate_no NULL = more than plain tokens, or no price: its usage is unfolded one by one. In one pass, since joining
-- receipts, meters and prices is what costs most of a run.
CREATE OR REPLACE TEMP TABLE open_receipt AS
WITH counted AS (
    SELECT
        receipt_id,
        tier,
        TRY_CAST(GREATEST(input_tokens, 0) AS UINTEGER) AS input_tokens,
        TRY_CAST(GREATEST(cache_read_tokens, 0) AS UINTEGER) AS cache_read_tokens,
        TRY_CAST(GREATEST(cache_write_5m_tokens, 0) AS UINTEGER) AS cache_write_5m_tokens,
        TRY_CAST(GREATEST(cache_write_1h_tokens, 0) AS UINTEGER) AS cache_write_1h_tokens,
        TRY_CAST(GREATEST(output_tokens, 0) AS UINTEGER) AS output_tokens,
        TRY_CAST(GREATEST(output_reasoning_tokens, 0) AS UINTEGER) AS output_reasoning_tokens,
        COALESCE(CARDINALITY(rare_meters), 0) = 0
            AND COALESCE(
                GREATEST(
                    input_audio_tokens,
                    input_image_tokens,
                    input_video_tokens,
                    input_tool_tokens,
                    cache_read_audio_tokens,
                    cache_write_30m_tokens,
                    cache_write_12h_tokens,
                    cache_write_tokens,
                    output_audio_tokens,
                    output_image_tokens,
                    output_video_tokens,
                    images,
                    pixels,
                    input_images,
                    audio_in_ms,
                    audio_out_ms,
                    video_ms,
                    characters,
                    pages,
                    searches,
                    map_queries,
                    file_searches,
                    queries,
                    sessions
                ),
                0
            ) <= 0 AS has_tokens_only
    FROM receipt_meters
),
measured AS (
    SELECT
        receipt_id,
        tier,
        input_tokens,
        cache_read_tokens,
        cache_write_5m_tokens,
        cache_write_1h_tokens,
        output_tokens,
        output_reasoning_tokens,
        -- NULL = one of them is beyond 32 bits.
        has_tokens_only
            AND input_tokens::BIGINT + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens
            + output_tokens + output_reasoning_tokens > 0 AS is_plain
    FROM counted
),
price AS (
    SELECT
        receipt_price.receipt_id,
        receipt_price.estimated_cost_usd,
        CASE
            WHEN receipt_price.price_status <> 'provider_reported'
                AND receipt_price.estimated_cost_usd IS NOT NULL
                THEN COALESCE(rate_code.rate_no, 0)
        END AS rate_no
    FROM receipt_price
    LEFT JOIN rate_code USING (rate_id)
)
SELECT
    receipt.receipt_no,
    month.scope_no,
    CAST(local_time(receipt.occurred_at, month.zone) AS DATE) AS day,
    key_code.key_no,
    model_code.model_no,
    tier_code.tier_no,
    CASE WHEN measured.is_plain THEN price.rate_no END AS rate_no,
    measured.input_tokens,
    measured.cache_read_tokens,
    measured.cache_write_5m_tokens,
    measured.cache_write_1h_tokens,
    measured.output_tokens,
    measured.output_reasoning_tokens,
    price.estimated_cost_usd
FROM settled_receipt AS receipt
INNER JOIN billing_month AS month
    ON month.provider = receipt.provider
    AND month.account = receipt.provider_account
    AND receipt.occurred_at >= month.from_at
    AND receipt.occurred_at < month.to_at
INNER JOIN key_code ON key_code.api_key = COALESCE(receipt.api_key_id, '')
INNER JOIN model_code ON model_code.model = COALESCE(receipt.response_model, receipt.request_model, '')
LEFT JOIN measured USING (receipt_id)
INNER JOIN tier_code ON tier_code.tier = COALESCE(measured.tier, 'standard')
LEFT JOIN price USING (receipt_id)
WHERE receipt.billable;

-- name: plain_groups
-- Receipts that differ in nothing but attribution and quantities: at one unit price, each carries by its quantity.
CREATE OR REPLACE TEMP TABLE plain_group AS
SELECT
    ROW_NUMBER() OVER () AS plain_no,
    scope_no,
    day,
    key_no,
    model_no,
    tier_no,
    rate_no,
    SUM(input_tokens) AS input_tokens,
    SUM(cache_read_tokens) AS cache_read_tokens,
    SUM(cache_write_5m_tokens) AS cache_write_5m_tokens,
    SUM(cache_write_1h_tokens) AS cache_write_1h_tokens,
    SUM(output_tokens) AS output_tokens,
    SUM(output_reasoning_tokens) AS output_reasoning_tokens
FROM open_receipt
INNER JOIN scope_key USING (scope_no)
WHERE rate_no IS NOT NULL
    AND scope_key.invoice_id IS NOT NULL
GROUP BY scope_no, day, key_no, model_no, tier_no, rate_no;

-- name: receipt_groups
-- What receipts of one invoice share that a line can name: day, key, model and tier, under one number.
CREATE OR REPLACE TEMP TABLE receipt_group AS
WITH dimension AS (
    SELECT
        scope_no,
        day,
        key_no,
        model_no,
        tier_no
    FROM plain_group
    UNION
    SELECT
        scope_no,
        day,
        key_no,
        model_no,
        tier_no
    FROM open_receipt
    WHERE rate_no IS NULL
)
SELECT
    ROW_NUMBER() OVER (
        ORDER BY scope_key.invoice_id, dimension.day, key_code.api_key, model_code.model, tier_code.tier
    ) AS group_no,
    dimension.scope_no,
    dimension.key_no,
    dimension.model_no,
    dimension.tier_no,
    scope_key.invoice_id,
    dimension.day,
    key_code.api_key,
    model_code.model,
    tier_code.tier
FROM dimension
INNER JOIN scope_key USING (scope_no)
INNER JOIN key_code USING (key_no)
INNER JOIN model_code USING (model_no)
INNER JOIN tier_code USING (tier_no)
WHERE scope_key.invoice_id IS NOT NULL;

-- name: covered_receipts
-- Receipts with an invoice whose usage is unfolded one by one.
CREATE OR REPLACE TEMP TABLE covered_receipt AS
SELECT
    open_receipt.receipt_no,
    receipt.receipt_id,
    receipt_group.group_no
FROM open_receipt
INNER JOIN receipt ON receipt.rowid = open_receipt.receipt_no
INNER JOIN receipt_group USING (scope_no, day, key_no, model_no, tier_no)
WHERE open_receipt.rate_no IS NULL;

-- name: plain_usage_macro
-- Quantity in 1e-6 units and cost in 1e-15 USD of one meter, as usage_line has them.
CREATE OR REPLACE TEMP MACRO plain_usage(meter, quantity, unit_usd) AS
    {
        'meter': meter,
        'micro_quantity': CAST(quantity AS HUGEINT) * 1000000,
        'cost_femto': CASE WHEN unit_usd IS NULL THEN 0 ELSE femto_usd(line_cost(quantity, unit_usd)) END
    };

-- name: unfolded_prices
-- Prices of the receipts that are unfolded.
CREATE OR REPLACE TEMP TABLE unfolded_price AS
SELECT price.*
FROM receipt_price AS price
SEMI JOIN covered_receipt USING (receipt_id);

-- name: usage
-- Quantity and cost by meter, as usage_line has them: of each unfolded receipt, and of each group of plain ones.
CREATE OR REPLACE TEMP TABLE covered_usage AS
SELECT
    covered.receipt_no,
    CAST(NULL AS BIGINT) AS plain_no,
    covered.group_no,
    line.meter,
    CAST(line.quantity * 1000000 AS HUGEINT) AS micro_quantity,
    -- A meter without a rate costs nothing on a priced receipt, and is unknown on an unpriced one.
    CASE
        WHEN price.estimated_cost_usd IS NOT NULL THEN femto_usd(COALESCE(line.cost_usd, 0))
    END AS cost_femto
FROM covered_receipt AS covered
INNER JOIN usage_lines_of('unfolded_price') AS line USING (receipt_id)
INNER JOIN unfolded_price AS price USING (receipt_id)
-- Pixels repeat what images count.
WHERE line.meter <> 'pixels'
    OR line.cost_usd IS NOT NULL
UNION ALL
SELECT
    NULL AS receipt_no,
    plain_no,
    group_no,
    entry.meter,
    entry.micro_quantity,
    entry.cost_femto
FROM (
    SELECT
        plain.plain_no,
        receipt_group.group_no,
        UNNEST([
            plain_usage('input_tokens', plain.input_tokens, rate.input_tokens_usd),
            plain_usage('cache_read_tokens', plain.cache_read_tokens, rate.cache_read_tokens_usd),
            plain_usage('cache_write_5m_tokens', plain.cache_write_5m_tokens, rate.cache_write_5m_tokens_usd),
            plain_usage('cache_write_1h_tokens', plain.cache_write_1h_tokens, rate.cache_write_1h_tokens_usd),
            plain_usage('output_tokens', plain.output_tokens, rate.output_tokens_usd),
            plain_usage('output_reasoning_tokens', plain.output_reasoning_tokens, rate.output_reasoning_tokens_usd)
        ]) AS entry
    FROM plain_group AS plain
    INNER JOIN receipt_group USING (scope_no, day, key_no, model_no, tier_no)
    LEFT JOIN rate_code USING (rate_no)
    LEFT JOIN rate USING (rate_id)
) AS unfolded
WHERE entry.micro_quantity > 0;

-- name: usage_without_lines
-- A receipt without usage lines has its tokens, and its cost where it is known, under the meter ''.
INSERT INTO covered_usage (receipt_no, plain_no, group_no, meter, micro_quantity, cost_femto)
SELECT
    covered.receipt_no,
    NULL AS plain_no,
    covered.group_no,
    '' AS meter,
    CAST(COALESCE(NULLIF(meters.total_tokens, 0), meters.images, 0) AS HUGEINT)
        * 1000000 AS micro_quantity,
    femto_usd(price.estimated_cost_usd) AS cost_femto
FROM covered_receipt AS covered
ANTI JOIN covered_usage USING (receipt_no)
LEFT JOIN receipt_meters AS meters USING (receipt_id)
LEFT JOIN receipt_price AS price USING (receipt_id);

-- name: weighed_usage
-- Weight of each usage: its cost; without a price its quantity at the mean price of the meter (basis 1), or bare.
CREATE OR REPLACE TEMP TABLE weighed_usage AS
WITH meter_mean AS (
    SELECT
        receipt_group.invoice_id,
        usage.meter,
        SUM(usage.cost_femto) AS cost_femto,
        SUM(usage.micro_quantity) AS micro_quantity
    FROM covered_usage AS usage
    INNER JOIN receipt_group USING (group_no)
    WHERE usage.cost_femto IS NOT NULL
        AND usage.micro_quantity > 0
    GROUP BY receipt_group.invoice_id, usage.meter
),
invoice_mean AS (
    SELECT
        invoice_id,
        SUM(cost_femto) AS cost_femto,
        SUM(micro_quantity) AS micro_quantity
    FROM meter_mean
    GROUP BY invoice_id
)
SELECT
    usage.receipt_no,
    usage.plain_no,
    usage.group_no,
    usage.meter,
    usage.micro_quantity,
    CASE
        WHEN COALESCE(invoice_mean.cost_femto, 0) = 0
            THEN COALESCE(NULLIF(usage.cost_femto, 0), usage.micro_quantity)
        WHEN usage.cost_femto IS NOT NULL THEN usage.cost_femto
        WHEN meter_mean.cost_femto > 0
            THEN usage.micro_quantity * meter_mean.cost_femto // meter_mean.micro_quantity
        ELSE usage.micro_quantity * invoice_mean.cost_femto // invoice_mean.micro_quantity
    END AS weight,
    CASE
        WHEN COALESCE(invoice_mean.cost_femto, 0) = 0 OR usage.cost_femto IS NULL THEN 1
        ELSE 0
    END AS basis
FROM covered_usage AS usage
INNER JOIN receipt_group USING (group_no)
LEFT JOIN invoice_mean USING (invoice_id)
LEFT JOIN meter_mean
    ON meter_mean.invoice_id = receipt_group.invoice_id
    AND meter_mean.meter = usage.meter;

-- name: even_weights
-- Last resort: where no receipt of an invoice has cost or tokens, every call weighs the same (basis 2).
INSERT INTO weighed_usage (receipt_no, plain_no, group_no, meter, micro_quantity, weight, basis)
SELECT
    covered.receipt_no,
    NULL AS plain_no,
    covered.group_no,
    '' AS meter,
    0 AS micro_quantity,
    1 AS weight,
    2 AS basis
FROM covered_receipt AS covered
INNER JOIN receipt_group USING (group_no)
WHERE receipt_group.invoice_id IN (
    SELECT weighed_group.invoice_id
    FROM weighed_usage
    INNER JOIN receipt_group AS weighed_group USING (group_no)
    GROUP BY weighed_group.invoice_id
    HAVING SUM(weighed_usage.weight) = 0
);

-- name: lines
-- Lines of open control totals, as integers in 1e-9 of their currency; absent dimensions are ''.
-- Where one line of a model and a meter names a tier, those that name none mean the standard one.
CREATE OR REPLACE TEMP TABLE open_line AS
SELECT
    line.invoice_id,
    line.invoice_line_id,
    CAST(local_time(line.period_start, scope.zone) AS DATE) AS first_day,
    -- The last instant that the line covers decides, so a line may end within a day.
    CAST(local_time(line.period_end - INTERVAL 1 MICROSECOND, scope.zone) AS DATE) AS last_day,
    line.charge_category,
    -- What is given back for a past month belongs to those who paid then.
    CASE
        WHEN line.charge_category IN ('adjustment', 'refund')
            AND STRFTIME(local_time(line.period_start, scope.zone), '%Y-%m') < scope.period
            THEN STRFTIME(local_time(line.period_start, scope.zone), '%Y-%m')
    END AS past_period,
    CASE
        WHEN LOWER(line.quantity_unit) IN ('token', 'tokens')
            THEN CAST(line.quantity AS HUGEINT)
    END AS token_quantity,
    CAST(CAST(line.quantity AS DECIMAL(38, 6)) * 1000000 AS HUGEINT) AS micro_quantity,
    CAST(line.list_amount * 1000000000 AS HUGEINT) AS list_nano,
    COALESCE(line.model_raw, '') AS model,
    COALESCE(line.meter, '') AS meter,
    COALESCE(line.project, '') AS project,
    COALESCE(line.api_key, '') AS api_key,
    COALESCE(
        NULLIF(line.tier, ''),
        CASE
            WHEN MAX(line.tier) OVER (PARTITION BY line.invoice_id, line.model_raw, line.meter) <> ''
                THEN 'standard'
        END,
        ''
    ) AS tier,
    CAST(line.amount * 1000000000 AS HUGEINT) AS amount_nano
FROM control_line AS line
INNER JOIN scope USING (invoice_id);

-- name: scaled_weights
-- Makes weights coarser where weights x amounts would leave 128 bits: large sums in small currency units.
UPDATE weighed_usage
SET weight = weighed_usage.weight // scale.divisor
FROM (
    SELECT
        receipt_group.group_no,
        invoice_weight.weight
            // (100000000000000000000000000000000000000 // invoice_amount.amount_nano) + 1 AS divisor
    FROM (
        SELECT
            receipt_group.invoice_id,
            SUM(weighed_usage.weight) AS weight
        FROM weighed_usage
        INNER JOIN receipt_group USING (group_no)
        GROUP BY receipt_group.invoice_id
    ) AS invoice_weight
    INNER JOIN (
        SELECT
            invoice_id,
            SUM(ABS(amount_nano)) AS amount_nano
        FROM open_line
        GROUP BY invoice_id
        HAVING SUM(ABS(amount_nano)) > 0
    ) AS invoice_amount USING (invoice_id)
    INNER JOIN receipt_group USING (invoice_id)
) AS scale
WHERE weighed_usage.group_no = scale.group_no
    AND scale.divisor > 1;

-- name: cells
-- Usage summed over what an invoice line can name: the finest unit of matching.
CREATE OR REPLACE TEMP TABLE cell AS
WITH weighed_cell AS (
    SELECT
        group_no,
        meter,
        SUM(micro_quantity) AS micro_quantity,
        SUM(weight) AS weight,
        MAX(basis) AS basis
    FROM weighed_usage
    WHERE weight > 0
    GROUP BY group_no, meter
)
SELECT
    ROW_NUMBER() OVER (ORDER BY weighed_cell.group_no, weighed_cell.meter) AS cell_no,
    weighed_cell.group_no,
    receipt_group.invoice_id,
    receipt_group.day,
    receipt_group.api_key,
    receipt_group.model,
    receipt_group.tier,
    weighed_cell.meter,
    weighed_cell.micro_quantity,
    weighed_cell.weight,
    weighed_cell.basis
FROM weighed_cell
INNER JOIN receipt_group USING (group_no);

-- name: cell_estimates
-- Estimated cost of each cell in 1e-15 USD, and how many of its usages have no price.
CREATE OR REPLACE TEMP TABLE cell_estimate AS
SELECT
    group_no,
    meter,
    COALESCE(SUM(cost_femto), 0) AS cost_femto,
    COUNT(*) FILTER (WHERE cost_femto IS NULL) AS unpriced_count
FROM covered_usage
GROUP BY group_no, meter;
