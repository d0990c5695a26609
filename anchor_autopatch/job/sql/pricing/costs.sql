-- Statements that work out what receipts cost: set-based, one pass, DECIMAL throughout.
--
-- Names, times and rates are joined as small integers, since strings of millions of receipts cost more to copy than to
-- price; receipts are taken in stretches, so that the one join by receipt_id stays in memory. `price_usual` prices nearly
-- all; what it leaves goes to `price_rest`, which knows every meter and says why there is no price. Both must agree.

-- name: collect_special_names
-- What is priced under another name than the one that answered, or by the size of its images.
CREATE OR REPLACE TEMP TABLE special_name AS
SELECT
    receipt.receipt_no,
    receipt.provider,
    COALESCE(priced_model(receipt.operation, receipt.request_model), '') AS request_model,
    COALESCE(receipt_meters.served_model, priced_model(receipt.operation, receipt.response_model), '') AS response_model,
    receipt_meters.image_variant
FROM settled_receipt AS receipt
SEMI JOIN price_work USING (receipt_no)
JOIN receipt_meters USING (receipt_id)
WHERE receipt_meters.served_model IS NOT NULL
    OR receipt_meters.image_variant <> '';

-- name: create_names
-- The names in the work; the same name may stand there twice.
CREATE OR REPLACE TEMP TABLE asked_name AS
SELECT
    provider,
    request_model,
    response_model,
    image_variant
FROM special_name;

-- name: collect_names
-- The distinct names of all receipts in the rows [$first, $end): sorting out those that are not in the work costs more
-- than to resolve a name too many. Spelt out once they are few.
INSERT INTO asked_name (provider, request_model, response_model, image_variant)
SELECT DISTINCT
    provider,
    COALESCE(priced_model(operation, request_model), '') AS request_model,
    COALESCE(priced_model(operation, response_model), '') AS response_model,
    '' AS image_variant
FROM (
    SELECT DISTINCT
        provider,
        operation,
        request_model,
        response_model
    FROM settled_receipt
    WHERE receipt_no >= $first
        AND receipt_no < $end
        AND billable
);

-- name: unresolved_names
-- The names in the work that the catalogue $catalogue_id has not resolved yet.
SELECT
    provider,
    request_model,
    response_model,
    image_variant
FROM asked_name
EXCEPT
SELECT
    provider,
    request_model,
    response_model,
    image_variant
FROM model_resolution
WHERE catalogue_id = $catalogue_id
ORDER BY ALL;

-- name: forget_resolutions
-- Drops what other catalogues resolved.
DELETE FROM model_resolution
WHERE catalogue_id <> $catalogue_id;

-- name: create_agreed_segments
-- Contracts as receipts meet them, made anew for each run; `model_key` is empty where no list has the model.
CREATE OR REPLACE TEMP TABLE agreed_segment (
    contract_key VARCHAR,
    contract_provider VARCHAR,
    model_key VARCHAR,
    valid_from TIMESTAMP,
    valid_to TIMESTAMP,
    rate_card_id VARCHAR,
    rate_sheet_id UUID
);

-- name: contracts_over_lists
-- Each contract beside each model that its names mean, for each time in which neither changes.
SELECT
    contract.model_key AS contract_key,
    contract.provider AS contract_provider,
    COALESCE(covered.model_key, '') AS model_key,
    GREATEST(contract.valid_from, COALESCE(list.valid_from, contract.valid_from)) AS valid_from,
    LEAST(contract.valid_to, COALESCE(list.valid_to, contract.valid_to)) AS valid_to,
    contract.rate_card_id,
    contract_sheet.fields AS contract_fields,
    list_sheet.fields AS list_fields,
    contract_sheet.units_with_tokens
FROM rate_segment AS contract
JOIN rate_sheet AS contract_sheet USING (rate_sheet_id)
JOIN (
    SELECT DISTINCT
        contract_key,
        contract_provider,
        model_key
    FROM model_resolution
    WHERE contract_key IS NOT NULL
) AS covered
    ON covered.contract_key = contract.model_key
    AND covered.contract_provider = contract.provider
LEFT JOIN rate_segment AS list
    ON list.source = 'list'
    AND list.superseded_at IS NULL
    AND list.model_key = covered.model_key
    AND list.valid_from < contract.valid_to
    AND list.valid_to > contract.valid_from
LEFT JOIN rate_sheet AS list_sheet ON list_sheet.rate_sheet_id = list.rate_sheet_id
WHERE contract.source = 'contract'
    AND contract.superseded_at IS NULL
ORDER BY ALL;

-- name: number_names
-- The names in the work with what they mean, by a small number.
CREATE OR REPLACE TEMP TABLE work_name AS
SELECT
    CAST(ROW_NUMBER() OVER (ORDER BY provider, request_model, response_model, image_variant) AS INTEGER) AS name_no,
    model_resolution.*
FROM model_resolution
SEMI JOIN asked_name USING (provider, request_model, response_model, image_variant);

-- name: number_spans
-- From when to when which rates hold for a name: those of the list, and those of a contract, which come first.
CREATE OR REPLACE TEMP TABLE price_span AS
WITH span AS (
    SELECT
        work_name.name_no,
        false AS is_contract,
        work_name.model_key,
        work_name.rule AS resolution_rule,
        work_name.is_alias,
        rate_segment.valid_from,
        rate_segment.valid_to,
        rate_segment.rate_sheet_id,
        rate_segment.rate_card_id
    FROM work_name
    JOIN rate_segment USING (model_key)
    WHERE rate_segment.source = 'list'
        AND rate_segment.superseded_at IS NULL
    UNION ALL
    SELECT
        work_name.name_no,
        true AS is_contract,
        work_name.contract_key AS model_key,
        'contract' AS resolution_rule,
        false AS is_alias,
        agreed_segment.valid_from,
        agreed_segment.valid_to,
        agreed_segment.rate_sheet_id,
        agreed_segment.rate_card_id
    FROM work_name
    JOIN agreed_segment
        ON agreed_segment.contract_key = work_name.contract_key
        AND agreed_segment.contract_provider = work_name.contract_provider
        AND agreed_segment.model_key = COALESCE(work_name.model_key, '')
)
SELECT
    CAST(ROW_NUMBER() OVER (ORDER BY span.name_no, span.is_contract, span.valid_from) AS INTEGER) AS span_no,
    CAST(DENSE_RANK() OVER (ORDER BY span.rate_sheet_id) AS INTEGER) AS sheet_no,
    span.*,
    rate_sheet.tiers,
    rate_sheet.modifiers,
    rate_sheet.off_peak_minutes
FROM span
JOIN rate_sheet USING (rate_sheet_id);

-- name: cut_spans
-- The one span that holds for a name at each instant: that of a contract while it lasts, else that of the list.
CREATE OR REPLACE TEMP TABLE price_piece AS
WITH edge AS (
    SELECT
        name_no,
        valid_from AS instant
    FROM price_span
    UNION
    SELECT
        name_no,
        valid_to AS instant
    FROM price_span
),
piece AS (
    SELECT
        name_no,
        instant AS valid_from,
        LEAD(instant) OVER (PARTITION BY name_no ORDER BY instant) AS valid_to
    FROM edge
)
SELECT
    piece.name_no,
    piece.valid_from,
    piece.valid_to,
    price_span.span_no,
    price_span.sheet_no,
    price_span.is_contract,
    price_span.is_alias,
    price_span.tiers,
    price_span.modifiers,
    price_span.off_peak_minutes
FROM piece
JOIN price_span
    ON price_span.name_no = piece.name_no
    AND price_span.valid_from <= piece.valid_from
    AND price_span.valid_to >= piece.valid_to
QUALIFY ROW_NUMBER() OVER (PARTITION BY piece.name_no, piece.valid_from ORDER BY price_span.is_contract DESC) = 1;

-- name: number_rates
-- The rates of those spans for the meters that most calls use; the others are looked up where they are needed.
CREATE OR REPLACE TEMP TABLE usual_rate AS
SELECT
    sheet.sheet_no,
    rate.rate_id,
    rate.tier,
    rate.modifier,
    rate.off_peak,
    rate.above_tokens,
    rate.upto_tokens,
    rate.input_tokens_usd,
    rate.cache_read_tokens_usd,
    rate.cache_write_5m_tokens_usd,
    rate.cache_write_1h_tokens_usd,
    rate.output_tokens_usd,
    rate.output_reasoning_tokens_usd,
    rate.searches_low_usd,
    rate.searches_medium_usd,
    rate.searches_high_usd,
    rate.search_per_prompt
FROM rate
JOIN (
    SELECT DISTINCT
        sheet_no,
        rate_sheet_id
    FROM price_span
) AS sheet USING (rate_sheet_id);

-- name: spread_rates
-- The usual rates by name and tier as served, so that one join finds them: no surcharge, and none that change by the hour.
-- A tier that no rate in the work knows is left to `price_rest`.
CREATE OR REPLACE TEMP TABLE usual_price AS
SELECT
    price_piece.name_no,
    served.tier,
    price_piece.valid_from,
    price_piece.valid_to,
    price_piece.span_no,
    price_piece.is_alias,
    LEN(price_piece.modifiers) > 0 AS has_modifiers,
    usual_rate.* EXCLUDE (sheet_no, tier, modifier, off_peak)
FROM price_piece
CROSS JOIN (SELECT DISTINCT tier FROM usual_rate) AS served
JOIN usual_rate
    ON usual_rate.sheet_no = price_piece.sheet_no
    AND usual_rate.tier = priced_tier(served.tier, price_piece.tiers, price_piece.is_contract)
    AND usual_rate.modifier = ''
    AND NOT usual_rate.off_peak
WHERE price_piece.off_peak_minutes IS NULL;

-- name: number_other_rates
-- The rates of those spans for all meters.
CREATE OR REPLACE TEMP TABLE work_rate AS
SELECT rate.*
FROM rate
SEMI JOIN usual_rate USING (rate_id);

-- name: create_status
-- One byte for each receipt, of which ten millions at a time are to stay in memory.
CREATE TEMP TYPE IF NOT EXISTS fresh_status AS ENUM (
    'priced', 'priced_by_alias', 'zero_rated', 'unpriced', 'provider_reported'
);

-- name: create_costs
-- What each receipt of the work costs, with numbers for names and spans; `fresh_price` spells them out. A receipt that has
-- no status yet tells the row of its meters instead: to find a few of them by their id takes as long as to price many.
CREATE OR REPLACE TEMP TABLE fresh_cost (
    receipt_no BIGINT,
    name_no INTEGER,
    span_no INTEGER,
    rate_id UBIGINT,
    price_status fresh_status,
    unpriced_reason VARCHAR,
    unpriced_meters VARCHAR,
    estimated_cost_usd DECIMAL(38, 18),
    meters_no BIGINT
);

-- name: list_steps
-- How much of the work each run of $size rows of the table receipt holds, by the number of the run.
SELECT
    receipt_no // $size AS step_no,
    COUNT(*) AS receipt_count
FROM price_work
GROUP BY step_no
ORDER BY step_no;

-- name: list_rest_steps
-- The same of what is left.
SELECT
    receipt_no // $size AS step_no,
    COUNT(*) AS receipt_count
FROM rest_work
GROUP BY step_no
ORDER BY step_no;

-- name: take_stretch
-- The work in the rows [$first, $end). A table of its own, since DuckDB joins by place what it knows to be numbers of a
-- short range: a filter with parameters tells it nothing of that.
CREATE OR REPLACE TEMP TABLE stretch_work AS
SELECT receipt_no
FROM price_work
WHERE receipt_no >= $first
    AND receipt_no < $end;

-- name: stretch_ids
-- Lowest and highest receipt_id in the rows [$first, $end): ids begin with the time, so few blocks of meters hold them.
SELECT
    MIN(receipt_id) AS lowest,
    MAX(receipt_id) AS highest
FROM receipt
WHERE rowid >= $first
    AND rowid < $end;

-- name: price_usual
-- The price of the receipts of one stretch of the work, [$first, $end), that use the usual meters only, at rates without
-- surcharge: nearly all. `price_rest` would price them alike, in twice the time. Without a status: it has to.
INSERT INTO fresh_cost (
    receipt_no, name_no, span_no, rate_id, price_status, unpriced_reason, unpriced_meters, estimated_cost_usd,
    meters_no
)
WITH asked AS (
    -- Nothing of a receipt but its id is carried as a string into the join with its meters.
    SELECT
        receipt.receipt_no,
        receipt.receipt_id,
        receipt.occurred_at,
        host_region(receipt.provider, receipt.provider_host) AS host_region,
        work_name.name_no
    FROM settled_receipt AS receipt
    JOIN stretch_work USING (receipt_no)
    JOIN work_name
        ON work_name.provider = receipt.provider
        AND work_name.request_model = COALESCE(priced_model(receipt.operation, receipt.request_model), '')
        AND work_name.response_model = COALESCE(priced_model(receipt.operation, receipt.response_model), '')
        AND work_name.image_variant = ''
    WHERE receipt.receipt_no >= $first
        AND receipt.receipt_no < $end
),
costed AS (
    SELECT
        asked.receipt_no,
        asked.name_no,
        meters.meters_no,
        usual.span_no,
        usual.is_alias,
        usual.rate_id,
        usual.has_modifiers
            AND COALESCE(meters.speed, meters.inference_geo, meters.region, asked.host_region) IS NOT NULL AS may_cost_more,
        CASE WHEN meters.searches > 0 THEN billed_searches(meters.searches, usual.search_per_prompt) END AS billed_searches,
        CASE
            WHEN meters.searches > 0
                THEN search_usd(
                    meters.search_context,
                    usual.searches_low_usd,
                    usual.searches_medium_usd,
                    usual.searches_high_usd
                )
        END AS searches_usd,
        CAST(
            line_cost(meters.input_tokens, usual.input_tokens_usd)
            + line_cost(meters.output_tokens, usual.output_tokens_usd)
            + CASE WHEN meters.cache_read_tokens > 0 THEN line_cost(meters.cache_read_tokens, usual.cache_read_tokens_usd) ELSE 0 END
            + CASE WHEN meters.cache_write_5m_tokens > 0 THEN line_cost(meters.cache_write_5m_tokens, usual.cache_write_5m_tokens_usd) ELSE 0 END
            + CASE WHEN meters.cache_write_1h_tokens > 0 THEN line_cost(meters.cache_write_1h_tokens, usual.cache_write_1h_tokens_usd) ELSE 0 END
            + CASE WHEN meters.output_reasoning_tokens > 0 THEN line_cost(meters.output_reasoning_tokens, usual.output_reasoning_tokens_usd) ELSE 0 END
            + CASE WHEN meters.searches > 0 THEN line_cost(billed_searches, searches_usd) ELSE 0 END
            AS DECIMAL(38, 18)
        ) AS cost_usd,
        CASE WHEN cost_usd = 0 THEN meters.total_tokens - meters.unbilled_tokens END AS quantity,
        CASE
            WHEN cost_usd > 0 THEN true
            ELSE COALESCE(
                CASE WHEN meters.input_tokens > 0 THEN usual.input_tokens_usd END,
                CASE WHEN meters.cache_read_tokens > 0 THEN usual.cache_read_tokens_usd END,
                CASE WHEN meters.cache_write_5m_tokens > 0 THEN usual.cache_write_5m_tokens_usd END,
                CASE WHEN meters.cache_write_1h_tokens > 0 THEN usual.cache_write_1h_tokens_usd END,
                CASE WHEN meters.output_tokens > 0 THEN usual.output_tokens_usd END,
                CASE WHEN meters.output_reasoning_tokens > 0 THEN usual.output_reasoning_tokens_usd END,
                CASE WHEN billed_searches > 0 THEN searches_usd END
            ) IS NOT NULL
        END AS is_rated,
        CASE
            WHEN usual.input_tokens_usd IS NOT NULL AND usual.output_tokens_usd IS NOT NULL AND meters.searches IS NULL THEN NULL
            ELSE NULLIF(CONCAT_WS(
                ', ',
                CASE WHEN meters.input_tokens > 0 AND usual.input_tokens_usd IS NULL THEN 'input_tokens' END,
                CASE WHEN meters.cache_read_tokens > 0 AND usual.cache_read_tokens_usd IS NULL THEN 'cache_read_tokens' END,
                CASE WHEN meters.cache_write_5m_tokens > 0 AND usual.cache_write_5m_tokens_usd IS NULL THEN 'cache_write_5m_tokens' END,
                CASE WHEN meters.cache_write_1h_tokens > 0 AND usual.cache_write_1h_tokens_usd IS NULL THEN 'cache_write_1h_tokens' END,
                CASE WHEN meters.output_tokens > 0 AND usual.output_tokens_usd IS NULL THEN 'output_tokens' END,
                CASE WHEN meters.output_reasoning_tokens > 0 AND usual.output_reasoning_tokens_usd IS NULL THEN 'output_reasoning_tokens' END,
                CASE WHEN billed_searches > 0 AND searches_usd IS NULL THEN 'searches' END
            ), '')
        END AS unpriced_meters
    FROM asked
    JOIN sorted_meters AS meters USING (receipt_id)
    -- LEFT: were the joins free to change places, each receipt might be joined to all rates of its name first.
    LEFT JOIN usual_price AS usual
        ON usual.name_no = asked.name_no
        AND usual.tier = CASE
            WHEN meters.has_rare_tokens OR meters.has_units OR meters.served_model IS NOT NULL OR meters.image_variant <> ''
                THEN NULL
            ELSE meters.tier
        END
        AND usual.valid_from <= asked.occurred_at
        AND usual.valid_to > asked.occurred_at
        AND usual.above_tokens < COALESCE(meters.prompt_tokens, 0)
        AND usual.upto_tokens >= COALESCE(meters.prompt_tokens, 0)
    WHERE meters.receipt_id >= $lowest
        AND meters.receipt_id <= $highest
)
SELECT
    receipt_no,
    name_no,
    span_no,
    rate_id,
    CASE
        WHEN rate_id IS NULL OR may_cost_more THEN NULL
        WHEN is_rated AND cost_usd = 0 THEN 'zero_rated'::fresh_status
        -- What has no price is rare, and why not takes more columns to tell.
        WHEN is_rated OR (quantity = 0 AND unpriced_meters IS NULL)
            THEN CASE WHEN is_alias THEN 'priced_by_alias'::fresh_status ELSE 'priced'::fresh_status END
    END AS price_status,
    NULL AS unpriced_reason,
    unpriced_meters,
    cost_usd AS estimated_cost_usd,
    CASE WHEN price_status IS NULL THEN meters_no END AS meters_no
FROM costed;

-- name: take_rest
-- What is left to `price_rest`.
CREATE OR REPLACE TEMP TABLE rest_work AS
SELECT
    receipt_no,
    meters_no
FROM fresh_cost
WHERE price_status IS NULL;

-- name: take_rest_stretch
-- The receipts of the rows [$first, $end) that are left. A table of its own, so that DuckDB knows how few they are: it would
-- make the wide table of meters the side of the join that is kept in memory.
CREATE OR REPLACE TEMP TABLE rest_receipt AS
WITH special AS (
    SELECT
        special_name.receipt_no,
        work_name.name_no
    FROM special_name
    JOIN work_name USING (provider, request_model, response_model, image_variant)
)
SELECT
    receipt.receipt_no,
    rest_work.meters_no,
    receipt.occurred_at,
    host_region(receipt.provider, receipt.provider_host) AS host_region,
    COALESCE(special.name_no, work_name.name_no) AS name_no
FROM settled_receipt AS receipt
JOIN rest_work USING (receipt_no)
JOIN work_name
    ON work_name.provider = receipt.provider
    AND work_name.request_model = COALESCE(priced_model(receipt.operation, receipt.request_model), '')
    AND work_name.response_model = COALESCE(priced_model(receipt.operation, receipt.response_model), '')
    AND work_name.image_variant = ''
LEFT JOIN special ON special.receipt_no = receipt.receipt_no
WHERE receipt.receipt_no >= $first
    AND receipt.receipt_no < $end;

-- name: forget_rest
-- Makes room for their prices.
DELETE FROM fresh_cost
WHERE price_status IS NULL;

-- name: price_rest
-- The price of every receipt that is left of one stretch of the work, [$first, $end), as it is known now. Tier, surcharge,
-- time of day and bracket select one row of unit prices, so a cost is a plain sum of quantity x unit price; whether a cost
-- of 0 means free or unknown is looked into only where it is 0.
INSERT INTO fresh_cost (
    receipt_no, name_no, span_no, rate_id, price_status, unpriced_reason, unpriced_meters, estimated_cost_usd
)
WITH named AS (
    SELECT
        asked.receipt_no,
        asked.occurred_at,
        asked.host_region,
        asked.name_no,
        meters.*
    FROM rest_receipt AS asked
    JOIN sorted_meters AS meters USING (meters_no)
),
dated AS (
    SELECT
        named.*,
        named.has_rare_tokens OR named.has_units AS has_others,
        piece.span_no,
        piece.sheet_no,
        piece.is_contract,
        piece.is_alias,
        piece.tiers,
        piece.modifiers,
        piece.off_peak_minutes
    FROM named
    LEFT JOIN price_piece AS piece
        ON piece.name_no = named.name_no
        AND piece.valid_from <= named.occurred_at
        AND piece.valid_to > named.occurred_at
),
matched AS (
    SELECT
        dated.*,
        priced_tier(dated.tier, dated.tiers, dated.is_contract) AS priced_tier,
        surcharges(
            dated.modifiers,
            priced_tier,
            dated.speed,
            dated.inference_geo,
            COALESCE(dated.region, dated.host_region)
        ) AS modifier,
        is_off_peak(dated.off_peak_minutes, priced_tier, dated.occurred_at) AS off_peak
    FROM dated
),
costed AS (
    SELECT
        matched.receipt_no,
        matched.name_no,
        matched.span_no,
        matched.is_alias,
        matched.priced_tier,
        usual.rate_id,
        matched.provider_cost_usd,
        CASE WHEN matched.has_units THEN billed_units(matched.images, matched.total_tokens, rate.units_with_tokens) END AS billed_images,
        CASE WHEN matched.has_units THEN billed_units(matched.pixels, matched.total_tokens, rate.units_with_tokens) END AS billed_pixels,
        CASE WHEN matched.has_units THEN billed_units(matched.audio_in_ms, matched.total_tokens, rate.units_with_tokens) END AS billed_audio_in_ms,
        CASE WHEN matched.has_units THEN billed_units(matched.audio_out_ms, matched.total_tokens, rate.units_with_tokens) END AS billed_audio_out_ms,
        CASE WHEN matched.has_units THEN billed_units(matched.video_ms, matched.total_tokens, rate.units_with_tokens) END AS billed_video_ms,
        CASE WHEN matched.has_units THEN billed_units(matched.characters, matched.total_tokens, rate.units_with_tokens) END AS billed_characters,
        CASE WHEN matched.searches > 0 THEN billed_searches(matched.searches, usual.search_per_prompt) END AS billed_searches,
        CASE
            WHEN matched.searches > 0
                THEN search_usd(
                    matched.search_context,
                    usual.searches_low_usd,
                    usual.searches_medium_usd,
                    usual.searches_high_usd
                )
        END AS searches_usd,
        CASE WHEN matched.has_units THEN video_usd(matched.video_resolution, rate.video_ms_usd, rate.rare_usd) END AS billed_video_usd,
        CAST(
            line_cost(matched.input_tokens, usual.input_tokens_usd)
            + line_cost(matched.output_tokens, usual.output_tokens_usd)
            + CASE WHEN matched.cache_read_tokens > 0 THEN line_cost(matched.cache_read_tokens, usual.cache_read_tokens_usd) ELSE 0 END
            + CASE WHEN matched.cache_write_5m_tokens > 0 THEN line_cost(matched.cache_write_5m_tokens, usual.cache_write_5m_tokens_usd) ELSE 0 END
            + CASE WHEN matched.cache_write_1h_tokens > 0 THEN line_cost(matched.cache_write_1h_tokens, usual.cache_write_1h_tokens_usd) ELSE 0 END
            + CASE WHEN matched.output_reasoning_tokens > 0 THEN line_cost(matched.output_reasoning_tokens, usual.output_reasoning_tokens_usd) ELSE 0 END
            + CASE
                WHEN matched.has_rare_tokens
                    THEN line_cost(matched.input_audio_tokens, rate.input_audio_tokens_usd)
                    + line_cost(matched.input_image_tokens, rate.input_image_tokens_usd)
                    + line_cost(matched.input_video_tokens, rate.input_video_tokens_usd)
                    + line_cost(matched.input_tool_tokens, rate.input_tool_tokens_usd)
                    + line_cost(matched.cache_read_audio_tokens, rate.cache_read_audio_tokens_usd)
                    + line_cost(matched.cache_write_30m_tokens, rate.cache_write_30m_tokens_usd)
                    + line_cost(matched.cache_write_12h_tokens, rate.cache_write_12h_tokens_usd)
                    + line_cost(matched.cache_write_tokens, rate.cache_write_tokens_usd)
                    + line_cost(matched.output_audio_tokens, rate.output_audio_tokens_usd)
                    + line_cost(matched.output_image_tokens, rate.output_image_tokens_usd)
                    + line_cost(matched.output_video_tokens, rate.output_video_tokens_usd)
                ELSE 0
            END
            + CASE WHEN matched.searches > 0 THEN line_cost(billed_searches, searches_usd) ELSE 0 END
            + CASE
                WHEN matched.has_units
                    THEN line_cost(billed_images, rate.images_usd)
                    + line_cost(billed_pixels, rate.pixels_usd)
                    + line_cost(billed_audio_in_ms, rate.audio_in_ms_usd)
                    + line_cost(billed_audio_out_ms, rate.audio_out_ms_usd)
                    + line_cost(billed_video_ms, billed_video_usd)
                    + line_cost(billed_characters, rate.characters_usd)
                    + line_cost(matched.input_images, rate.input_images_usd)
                    + line_cost(matched.pages, rate.pages_usd)
                    + line_cost(matched.map_queries, rate.map_queries_usd)
                    + line_cost(matched.file_searches, rate.file_searches_usd)
                    + line_cost(matched.queries, rate.queries_usd)
                    + line_cost(matched.sessions, rate.sessions_usd)
                    + rare_cost(matched.rare_meters, rate.rare_usd)
                ELSE 0
            END
            AS DECIMAL(38, 18)
        ) AS cost_usd,
        -- Asked only of what may be free or unpriced, as is the status below: most calls end at a cost above 0.
        CASE
            WHEN usual.rate_id IS NULL OR cost_usd = 0
                THEN billable_quantity(
                    matched.total_tokens - matched.unbilled_tokens,
                    matched.images,
                    matched.audio_in_ms,
                    matched.audio_out_ms,
                    matched.video_ms,
                    matched.characters,
                    matched.pages,
                    matched.queries,
                    CARDINALITY(matched.rare_meters)
                )
        END AS quantity,
        CASE
            WHEN cost_usd > 0 THEN true
            ELSE COALESCE(
                CASE WHEN matched.input_tokens > 0 THEN usual.input_tokens_usd END,
                CASE WHEN matched.input_audio_tokens > 0 THEN rate.input_audio_tokens_usd END,
                CASE WHEN matched.input_image_tokens > 0 THEN rate.input_image_tokens_usd END,
                CASE WHEN matched.input_video_tokens > 0 THEN rate.input_video_tokens_usd END,
                CASE WHEN matched.input_tool_tokens > 0 THEN rate.input_tool_tokens_usd END,
                CASE WHEN matched.cache_read_tokens > 0 THEN usual.cache_read_tokens_usd END,
                CASE WHEN matched.cache_read_audio_tokens > 0 THEN rate.cache_read_audio_tokens_usd END,
                CASE WHEN matched.cache_write_5m_tokens > 0 THEN usual.cache_write_5m_tokens_usd END,
                CASE WHEN matched.cache_write_30m_tokens > 0 THEN rate.cache_write_30m_tokens_usd END,
                CASE WHEN matched.cache_write_1h_tokens > 0 THEN usual.cache_write_1h_tokens_usd END,
                CASE WHEN matched.cache_write_12h_tokens > 0 THEN rate.cache_write_12h_tokens_usd END,
                CASE WHEN matched.cache_write_tokens > 0 THEN rate.cache_write_tokens_usd END,
                CASE WHEN matched.output_tokens > 0 THEN usual.output_tokens_usd END,
                CASE WHEN matched.output_reasoning_tokens > 0 THEN usual.output_reasoning_tokens_usd END,
                CASE WHEN matched.output_audio_tokens > 0 THEN rate.output_audio_tokens_usd END,
                CASE WHEN matched.output_image_tokens > 0 THEN rate.output_image_tokens_usd END,
                CASE WHEN matched.output_video_tokens > 0 THEN rate.output_video_tokens_usd END,
                CASE WHEN billed_images > 0 THEN rate.images_usd END,
                CASE WHEN billed_pixels > 0 THEN rate.pixels_usd END,
                CASE WHEN billed_audio_in_ms > 0 THEN rate.audio_in_ms_usd END,
                CASE WHEN billed_audio_out_ms > 0 THEN rate.audio_out_ms_usd END,
                CASE WHEN billed_video_ms > 0 THEN billed_video_usd END,
                CASE WHEN billed_characters > 0 THEN rate.characters_usd END,
                CASE WHEN matched.input_images > 0 THEN rate.input_images_usd END,
                CASE WHEN matched.pages > 0 THEN rate.pages_usd END,
                CASE WHEN matched.map_queries > 0 THEN rate.map_queries_usd END,
                CASE WHEN matched.file_searches > 0 THEN rate.file_searches_usd END,
                CASE WHEN matched.queries > 0 THEN rate.queries_usd END,
                CASE WHEN matched.sessions > 0 THEN rate.sessions_usd END,
                CASE WHEN billed_searches > 0 THEN searches_usd END,
                CASE
                    WHEN matched.rare_meters IS NOT NULL
                        THEN LIST_SUM(LIST_TRANSFORM(MAP_KEYS(matched.rare_meters), lambda meter: rate.rare_usd[meter]))
                END
            ) IS NOT NULL
        END AS is_rated,
        COALESCE(
            CASE WHEN billed_images > 0 THEN rate.images_usd END,
            CASE WHEN billed_pixels > 0 THEN rate.pixels_usd END,
            CASE WHEN billed_audio_in_ms > 0 THEN rate.audio_in_ms_usd END,
            CASE WHEN billed_audio_out_ms > 0 THEN rate.audio_out_ms_usd END,
            CASE WHEN billed_video_ms > 0 THEN billed_video_usd END,
            CASE WHEN billed_characters > 0 THEN rate.characters_usd END
        ) IS NOT NULL AS has_unit_rate,
        matched.total_tokens > 0 AND COALESCE(usual.input_tokens_usd, usual.output_tokens_usd) IS NOT NULL AS has_token_rate,
        -- Tokens and units of one answer are two measures of it: where one of them has a rate, the other needs none.
        CASE
            WHEN usual.input_tokens_usd IS NOT NULL
                AND usual.output_tokens_usd IS NOT NULL
                AND NOT matched.has_units
                AND matched.searches IS NULL
                THEN NULL
            ELSE NULLIF(CONCAT_WS(
                ', ',
                CASE WHEN NOT has_unit_rate AND matched.input_tokens > 0 AND usual.input_tokens_usd IS NULL THEN 'input_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.input_audio_tokens > 0 AND rate.input_audio_tokens_usd IS NULL THEN 'input_audio_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.input_image_tokens > 0 AND rate.input_image_tokens_usd IS NULL THEN 'input_image_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.input_video_tokens > 0 AND rate.input_video_tokens_usd IS NULL THEN 'input_video_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.input_tool_tokens > 0 AND rate.input_tool_tokens_usd IS NULL THEN 'input_tool_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.cache_read_tokens > 0 AND usual.cache_read_tokens_usd IS NULL THEN 'cache_read_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.cache_read_audio_tokens > 0 AND rate.cache_read_audio_tokens_usd IS NULL THEN 'cache_read_audio_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.cache_write_5m_tokens > 0 AND usual.cache_write_5m_tokens_usd IS NULL THEN 'cache_write_5m_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.cache_write_30m_tokens > 0 AND rate.cache_write_30m_tokens_usd IS NULL THEN 'cache_write_30m_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.cache_write_1h_tokens > 0 AND usual.cache_write_1h_tokens_usd IS NULL THEN 'cache_write_1h_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.cache_write_12h_tokens > 0 AND rate.cache_write_12h_tokens_usd IS NULL THEN 'cache_write_12h_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.cache_write_tokens > 0 AND rate.cache_write_tokens_usd IS NULL THEN 'cache_write_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.output_tokens > 0 AND usual.output_tokens_usd IS NULL THEN 'output_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.output_reasoning_tokens > 0 AND usual.output_reasoning_tokens_usd IS NULL THEN 'output_reasoning_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.output_audio_tokens > 0 AND rate.output_audio_tokens_usd IS NULL THEN 'output_audio_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.output_image_tokens > 0 AND rate.output_image_tokens_usd IS NULL THEN 'output_image_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.output_video_tokens > 0 AND rate.output_video_tokens_usd IS NULL THEN 'output_video_tokens' END,
                CASE WHEN NOT has_unit_rate AND NOT has_token_rate AND billed_images > 0 AND rate.images_usd IS NULL THEN 'images' END,
                CASE WHEN NOT has_unit_rate AND NOT has_token_rate AND billed_audio_in_ms > 0 AND rate.audio_in_ms_usd IS NULL THEN 'audio_in_seconds' END,
                CASE WHEN NOT has_unit_rate AND NOT has_token_rate AND billed_audio_out_ms > 0 AND rate.audio_out_ms_usd IS NULL THEN 'audio_out_seconds' END,
                CASE WHEN NOT has_unit_rate AND NOT has_token_rate AND billed_video_ms > 0 AND billed_video_usd IS NULL THEN 'video_seconds' END,
                CASE WHEN NOT has_unit_rate AND NOT has_token_rate AND billed_characters > 0 AND rate.characters_usd IS NULL THEN 'characters' END,
                CASE WHEN COALESCE(matched.input_image_tokens, 0) = 0 AND matched.input_images > 0 AND rate.input_images_usd IS NULL THEN 'input_images' END,
                CASE WHEN matched.pages > 0 AND rate.pages_usd IS NULL THEN 'pages' END,
                CASE WHEN matched.map_queries > 0 AND rate.map_queries_usd IS NULL THEN 'map_queries' END,
                CASE WHEN matched.file_searches > 0 AND rate.file_searches_usd IS NULL THEN 'file_searches' END,
                CASE WHEN matched.queries > 0 AND rate.queries_usd IS NULL THEN 'queries' END,
                CASE WHEN matched.sessions > 0 AND rate.sessions_usd IS NULL THEN 'sessions' END,
                CASE WHEN billed_searches > 0 AND searches_usd IS NULL THEN 'searches' END,
                ARRAY_TO_STRING(LIST_FILTER(MAP_KEYS(matched.rare_meters), lambda meter: rate.rare_usd[meter] IS NULL), ', ')
            ), '')
        END AS unpriced_meters
    FROM matched
    LEFT JOIN usual_rate AS usual
        ON usual.sheet_no = matched.sheet_no
        AND usual.tier = matched.priced_tier
        AND usual.modifier = matched.modifier
        AND usual.off_peak = matched.off_peak
        AND usual.above_tokens < COALESCE(matched.prompt_tokens, 0)
        AND usual.upto_tokens >= COALESCE(matched.prompt_tokens, 0)
    LEFT JOIN work_rate AS rate ON rate.rate_id = CASE WHEN matched.has_others THEN usual.rate_id END
),
judged AS (
    SELECT
        costed.*,
        CASE
            WHEN rate_id IS NOT NULL AND is_rated AND cost_usd = 0 THEN 'zero_rated'
            WHEN rate_id IS NOT NULL AND (is_rated OR (quantity = 0 AND unpriced_meters IS NULL))
                THEN CASE WHEN is_alias THEN 'priced_by_alias' ELSE 'priced' END
            WHEN provider_cost_usd IS NOT NULL THEN 'provider_reported'
            ELSE 'unpriced'
        END AS price_status
    FROM costed
)
SELECT
    receipt_no,
    name_no,
    span_no,
    CASE WHEN price_status NOT IN ('unpriced', 'provider_reported') THEN rate_id END AS rate_id,
    price_status,
    CASE
        WHEN price_status <> 'unpriced' THEN NULL
        WHEN quantity IS NULL THEN 'no usage was seen'
        -- Which of the two it is, the name knows.
        WHEN span_no IS NULL THEN 'no rates at that time'
        WHEN rate_id IS NULL THEN 'the card has no rates for the tier ' || priced_tier
        ELSE 'the card has no rate for what was used'
    END AS unpriced_reason,
    CASE WHEN price_status <> 'provider_reported' THEN unpriced_meters END AS unpriced_meters,
    CASE price_status
        WHEN 'unpriced' THEN NULL
        WHEN 'provider_reported' THEN provider_cost_usd
        ELSE cost_usd
    END AS estimated_cost_usd
FROM judged;

-- name: spell_out
-- The prices as they are kept and compared.
CREATE OR REPLACE TEMP VIEW fresh_price AS
SELECT
    receipt.receipt_id,
    COALESCE(price_span.model_key, work_name.model_key) AS model_key,
    COALESCE(price_span.resolution_rule, work_name.rule) AS resolution_rule,
    CAST(fresh_cost.price_status AS VARCHAR) AS price_status,
    CASE
        WHEN fresh_cost.unpriced_reason = 'no rates at that time' AND work_name.model_key IS NULL THEN work_name.rule
        ELSE fresh_cost.unpriced_reason
    END AS unpriced_reason,
    fresh_cost.unpriced_meters,
    CASE
        WHEN fresh_cost.price_status NOT IN ('unpriced', 'provider_reported') THEN price_span.rate_card_id
    END AS rate_card_id,
    fresh_cost.rate_id,
    fresh_cost.estimated_cost_usd
FROM fresh_cost
JOIN receipt ON receipt.rowid = fresh_cost.receipt_no
JOIN work_name USING (name_no)
LEFT JOIN price_span USING (span_no);
