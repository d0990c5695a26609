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

-- name: money_macro
-- Whole units of 1e-18 as an exact decimal; // and % cut towards zero, so the sign is kept.
CREATE OR REPLACE TEMP MACRO atto_decimal(atto) AS
    CAST(CAST(atto // 1000000000000000000 AS DECIMAL(20, 0)) AS DECIMAL(38, 18))
    + CAST(atto % 1000000000000000000 AS DECIMAL(18, 0)) * 0.000000000000000001;

-- name: femto_macro
-- A cost in USD as a whole number of 1e-15 USD; exact but for rates with more than 15 decimals.
CREATE OR REPLACE TEMP MACRO femto_usd(cost_usd) AS
    CAST(CAST(cost_usd AS DECIMAL(38, 15)) * 1000000000000000 AS HUGEINT);

-- name: open_scopes
-- Control totals that may still be allocated.
CREATE OR REPLACE TEMP TABLE scope AS
SELECT
    control.provider,
    control.account,
    control.period,
    CAST(control.period || '-01' AS DATE) AS month,
    control.invoice_id,
    control.currency,
    control.minor_units,
    control.total,
    COUNT(*) OVER (PARTITION BY control.provider, control.period) AS provider_invoice_count
FROM control_total AS control
WHERE control.period NOT IN (
    SELECT period
    FROM kept_period
);

-- name: account_covers
-- Which invoice pays for the receipts of an account: its own, else the provider's without account, else its only one.
CREATE OR REPLACE TEMP TABLE account_cover AS
WITH receipt_account AS (
    SELECT DISTINCT
        provider,
        provider_account AS account,
        CAST(DATE_TRUNC('month', occurred_at) AS DATE) AS month
    FROM settled_receipt
    WHERE billable
),
candidate AS (
    SELECT
        receipt_account.provider,
        receipt_account.account,
        receipt_account.month,
        scope.invoice_id,
        scope.account AS invoice_account,
        CASE
            WHEN scope.account = receipt_account.account THEN 1
            WHEN scope.account = '' THEN 2
            WHEN receipt_account.account = '' AND scope.provider_invoice_count = 1 THEN 3
        END AS preference
    FROM receipt_account
    INNER JOIN scope
        ON scope.provider = receipt_account.provider
        AND scope.month = receipt_account.month
)
SELECT
    provider,
    account,
    month,
    ARG_MIN(invoice_id, preference) AS invoice_id,
    ARG_MIN(invoice_account, preference) AS invoice_account
FROM candidate
WHERE preference IS NOT NULL
GROUP BY provider, account, month;

-- name: receipt_groups
-- What receipts of one invoice share that a line can name: day, key, model and tier, under one number.
CREATE OR REPLACE TEMP TABLE receipt_group AS
WITH dimension AS (
    SELECT DISTINCT
        cover.invoice_id,
        CAST(receipt.occurred_at AS DATE) AS day,
        COALESCE(receipt.api_key_id, '') AS api_key,
        COALESCE(receipt.response_model, receipt.request_model, '') AS model,
        COALESCE(meters.tier, 'standard') AS tier
    FROM settled_receipt AS receipt
    INNER JOIN account_cover AS cover
        ON cover.provider = receipt.provider
        AND cover.account = receipt.provider_account
        AND cover.month = CAST(DATE_TRUNC('month', receipt.occurred_at) AS DATE)
    LEFT JOIN receipt_meters AS meters USING (receipt_id)
    WHERE receipt.billable
)
SELECT
    ROW_NUMBER() OVER (ORDER BY invoice_id, day, api_key, model, tier) AS group_no,
    invoice_id,
    day,
    api_key,
    model,
    tier
FROM dimension;

-- name: covered_receipts
-- Billable receipts that an open invoice pays for; receipt_no is their row in the table receipt.
CREATE OR REPLACE TEMP TABLE covered_receipt AS
SELECT
    receipt.receipt_no,
    receipt.receipt_id,
    receipt_group.group_no
FROM settled_receipt AS receipt
INNER JOIN account_cover AS cover
    ON cover.provider = receipt.provider
    AND cover.account = receipt.provider_account
    AND cover.month = CAST(DATE_TRUNC('month', receipt.occurred_at) AS DATE)
LEFT JOIN receipt_meters AS meters USING (receipt_id)
INNER JOIN receipt_group
    ON receipt_group.invoice_id = cover.invoice_id
    AND receipt_group.day = CAST(receipt.occurred_at AS DATE)
    AND receipt_group.api_key = COALESCE(receipt.api_key_id, '')
    AND receipt_group.model = COALESCE(receipt.response_model, receipt.request_model, '')
    AND receipt_group.tier = COALESCE(meters.tier, 'standard')
WHERE receipt.billable;

-- name: plain_usage_macro
-- Quantity in 1e-6 units and cost in 1e-15 USD of one meter, as usage_line has them.
CREATE OR REPLACE TEMP MACRO plain_usage(meter, quantity, unit_usd) AS
    {
        'meter': meter,
        'micro_quantity': CAST(quantity AS HUGEINT) * 1000000,
        'cost_femto': CASE WHEN unit_usd IS NULL THEN 0 ELSE femto_usd(line_cost(quantity, unit_usd)) END
    };

-- name: unfolded_prices
-- Prices of covered receipts with more than plain tokens: usage_line unfolds 40 meters of each, ten times the work.
CREATE OR REPLACE TEMP TABLE unfolded_price AS
SELECT price.*
FROM receipt_price AS price
SEMI JOIN covered_receipt USING (receipt_id)
INNER JOIN receipt_meters AS meters USING (receipt_id)
WHERE price.price_status = 'provider_reported'
    OR CARDINALITY(meters.rare_meters) > 0
    OR GREATEST(
        meters.input_audio_tokens,
        meters.input_image_tokens,
        meters.input_video_tokens,
        meters.input_tool_tokens,
        meters.cache_read_audio_tokens,
        meters.cache_write_30m_tokens,
        meters.cache_write_12h_tokens,
        meters.cache_write_tokens,
        meters.output_audio_tokens,
        meters.output_image_tokens,
        meters.output_video_tokens,
        meters.images,
        meters.pixels,
        meters.input_images,
        meters.audio_in_ms,
        meters.audio_out_ms,
        meters.video_ms,
        meters.characters,
        meters.pages,
        meters.searches,
        meters.map_queries,
        meters.file_searches,
        meters.queries,
        meters.sessions
    ) > 0;

-- name: usage
-- Quantity and cost of each covered receipt by meter: those of plain tokens directly, the others as usage_line has them.
CREATE OR REPLACE TEMP TABLE covered_usage AS
SELECT
    receipt_no,
    group_no,
    entry.meter,
    entry.micro_quantity,
    CASE WHEN has_cost THEN entry.cost_femto END AS cost_femto
FROM (
    SELECT
        covered.receipt_no,
        covered.group_no,
        price.estimated_cost_usd IS NOT NULL AS has_cost,
        UNNEST([
            plain_usage('input_tokens', meters.input_tokens, rate.input_tokens_usd),
            plain_usage('cache_read_tokens', meters.cache_read_tokens, rate.cache_read_tokens_usd),
            plain_usage('cache_write_5m_tokens', meters.cache_write_5m_tokens, rate.cache_write_5m_tokens_usd),
            plain_usage('cache_write_1h_tokens', meters.cache_write_1h_tokens, rate.cache_write_1h_tokens_usd),
            plain_usage('output_tokens', meters.output_tokens, rate.output_tokens_usd),
            plain_usage('output_reasoning_tokens', meters.output_reasoning_tokens, rate.output_reasoning_tokens_usd)
        ]) AS entry
    FROM covered_receipt AS covered
    INNER JOIN receipt_price AS price USING (receipt_id)
    ANTI JOIN unfolded_price USING (receipt_id)
    INNER JOIN receipt_meters AS meters USING (receipt_id)
    LEFT JOIN rate USING (rate_id)
) AS unfolded
WHERE entry.micro_quantity > 0
UNION ALL
SELECT
    covered.receipt_no,
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
    OR line.cost_usd IS NOT NULL;

-- name: usage_without_lines
-- A receipt without usage lines has its tokens, and its cost where it is known, under the meter ''.
INSERT INTO covered_usage (receipt_no, group_no, meter, micro_quantity, cost_femto)
SELECT
    covered.receipt_no,
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
INSERT INTO weighed_usage (receipt_no, group_no, meter, micro_quantity, weight, basis)
SELECT
    covered.receipt_no,
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

-- name: lines
-- Lines of open control totals, as integers in 1e-9 of their currency; absent dimensions are ''.
-- Where one line of a model and a meter names a tier, those that name none mean the standard one.
CREATE OR REPLACE TEMP TABLE open_line AS
SELECT
    line.invoice_id,
    line.invoice_line_id,
    CAST(line.period_start AS DATE) AS first_day,
    -- The last instant that the line covers decides, so a line may end within a day.
    CAST(line.period_end - INTERVAL 1 MICROSECOND AS DATE) AS last_day,
    line.charge_category,
    -- What is given back for a past month belongs to those who paid then.
    CASE
        WHEN line.charge_category IN ('adjustment', 'refund')
            AND STRFTIME(line.period_start, '%Y-%m') < scope.period
            THEN STRFTIME(line.period_start, '%Y-%m')
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

-- name: model_names
-- Model names on lines (kind line) and on receipts (kind receipt) of each invoice.
SELECT DISTINCT
    'line' AS kind,
    invoice_id,
    model
FROM open_line
WHERE model <> ''
UNION ALL
SELECT DISTINCT
    'receipt' AS kind,
    invoice_id,
    model
FROM cell
ORDER BY ALL;

-- name: model_matches
-- Which receipt models a line model means, from three lists; a line without model ('') means all.
CREATE OR REPLACE TEMP TABLE model_match AS
SELECT
    UNNEST($invoice_id::VARCHAR[]) AS invoice_id,
    UNNEST($line_model::VARCHAR[]) AS line_model,
    UNNEST($receipt_model::VARCHAR[]) AS receipt_model
UNION ALL
SELECT DISTINCT
    invoice_id,
    '' AS line_model,
    model AS receipt_model
FROM cell;

-- name: meter_matches
-- Which receipt meters a line meter pays for, from two lists; a line without meter ('') pays for all.
CREATE OR REPLACE TEMP TABLE meter_match AS
SELECT
    UNNEST($line_meter::VARCHAR[]) AS line_meter,
    UNNEST($receipt_meter::VARCHAR[]) AS receipt_meter
UNION ALL
SELECT DISTINCT
    '' AS line_meter,
    meter AS receipt_meter
FROM cell;

-- name: key_matches
-- Which key fingerprints a project (kind project) or a provider's key id (kind key) means, from three lists.
CREATE OR REPLACE TEMP TABLE key_match AS
SELECT
    UNNEST($kind::VARCHAR[]) AS kind,
    UNNEST($name::VARCHAR[]) AS name,
    UNNEST($fingerprint::VARCHAR[]) AS fingerprint
UNION
SELECT DISTINCT
    'key' AS kind,
    api_key AS name,
    api_key AS fingerprint
FROM cell
WHERE api_key <> '';

-- name: candidates
-- For each line what it could match, finest first: fewer dimensions at each step, its own days before its whole period.
CREATE OR REPLACE TEMP TABLE candidate AS
WITH step AS (
    SELECT
        step_no,
        by_key,
        by_project,
        by_model,
        by_meter,
        by_tier
    FROM (
        -- Whose key or project it is says more than the tier does.
        VALUES
            (1, TRUE, FALSE, TRUE, TRUE, TRUE),
            (2, FALSE, TRUE, TRUE, TRUE, TRUE),
            (3, TRUE, FALSE, TRUE, TRUE, FALSE),
            (4, FALSE, TRUE, TRUE, TRUE, FALSE),
            (5, FALSE, FALSE, TRUE, TRUE, TRUE),
            (6, FALSE, FALSE, TRUE, TRUE, FALSE),
            (7, FALSE, FALSE, TRUE, FALSE, FALSE),
            (8, FALSE, FALSE, FALSE, FALSE, FALSE)
    ) AS steps (step_no, by_key, by_project, by_model, by_meter, by_tier)
),
reach AS (
    SELECT
        reach_no,
        own_days
    FROM (VALUES (0, TRUE), (1, FALSE)) AS reaches (reach_no, own_days)
)
SELECT
    line.invoice_id,
    line.invoice_line_id,
    step.step_no * 2 + reach.reach_no AS preference,
    CASE WHEN step.by_key THEN line.api_key ELSE '' END AS api_key,
    CASE WHEN step.by_project THEN line.project ELSE '' END AS project,
    CASE WHEN step.by_model THEN line.model ELSE '' END AS model,
    CASE WHEN step.by_meter THEN line.meter ELSE '' END AS meter,
    CASE WHEN step.by_tier THEN line.tier ELSE '' END AS tier,
    CASE WHEN reach.own_days THEN line.first_day ELSE scope.month END AS first_day,
    CASE
        WHEN reach.own_days THEN line.last_day
        ELSE LAST_DAY(scope.month)
    END AS last_day
FROM open_line AS line
INNER JOIN scope USING (invoice_id)
CROSS JOIN step
CROSS JOIN reach
WHERE line.charge_category NOT IN ('rounding', 'tax')
    AND line.past_period IS NULL
    AND (NOT step.by_key OR line.api_key <> '')
    AND (NOT step.by_project OR line.project <> '')
    AND (NOT step.by_tier OR line.tier <> '')
    AND (step.by_meter OR NOT step.by_model OR line.model <> '');

-- name: pools
-- Distinct matches; lines that match the same receipts share one pool.
CREATE OR REPLACE TEMP TABLE pool AS
WITH dimension AS (
    SELECT DISTINCT
        invoice_id,
        api_key,
        project,
        model,
        meter,
        tier,
        first_day,
        last_day
    FROM candidate
)
SELECT
    ROW_NUMBER() OVER (
        ORDER BY invoice_id, api_key, project, model, meter, tier, first_day, last_day
    ) AS pool_no,
    dimension.invoice_id,
    dimension.api_key,
    dimension.project,
    dimension.model,
    dimension.meter,
    dimension.tier,
    dimension.first_day,
    dimension.last_day,
    COALESCE(
        NULLIF(
            CONCAT_WS(
                '+',
                CASE WHEN api_key <> '' THEN 'key' END,
                CASE WHEN project <> '' THEN 'project' END,
                CASE WHEN model <> '' THEN 'model' END,
                CASE WHEN meter <> '' THEN 'meter' END,
                CASE WHEN tier <> '' THEN 'tier' END
            ),
            ''
        ),
        'provider'
    ) AS match_level,
    CASE
        WHEN dimension.api_key <> '' OR dimension.project <> ''
            THEN (
                SELECT LIST(key_match.fingerprint)
                FROM key_match
                WHERE (key_match.kind = 'key' AND key_match.name = dimension.api_key)
                    OR (key_match.kind = 'project' AND key_match.name = dimension.project)
            )
    END AS fingerprints
FROM dimension;

-- name: pool_cells
-- Cells of each pool.
CREATE OR REPLACE TEMP TABLE pool_cell AS
SELECT
    pool.pool_no,
    cell.cell_no,
    cell.weight
FROM pool
INNER JOIN model_match
    ON model_match.invoice_id = pool.invoice_id
    AND model_match.line_model = pool.model
INNER JOIN meter_match
    ON meter_match.line_meter = pool.meter
INNER JOIN cell
    ON cell.invoice_id = pool.invoice_id
    AND cell.model = model_match.receipt_model
    AND cell.meter = meter_match.receipt_meter
    AND cell.day BETWEEN pool.first_day AND pool.last_day
    AND (pool.tier = '' OR cell.tier = pool.tier)
WHERE (pool.api_key = '' AND pool.project = '')
    OR LIST_CONTAINS(pool.fingerprints, cell.api_key);

-- name: resolved_lines
-- Each line with its finest pool that weighs anything; no pool means that no receipt explains the line.
CREATE OR REPLACE TEMP TABLE resolved_line AS
WITH pool_weight AS (
    SELECT
        pool_cell.pool_no,
        SUM(cell.weight) AS weight,
        MAX(cell.basis) AS basis
    FROM pool_cell
    INNER JOIN cell USING (cell_no)
    GROUP BY pool_cell.pool_no
),
choice AS (
    SELECT
        candidate.invoice_line_id,
        ARG_MIN(pool.pool_no, candidate.preference) AS pool_no
    FROM candidate
    INNER JOIN pool
        USING (invoice_id, api_key, project, model, meter, tier, first_day, last_day)
    INNER JOIN pool_weight USING (pool_no)
    GROUP BY candidate.invoice_line_id
)
SELECT
    line.invoice_id,
    line.invoice_line_id,
    line.charge_category,
    line.past_period,
    line.token_quantity,
    line.micro_quantity,
    line.list_nano,
    line.model,
    line.amount_nano,
    CAST(0 AS HUGEINT) AS idle_nano,
    choice.pool_no,
    CASE
        WHEN line.charge_category = 'rounding' THEN 'rounding'
        WHEN line.past_period IS NOT NULL THEN 'past_period'
        ELSE COALESCE(pool.match_level, 'unallocated')
    END AS match_level,
    pool_weight.weight,
    CASE pool_weight.basis
        WHEN 0 THEN 'estimated_cost'
        WHEN 1 THEN 'tokens'
        WHEN 2 THEN 'calls'
    END AS weight_basis
FROM open_line AS line
LEFT JOIN choice USING (invoice_line_id)
LEFT JOIN pool USING (pool_no)
LEFT JOIN pool_weight USING (pool_no);

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
        -- Parts are compared in 1e-9; of equal ones the pool that comes first decides.
        ARG_MAX(pool_no, ABS(atto) // 1000000000 * 1000000000 - pool_no) AS pool_no,
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

-- name: receipt_shares
-- What each receipt carries, in 1e-18 of the currency, cut off.
CREATE OR REPLACE TEMP TABLE receipt_share AS
WITH usage_share AS (
    SELECT
        usage.receipt_no,
        cell.invoice_id,
        cell.pool_no,
        cell.sign * (
            (cell.nano * usage.weight // cell.weight) * 1000000000
            + ((cell.nano * usage.weight % cell.weight) * 1000000000
                + cell.atto_below_nano * usage.weight) // cell.weight
        ) AS atto
    FROM weighed_usage AS usage
    INNER JOIN paid_cell AS cell USING (group_no, meter)
    WHERE usage.weight > 0
)
SELECT
    receipt_no,
    ANY_VALUE(invoice_id) AS invoice_id,
    ARG_MAX(pool_no, ABS(atto) // 1000000000 * 1000000000 - pool_no) AS pool_no,
    COUNT(*) AS share_count,
    SUM(atto) AS atto
FROM usage_share
GROUP BY receipt_no;

-- name: forget_open
-- Clears the lines' matches of all periods that are allocated.
DELETE FROM line_match
WHERE period NOT IN (
    SELECT period
    FROM kept_period
);

-- name: forget_anchors
-- Clears the receipts' shares of all periods that are allocated.
DELETE FROM receipt_anchor
WHERE period NOT IN (
    SELECT period
    FROM kept_period
);

-- name: forget_splits
-- Clears the cost rows of all periods that are allocated.
DELETE FROM cost_split
WHERE period NOT IN (
    SELECT period
    FROM kept_period
);

-- name: keep_matches
-- Records how each line found its receipts.
INSERT INTO line_match (
    invoice_id, invoice_line_id, period, match_level, weight_basis, amount, currency
)
SELECT
    line.invoice_id,
    line.invoice_line_id,
    scope.period,
    line.match_level,
    line.weight_basis,
    CAST(atto_decimal(line.amount_nano * 1000000000) AS DECIMAL(38, 12)),
    scope.currency
FROM resolved_line AS line
INNER JOIN scope USING (invoice_id)
ORDER BY line.invoice_id, line.invoice_line_id;

-- name: keep_anchors
-- Records what each receipt carries, unrounded.
INSERT INTO receipt_anchor (
    receipt_id, period, invoice_id, invoice_line_id, match_level, anchored_cost, anchored_currency
)
SELECT
    receipt.receipt_id,
    scope.period,
    share.invoice_id,
    paid_pool.invoice_line_id,
    paid_pool.match_level,
    atto_decimal(share.atto),
    scope.currency
FROM receipt_share AS share
INNER JOIN receipt ON receipt.rowid = share.receipt_no
INNER JOIN paid_pool USING (pool_no)
INNER JOIN scope ON scope.invoice_id = share.invoice_id;

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
carried AS (
    SELECT
        invoice_id,
        SUM(atto) AS atto,
        SUM(share_count) AS share_count
    FROM receipt_share
    GROUP BY invoice_id
)
SELECT
    paid.invoice_id,
    paid.atto AS expected_atto,
    COALESCE(carried.atto, 0) AS found_atto
FROM paid
LEFT JOIN divided USING (invoice_id)
LEFT JOIN carried USING (invoice_id)
WHERE ABS(paid.atto - COALESCE(carried.atto, 0))
    > COALESCE(divided.part_count, 0) + COALESCE(carried.share_count, 0)
ORDER BY paid.invoice_id;

-- name: cost_parts
-- Calls, estimate and unrounded share of every key of the four splits, in a total order.
CREATE OR REPLACE TEMP TABLE cost_part AS
WITH charged_receipt AS (
    SELECT
        STRFTIME(receipt.occurred_at, '%Y-%m') AS period,
        receipt.provider,
        COALESCE(cover.invoice_account, receipt.provider_account) AS account,
        cover.invoice_id,
        -- What is held is nobody's yet: its money stays in sight, under a service of its own.
        CASE WHEN NOT receipt.held THEN receipt.team END AS team,
        CASE WHEN receipt.held THEN '__quarantined' ELSE receipt.service END AS service,
        CASE WHEN NOT receipt.held THEN receipt.environment END AS environment,
        COALESCE(receipt.response_model, receipt.request_model) AS response_model,
        CASE WHEN NOT receipt.held THEN receipt.feature END AS feature,
        CASE WHEN NOT receipt.held THEN receipt.user_id END AS user_id,
        CASE WHEN NOT receipt.held THEN receipt.request_id END AS request_id,
        price.estimated_cost_usd,
        share.atto
    FROM attributed_receipt AS receipt
    LEFT JOIN account_cover AS cover
        ON cover.provider = receipt.provider
        AND cover.account = receipt.provider_account
        AND cover.month = CAST(DATE_TRUNC('month', receipt.occurred_at) AS DATE)
    LEFT JOIN receipt_price AS price USING (receipt_id)
    LEFT JOIN receipt_share AS share ON share.receipt_no = receipt.receipt_no
    WHERE receipt.billable
        AND STRFTIME(receipt.occurred_at, '%Y-%m') NOT IN (
            SELECT period
            FROM kept_period
        )
),
receipt_part AS (
    SELECT
        CASE
            WHEN GROUPING(response_model) = 0 THEN 'app'
            WHEN GROUPING(feature) = 0 THEN 'feature'
            WHEN GROUPING(user_id) = 0 THEN 'user'
            ELSE 'request'
        END AS split,
        period,
        provider,
        account,
        invoice_id,
        team,
        service,
        environment,
        response_model,
        feature,
        user_id,
        request_id,
        COUNT(*) AS calls,
        SUM(estimated_cost_usd) AS estimated_cost_usd,
        COALESCE(SUM(atto), 0) AS atto
    FROM charged_receipt
    GROUP BY GROUPING SETS (
        (period, provider, account, invoice_id, team, service, environment, response_model),
        (period, provider, account, invoice_id, team, service, environment, feature),
        (period, provider, account, invoice_id, team, service, user_id),
        (period, provider, account, invoice_id, team, service, request_id)
    )
)
SELECT
    ROW_NUMBER() OVER (
        ORDER BY
            split, period, provider, account, invoice_id, team, service, environment,
            response_model, feature, user_id, request_id, calls
    ) AS part_no,
    split,
    period,
    provider,
    account,
    invoice_id,
    team,
    service,
    environment,
    response_model,
    feature,
    user_id,
    request_id,
    CAST(NULL AS VARCHAR) AS bucket,
    calls,
    estimated_cost_usd,
    atto
FROM receipt_part;

-- name: app_weights
-- What the receipts of each application came to, in 1e-9 of the currency.
SELECT
    invoice_id,
    team,
    service,
    environment,
    SUM(atto) // 1000000000 AS amount_nano
FROM cost_part
WHERE split = 'app'
    AND invoice_id IS NOT NULL
    AND NOT STARTS_WITH(COALESCE(service, ''), '__')
GROUP BY invoice_id, team, service, environment
ORDER BY ALL;

-- name: past_adjustments
-- What each invoice gives back or charges for a past period.
SELECT
    invoice_id,
    past_period,
    SUM(amount_nano) AS amount_nano
FROM resolved_line
WHERE past_period IS NOT NULL
GROUP BY invoice_id, past_period
ORDER BY ALL;

-- name: past_weights
-- What applications carried in the past periods that are adjusted: as frozen, else as this run divides them.
SELECT
    adjusted.invoice_id || ' ' || adjusted.past_period AS key,
    carried.team,
    carried.service,
    carried.environment,
    SUM(carried.amount_nano) AS amount_nano
FROM (
    SELECT DISTINCT
        line.invoice_id,
        line.past_period,
        scope.provider,
        scope.account
    FROM resolved_line AS line
    INNER JOIN scope USING (invoice_id)
    WHERE line.past_period IS NOT NULL
) AS adjusted
INNER JOIN (
    SELECT
        period,
        provider,
        account,
        team,
        service,
        environment,
        CAST(CAST(anchored_cost AS DECIMAL(38, 9)) * 1000000000 AS HUGEINT) AS amount_nano
    FROM app_cost
    WHERE anchored_cost IS NOT NULL
        AND period IN (
            SELECT period
            FROM kept_period
        )
    UNION ALL
    SELECT
        period,
        provider,
        account,
        team,
        service,
        environment,
        atto // 1000000000 AS amount_nano
    FROM cost_part
    WHERE split = 'app'
        AND invoice_id IS NOT NULL
) AS carried
    ON carried.period = adjusted.past_period
    AND carried.provider = adjusted.provider
    AND carried.account = adjusted.account
WHERE NOT STARTS_WITH(COALESCE(carried.service, ''), '__')
GROUP BY ALL
ORDER BY ALL;

-- name: keep_bucket_parts
-- Adds the parts of the buckets, given as lists, to each of the four splits.
INSERT INTO cost_part (
    part_no, split, period, provider, account, invoice_id, team, service, environment,
    response_model, feature, user_id, request_id, bucket, calls, estimated_cost_usd, atto
)
WITH part AS (
    SELECT
        UNNEST($invoice_id::VARCHAR[]) AS invoice_id,
        UNNEST($bucket::VARCHAR[]) AS bucket,
        UNNEST($team::VARCHAR[]) AS team,
        UNNEST($service::VARCHAR[]) AS service,
        UNNEST($environment::VARCHAR[]) AS environment,
        UNNEST($amount_nano::HUGEINT[]) AS amount_nano
),
whole_part AS (
    SELECT
        invoice_id,
        bucket,
        team,
        service,
        environment,
        SUM(amount_nano) AS amount_nano
    FROM part
    GROUP BY invoice_id, bucket, team, service, environment
)
SELECT
    (SELECT COALESCE(MAX(part_no), 0) FROM cost_part) + ROW_NUMBER() OVER (
        ORDER BY splits.split, whole.invoice_id, whole.bucket, whole.team, whole.service, whole.environment
    ) AS part_no,
    splits.split,
    scope.period,
    scope.provider,
    scope.account,
    whole.invoice_id,
    whole.team,
    whole.service,
    CASE WHEN splits.split IN ('app', 'feature') THEN whole.environment END AS environment,
    NULL AS response_model,
    NULL AS feature,
    NULL AS user_id,
    NULL AS request_id,
    whole.bucket,
    0 AS calls,
    NULL AS estimated_cost_usd,
    whole.amount_nano * 1000000000 AS atto
FROM whole_part AS whole
INNER JOIN scope USING (invoice_id)
CROSS JOIN (VALUES ('app'), ('feature'), ('user'), ('request')) AS splits (split);

-- name: rounded_parts
-- Largest remainder, once per invoice and split: whole minor units of each part, as job.shares defines them.
CREATE OR REPLACE TEMP TABLE rounded_part AS
WITH minor_unit AS (
    SELECT
        invoice_id,
        CAST('1' || REPEAT('0', 18 - minor_units) AS HUGEINT) AS atto,
        CAST(total * CAST('1' || REPEAT('0', minor_units) AS INTEGER) AS HUGEINT) AS total_units
    FROM scope
),
floored_part AS (
    SELECT
        part.part_no,
        part.split,
        part.invoice_id,
        ABS(part.atto) AS size,
        -- % cuts towards zero; the remainder must be counted from below.
        CAST((part.atto % unit.atto + unit.atto) % unit.atto AS BIGINT) AS remainder,
        unit.atto AS unit_atto,
        unit.total_units,
        part.atto
    FROM cost_part AS part
    INNER JOIN minor_unit AS unit USING (invoice_id)
),
ranked_part AS (
    SELECT
        part_no,
        split,
        invoice_id,
        total_units,
        unit_atto,
        (atto - remainder) // unit_atto AS units,
        ROW_NUMBER() OVER (
            PARTITION BY split, invoice_id
            ORDER BY remainder DESC, size DESC, part_no
        ) AS rank
    FROM floored_part
),
missing AS (
    SELECT
        split,
        invoice_id,
        ANY_VALUE(total_units) - SUM(units) AS units
    FROM ranked_part
    GROUP BY split, invoice_id
)
SELECT
    ranked_part.part_no,
    (ranked_part.units + CASE WHEN ranked_part.rank <= missing.units THEN 1 ELSE 0 END)
        * ranked_part.unit_atto AS atto
FROM ranked_part
INNER JOIN missing USING (split, invoice_id);

-- name: keep_splits
-- Records the four splits; money without receipts that rounds to nothing needs no row.
INSERT INTO cost_split (
    split, period, provider, account, invoice_id, team, service, environment, response_model,
    feature, user_id, request_id, bucket, calls, estimated_cost_usd, anchored_cost, currency, status
)
SELECT
    part.split,
    part.period,
    part.provider,
    part.account,
    part.invoice_id,
    part.team,
    part.service,
    part.environment,
    part.response_model,
    part.feature,
    part.user_id,
    part.request_id,
    part.bucket,
    part.calls,
    part.estimated_cost_usd,
    atto_decimal(rounded.atto),
    COALESCE(scope.currency, 'USD'),
    CASE WHEN part.invoice_id IS NULL THEN 'estimated' ELSE 'anchored' END
FROM cost_part AS part
LEFT JOIN scope ON scope.invoice_id = part.invoice_id
LEFT JOIN rounded_part AS rounded USING (part_no)
WHERE part.calls > 0
    OR rounded.atto <> 0
ORDER BY part.part_no;

-- name: app_shares
-- What each application would carry of each invoice, in whole minor units; for a split that is not kept.
SELECT
    scope.provider,
    scope.account,
    part.invoice_id,
    scope.currency,
    part.team,
    part.service,
    part.environment,
    atto_decimal(SUM(rounded.atto)) AS amount
FROM cost_part AS part
INNER JOIN scope USING (invoice_id)
INNER JOIN rounded_part AS rounded USING (part_no)
WHERE part.split = 'app'
GROUP BY ALL
HAVING SUM(rounded.atto) <> 0
ORDER BY ALL;

-- name: loose_splits
-- Splits whose rows do not sum to their invoice exactly; must be none.
SELECT
    splits.split,
    scope.invoice_id,
    scope.total AS expected,
    COALESCE(SUM(cost.anchored_cost), 0) AS found
FROM scope
CROSS JOIN (VALUES ('app'), ('feature'), ('user'), ('request')) AS splits (split)
LEFT JOIN cost_split AS cost
    ON cost.invoice_id = scope.invoice_id
    AND cost.split = splits.split
GROUP BY splits.split, scope.invoice_id, scope.total
HAVING COALESCE(SUM(cost.anchored_cost), 0) <> scope.total
ORDER BY scope.invoice_id, splits.split;

-- name: forget_reconciliation
-- Clears the reconciliation of all periods that are allocated.
DELETE FROM reconciliation
WHERE period NOT IN (
    SELECT period
    FROM kept_period
);

-- name: keep_reconciliation
-- Estimated against invoiced, for invoices and for what has none yet.
INSERT INTO reconciliation (
    period, provider, account, invoice_id, invoice_total, currency, estimated_total_usd, untracked,
    unallocated, idle, adjustment, unexplained, rounding, variance, variance_percent, threshold, flagged, status, mode,
    reconciled_at
)
WITH app_total AS (
    SELECT
        period,
        provider,
        account,
        invoice_id,
        COALESCE(SUM(estimated_cost_usd), 0) AS estimated_total_usd,
        COALESCE(SUM(anchored_cost) FILTER (bucket = '__untracked'), 0) AS untracked,
        COALESCE(SUM(anchored_cost) FILTER (bucket = '__unallocated'), 0) AS unallocated,
        COALESCE(SUM(anchored_cost) FILTER (bucket = '__idle'), 0) AS idle,
        COALESCE(SUM(anchored_cost) FILTER (bucket = '__adjustment'), 0) AS adjustment,
        COALESCE(SUM(anchored_cost) FILTER (bucket = '__rounding'), 0) AS rounding
    FROM app_cost
    WHERE period NOT IN (
        SELECT period
        FROM kept_period
    )
    GROUP BY period, provider, account, invoice_id
),
compared AS (
    SELECT
        app_total.period,
        app_total.provider,
        app_total.account,
        app_total.invoice_id,
        CAST(scope.total AS DECIMAL(38, 18)) AS invoice_total,
        COALESCE(scope.currency, 'USD') AS currency,
        app_total.estimated_total_usd,
        app_total.untracked,
        app_total.unallocated,
        app_total.idle,
        app_total.adjustment,
        bucket_total.unexplained,
        app_total.rounding,
        CASE
            WHEN scope.currency = 'USD' THEN app_total.estimated_total_usd - scope.total
        END AS variance,
        GREATEST(
            CAST(scope.total * CAST($ratio AS DECIMAL(9, 6)) AS DECIMAL(38, 18)),
            CAST($floor AS DECIMAL(38, 18))
        ) AS threshold
    FROM (
        SELECT
            period,
            provider,
            account,
            invoice_id,
            estimated_total_usd,
            untracked,
            unallocated,
            idle,
            adjustment,
            rounding
        FROM app_total
        UNION ALL
        SELECT
            period,
            provider,
            account,
            invoice_id,
            0 AS estimated_total_usd,
            0 AS untracked,
            0 AS unallocated,
            0 AS idle,
            0 AS adjustment,
            0 AS rounding
        FROM scope
        WHERE invoice_id NOT IN (
            SELECT invoice_id
            FROM app_total
            WHERE invoice_id IS NOT NULL
        )
    ) AS app_total
    LEFT JOIN scope ON scope.invoice_id = app_total.invoice_id
    LEFT JOIN (
        SELECT
            invoice_id,
            atto_decimal(SUM(atto)) AS unexplained
        FROM cost_part
        WHERE split = 'app'
            AND bucket IS NOT NULL
        GROUP BY invoice_id
    ) AS bucket_total ON bucket_total.invoice_id = app_total.invoice_id
)
SELECT
    period,
    provider,
    account,
    invoice_id,
    invoice_total,
    currency,
    estimated_total_usd,
    CASE WHEN invoice_id IS NOT NULL THEN untracked END,
    CASE WHEN invoice_id IS NOT NULL THEN unallocated END,
    CASE WHEN invoice_id IS NOT NULL THEN idle END,
    CASE WHEN invoice_id IS NOT NULL THEN adjustment END,
    CASE WHEN invoice_id IS NOT NULL THEN COALESCE(unexplained, 0) END,
    CASE WHEN invoice_id IS NOT NULL THEN rounding END,
    variance,
    -- Integers: a quotient of decimals would be a binary fraction.
    CAST(
        CAST(variance * 1000000 AS HUGEINT) * 100000000
        // NULLIF(CAST(invoice_total * 1000000 AS HUGEINT), 0) AS DECIMAL(38, 0)
    ) * 0.000001,
    CASE WHEN invoice_id IS NOT NULL THEN threshold END,
    COALESCE(ABS(variance) > threshold, FALSE),
    CASE WHEN invoice_id IS NULL THEN 'open' ELSE 'reconciled' END,
    'showback',
    $now
FROM compared
ORDER BY period, provider, account, invoice_id;

-- name: reconciled
-- The reconciliation of periods that are allocated.
SELECT
    period,
    provider,
    account,
    invoice_id,
    invoice_total,
    currency,
    estimated_total_usd,
    untracked,
    unallocated,
    rounding,
    variance,
    threshold,
    flagged
FROM reconciliation
WHERE period NOT IN (
    SELECT period
    FROM kept_period
)
ORDER BY period, provider, account, invoice_id;

-- name: drop_work
-- Frees the largest working tables, which hold a copy of the open periods' usage.
DROP TABLE IF EXISTS covered_usage;
DROP TABLE IF EXISTS unfolded_price;
DROP TABLE IF EXISTS weighed_usage;
DROP TABLE IF EXISTS covered_receipt;
