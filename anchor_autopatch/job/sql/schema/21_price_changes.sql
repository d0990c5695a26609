-- What changed in the list from one card to the next. Instants are UTC TIMESTAMP, prices USD.

CREATE OR REPLACE VIEW price_change AS
WITH span AS (
    SELECT
        model_key,
        provider,
        valid_from,
        provenance,
        rate_card_id,
        rate_sheet_id,
        LAG(rate_sheet_id) OVER (PARTITION BY model_key ORDER BY valid_from) AS sheet_before
    FROM rate_segment
    WHERE source = 'list'
        AND superseded_at IS NULL
),
change AS (
    SELECT *
    FROM span
    WHERE sheet_before IS NOT NULL
),
changed_sheet AS (
    SELECT rate_sheet_id
    FROM change
    UNION
    SELECT sheet_before AS rate_sheet_id
    FROM change
),
price AS (
    UNPIVOT (
        -- The standard tier alone: the others follow it, and would tell every change five times.
        SELECT
            rate_sheet_id,
            off_peak,
            above_tokens,
            COLUMNS('_tokens_usd$|_ms_usd$|^(images|pixels|input_images|characters|pages|map_queries|file_searches|queries|sessions|searches_medium)_usd$')
        FROM rate
        SEMI JOIN changed_sheet USING (rate_sheet_id)
        WHERE tier = 'standard'
            AND modifier = ''
    )
    ON COLUMNS('_usd$')
    INTO NAME column_name VALUE usd
),
place AS (
    SELECT
        change.model_key,
        change.valid_from,
        price.off_peak,
        price.above_tokens,
        price.column_name
    FROM change
    JOIN price USING (rate_sheet_id)
    UNION
    SELECT
        change.model_key,
        change.valid_from,
        price.off_peak,
        price.above_tokens,
        price.column_name
    FROM change
    JOIN price ON price.rate_sheet_id = change.sheet_before
),
moved AS (
    SELECT
        change.*,
        place.off_peak,
        place.above_tokens,
        CASE
            WHEN place.column_name LIKE '%\_ms\_usd' ESCAPE '\' THEN REPLACE(place.column_name, '_ms_usd', '_seconds')
            ELSE REPLACE(place.column_name, '_usd', '')
        END AS meter,
        CASE WHEN place.column_name LIKE '%\_ms\_usd' ESCAPE '\' THEN 1000 ELSE 1 END AS scale,
        before.usd AS usd_before,
        after.usd AS usd_after
    FROM place
    JOIN change USING (model_key, valid_from)
    LEFT JOIN price AS before
        ON before.rate_sheet_id = change.sheet_before
        AND before.off_peak = place.off_peak
        AND before.above_tokens = place.above_tokens
        AND before.column_name = place.column_name
    LEFT JOIN price AS after
        ON after.rate_sheet_id = change.rate_sheet_id
        AND after.off_peak = place.off_peak
        AND after.above_tokens = place.above_tokens
        AND after.column_name = place.column_name
    WHERE before.usd IS DISTINCT FROM after.usd
),
told AS (
    -- A rate that follows another one (audio that costs what text costs) is named with it, not told again.
    SELECT
        model_key,
        provider,
        valid_from,
        provenance,
        rate_card_id,
        off_peak,
        above_tokens,
        LIST(
            meter ORDER BY COALESCE(LIST_POSITION(['input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_write_tokens'], meter), 9), meter
        ) AS meters,
        CAST(usd_before * scale AS DECIMAL(38, 18)) AS before_usd,
        CAST(usd_after * scale AS DECIMAL(38, 18)) AS after_usd
    FROM moved
    GROUP BY ALL
),
priced AS (
    -- Of those cards alone: most lists change nothing that anybody used, and the history is long.
    SELECT
        model_key,
        rate_card_id,
        COUNT(*) AS calls
    FROM receipt_price
    SEMI JOIN told USING (model_key, rate_card_id)
    GROUP BY ALL
)
SELECT
    told.model_key,
    told.provider,
    told.valid_from AS began_at,
    rate_card.observed_at AS seen_at,
    told.provenance,
    told.meters[1] AS meter,
    ARRAY_TO_STRING(told.meters[2:], ', ') AS follows,
    told.above_tokens,
    told.off_peak,
    told.before_usd,
    told.after_usd,
    COALESCE(priced.calls, 0) AS calls,
    told.rate_card_id,
    rate_card.source AS card_source,
    rate_card.source_version
FROM told
JOIN rate_card USING (rate_card_id)
LEFT JOIN priced USING (model_key, rate_card_id);
COMMENT ON VIEW price_change IS 'Standard rates of the list that changed from one card to the next, by model, bracket and hour';
COMMENT ON COLUMN price_change.began_at IS 'Since when the new rate prices calls, UTC';
COMMENT ON COLUMN price_change.seen_at IS 'When a table showed it first, UTC';
COMMENT ON COLUMN price_change.provenance IS 'Where began_at comes from: first seen | known start (a person) | start by genai-prices';
COMMENT ON COLUMN price_change.follows IS 'Meters that changed from and to the same price, joined by a comma; empty = none';
COMMENT ON COLUMN price_change.above_tokens IS 'Bracket: prompts with more tokens; -1 = any';
COMMENT ON COLUMN price_change.before_usd IS 'USD per unit of usage_lines; NULL = there was no such rate or bracket';
COMMENT ON COLUMN price_change.after_usd IS 'USD per unit of usage_lines; NULL = there is none any more';
COMMENT ON COLUMN price_change.calls IS 'Calls of the model in the warehouse that are priced by the new card';
