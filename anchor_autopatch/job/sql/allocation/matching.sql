-- Which receipts each line of an invoice pays for.

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
