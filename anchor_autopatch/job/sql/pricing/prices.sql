-- Statements that price receipts: set-based, one pass, DECIMAL throughout.

-- name: knowledge
-- Digest of the current segments; order-independent.
SELECT
    COUNT(*) AS segment_count,
    BIT_XOR(HASH(source, model_key, provider, valid_from, valid_to, rate_sheet_id, rate_card_id)) AS digest
FROM rate_segment
WHERE superseded_at IS NULL;

-- name: last_run
-- Knowledge and instant of the latest run.
SELECT
    knowledge,
    priced_at
FROM pricing_run
ORDER BY priced_at DESC
LIMIT 1;

-- name: collect_new
-- Billable receipts that have meters and no price, among those shipped or settled anew at $since or later: whatever is
-- older was looked at by a run before. The part of the history that is read does not grow with it.
CREATE OR REPLACE TEMP TABLE price_work AS
SELECT receipt_id
FROM (
    SELECT receipt_id
    FROM settled_receipt
    WHERE billable
        AND shipped_at >= $since
    UNION
    SELECT receipt_id
    FROM settlement
    JOIN settled_receipt USING (receipt_id)
    WHERE settlement.settled_at >= $since
        AND settled_receipt.billable
) AS candidate
SEMI JOIN receipt_meters USING (receipt_id)
ANTI JOIN receipt_price USING (receipt_id);

-- name: collect_open
-- All billable receipts that have meters, of periods from $open_from on that are not frozen, and those without a price.
CREATE OR REPLACE TEMP TABLE price_work AS
SELECT receipt.receipt_id
FROM settled_receipt AS receipt
SEMI JOIN receipt_meters USING (receipt_id)
LEFT JOIN receipt_price USING (receipt_id)
WHERE receipt.billable
    AND (
        receipt_price.receipt_id IS NULL
        OR (
            receipt.occurred_at >= $open_from
            AND DATE_TRUNC('month', receipt.occurred_at) NOT IN (SELECT CAST(period || '-01' AS TIMESTAMP) FROM frozen_period)
        )
    );

-- name: collect_since
-- Billable receipts with a price that began at $since or later, of frozen periods, too.
CREATE OR REPLACE TEMP TABLE price_work AS
SELECT receipt.receipt_id
FROM settled_receipt AS receipt
SEMI JOIN receipt_price USING (receipt_id)
WHERE receipt.billable
    AND receipt.occurred_at >= $since;

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
        receipt.receipt_id,
        receipt.occurred_at,
        LOWER(receipt.request_model) AS request_model,
        LOWER(receipt.response_model) AS response_model,
        receipt_price.model_key,
        receipt_price.price_status
    FROM settled_receipt AS receipt
    JOIN receipt_price USING (receipt_id)
    WHERE receipt.billable
        AND DATE_TRUNC('month', receipt.occurred_at) IN (SELECT CAST(period || '-01' AS TIMESTAMP) FROM frozen_period)
)
SELECT receipt_id
FROM frozen
WHERE price_status = 'unpriced'
UNION
SELECT receipt_id
FROM frozen
JOIN changed_segment USING (model_key)
WHERE occurred_at >= valid_from
    AND occurred_at < valid_to
UNION
-- A contract may cover names that the list priced until now; too many are looked at rather than too few.
SELECT receipt_id
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
    );

-- name: forget_proposals
-- Drops the proposals of the receipts that are looked at anew.
DELETE FROM price_proposal
WHERE receipt_id IN (SELECT receipt_id FROM price_work);

-- name: insert_proposals
-- What receipts of frozen periods would cost by what is known now, where it differs.
INSERT INTO price_proposal (
    receipt_id, period, provider, model_key, rate_card_id, price_status, frozen_cost_usd, proposed_cost_usd, noticed_at
)
SELECT
    receipt_id,
    STRFTIME(receipt.occurred_at, '%Y-%m'),
    receipt.provider,
    fresh_price.model_key,
    fresh_price.rate_card_id,
    fresh_price.price_status,
    receipt_price.estimated_cost_usd,
    fresh_price.estimated_cost_usd,
    $now
FROM fresh_price
JOIN receipt_price USING (receipt_id)
JOIN settled_receipt AS receipt USING (receipt_id)
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

-- name: count_work
-- How many receipts are looked at.
SELECT COUNT(*) FROM price_work;

-- name: unresolved_names
-- The distinct names in the work that the catalogue $catalogue_id has not resolved yet.
SELECT DISTINCT
    receipt.provider,
    COALESCE(priced_model(receipt.operation, receipt.request_model), '') AS request_model,
    COALESCE(receipt_meters.served_model, priced_model(receipt.operation, receipt.response_model), '') AS response_model,
    receipt_meters.image_variant
FROM price_work
JOIN settled_receipt AS receipt USING (receipt_id)
JOIN receipt_meters USING (receipt_id)
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

-- name: price_work
-- The price of every receipt in the work, as it is known now. A contract that covers the instant comes before the
-- list. Tier, surcharge, time of day and bracket select one row of unit prices, so a cost is a plain sum of
-- quantity x unit price; whether a cost of 0 means free or unknown is looked into only where it is 0.
CREATE OR REPLACE TEMP TABLE fresh_price AS
WITH named AS (
    SELECT
        receipt.occurred_at,
        host_region(receipt.provider, receipt.provider_host) AS host_region,
        receipt_meters.*,
        model_resolution.model_key,
        model_resolution.rule,
        model_resolution.is_alias,
        model_resolution.contract_key,
        model_resolution.contract_provider
    FROM price_work
    JOIN settled_receipt AS receipt USING (receipt_id)
    JOIN receipt_meters USING (receipt_id)
    JOIN model_resolution
        ON model_resolution.provider = receipt.provider
        AND model_resolution.request_model = COALESCE(priced_model(receipt.operation, receipt.request_model), '')
        AND model_resolution.response_model = COALESCE(
            receipt_meters.served_model,
            priced_model(receipt.operation, receipt.response_model),
            ''
        )
        AND model_resolution.image_variant = receipt_meters.image_variant
),
dated AS (
    SELECT
        named.*,
        contract.rate_sheet_id IS NOT NULL AS is_contract,
        COALESCE(contract.rate_sheet_id, list.rate_sheet_id) AS rate_sheet_id,
        COALESCE(contract.rate_card_id, list.rate_card_id) AS rate_card_id
    FROM named
    LEFT JOIN agreed_segment AS contract
        ON contract.contract_key = named.contract_key
        AND contract.contract_provider = named.contract_provider
        AND contract.model_key = COALESCE(named.model_key, '')
        AND named.occurred_at >= contract.valid_from
        AND named.occurred_at < contract.valid_to
    LEFT JOIN rate_segment AS list
        ON list.source = 'list'
        AND list.superseded_at IS NULL
        AND list.model_key = named.model_key
        AND named.occurred_at >= list.valid_from
        AND named.occurred_at < list.valid_to
),
matched AS (
    SELECT
        dated.*,
        CASE
            WHEN LIST_CONTAINS(rate_sheet.tiers, dated.tier) THEN dated.tier
            -- Dearer hardware, which the list does not know: the standard rate would be too low in silence.
            WHEN dated.tier = 'latency_optimized' AND NOT dated.is_contract THEN dated.tier
            ELSE 'standard'
        END AS priced_tier,
        surcharges(
            rate_sheet.modifiers,
            priced_tier,
            dated.speed,
            dated.inference_geo,
            COALESCE(dated.region, dated.host_region)
        ) AS modifier,
        is_off_peak(rate_sheet.off_peak_minutes, priced_tier, dated.occurred_at) AS off_peak
    FROM dated
    LEFT JOIN rate_sheet USING (rate_sheet_id)
),
costed AS (
    SELECT
        matched.receipt_id,
        CASE WHEN matched.is_contract THEN matched.contract_key ELSE matched.model_key END AS model_key,
        CASE WHEN matched.is_contract THEN 'contract' ELSE matched.rule END AS resolution_rule,
        matched.is_alias AND NOT matched.is_contract AS is_alias,
        matched.rate_sheet_id,
        matched.rate_card_id,
        matched.priced_tier,
        rate.rate_id,
        matched.provider_cost_usd,
        billable_quantity(
            matched.total_tokens - matched.unbilled_tokens,
            matched.images,
            matched.audio_in_ms,
            matched.audio_out_ms,
            matched.video_ms,
            matched.characters,
            matched.pages,
            matched.queries,
            CARDINALITY(matched.rare_meters)
        ) AS quantity,
        billed_units(matched.images, matched.total_tokens, rate.units_with_tokens) AS billed_images,
        billed_units(matched.pixels, matched.total_tokens, rate.units_with_tokens) AS billed_pixels,
        billed_units(matched.audio_in_ms, matched.total_tokens, rate.units_with_tokens) AS billed_audio_in_ms,
        billed_units(matched.audio_out_ms, matched.total_tokens, rate.units_with_tokens) AS billed_audio_out_ms,
        billed_units(matched.video_ms, matched.total_tokens, rate.units_with_tokens) AS billed_video_ms,
        billed_units(matched.characters, matched.total_tokens, rate.units_with_tokens) AS billed_characters,
        billed_searches(matched.searches, rate.search_per_prompt) AS billed_searches,
        search_usd(
            matched.search_context,
            rate.searches_low_usd,
            rate.searches_medium_usd,
            rate.searches_high_usd
        ) AS searches_usd,
        video_usd(matched.video_resolution, rate.video_ms_usd, rate.rare_usd) AS billed_video_usd,
        CAST(
            line_cost(matched.input_tokens, rate.input_tokens_usd)
            + line_cost(matched.input_audio_tokens, rate.input_audio_tokens_usd)
            + line_cost(matched.input_image_tokens, rate.input_image_tokens_usd)
            + line_cost(matched.input_video_tokens, rate.input_video_tokens_usd)
            + line_cost(matched.input_tool_tokens, rate.input_tool_tokens_usd)
            + line_cost(matched.cache_read_tokens, rate.cache_read_tokens_usd)
            + line_cost(matched.cache_read_audio_tokens, rate.cache_read_audio_tokens_usd)
            + line_cost(matched.cache_write_5m_tokens, rate.cache_write_5m_tokens_usd)
            + line_cost(matched.cache_write_30m_tokens, rate.cache_write_30m_tokens_usd)
            + line_cost(matched.cache_write_1h_tokens, rate.cache_write_1h_tokens_usd)
            + line_cost(matched.cache_write_12h_tokens, rate.cache_write_12h_tokens_usd)
            + line_cost(matched.cache_write_tokens, rate.cache_write_tokens_usd)
            + line_cost(matched.output_tokens, rate.output_tokens_usd)
            + line_cost(matched.output_reasoning_tokens, rate.output_reasoning_tokens_usd)
            + line_cost(matched.output_audio_tokens, rate.output_audio_tokens_usd)
            + line_cost(matched.output_image_tokens, rate.output_image_tokens_usd)
            + line_cost(matched.output_video_tokens, rate.output_video_tokens_usd)
            + line_cost(billed_images, rate.images_usd)
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
            + line_cost(billed_searches, searches_usd)
            + rare_cost(matched.rare_meters, rate.rare_usd)
            AS DECIMAL(38, 18)
        ) AS cost_usd,
        CASE
            WHEN cost_usd > 0 THEN true
            ELSE COALESCE(
                CASE WHEN matched.input_tokens > 0 THEN rate.input_tokens_usd END,
                CASE WHEN matched.input_audio_tokens > 0 THEN rate.input_audio_tokens_usd END,
                CASE WHEN matched.input_image_tokens > 0 THEN rate.input_image_tokens_usd END,
                CASE WHEN matched.input_video_tokens > 0 THEN rate.input_video_tokens_usd END,
                CASE WHEN matched.input_tool_tokens > 0 THEN rate.input_tool_tokens_usd END,
                CASE WHEN matched.cache_read_tokens > 0 THEN rate.cache_read_tokens_usd END,
                CASE WHEN matched.cache_read_audio_tokens > 0 THEN rate.cache_read_audio_tokens_usd END,
                CASE WHEN matched.cache_write_5m_tokens > 0 THEN rate.cache_write_5m_tokens_usd END,
                CASE WHEN matched.cache_write_30m_tokens > 0 THEN rate.cache_write_30m_tokens_usd END,
                CASE WHEN matched.cache_write_1h_tokens > 0 THEN rate.cache_write_1h_tokens_usd END,
                CASE WHEN matched.cache_write_12h_tokens > 0 THEN rate.cache_write_12h_tokens_usd END,
                CASE WHEN matched.cache_write_tokens > 0 THEN rate.cache_write_tokens_usd END,
                CASE WHEN matched.output_tokens > 0 THEN rate.output_tokens_usd END,
                CASE WHEN matched.output_reasoning_tokens > 0 THEN rate.output_reasoning_tokens_usd END,
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
        matched.total_tokens > 0 AND COALESCE(rate.input_tokens_usd, rate.output_tokens_usd) IS NOT NULL AS has_token_rate,
        -- Tokens and units of one answer are two measures of it: where one of them has a rate, the other needs none.
        CASE
            WHEN rate.input_tokens_usd IS NOT NULL
                AND rate.output_tokens_usd IS NOT NULL
                AND COALESCE(
                    matched.images,
                    matched.input_images,
                    matched.audio_in_ms,
                    matched.audio_out_ms,
                    matched.video_ms,
                    matched.characters,
                    matched.pages,
                    matched.searches,
                    matched.map_queries,
                    matched.file_searches,
                    matched.queries,
                    matched.sessions,
                    CARDINALITY(matched.rare_meters)
                ) IS NULL
                THEN NULL
            ELSE NULLIF(CONCAT_WS(
                ', ',
                CASE WHEN NOT has_unit_rate AND matched.input_tokens > 0 AND rate.input_tokens_usd IS NULL THEN 'input_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.input_audio_tokens > 0 AND rate.input_audio_tokens_usd IS NULL THEN 'input_audio_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.input_image_tokens > 0 AND rate.input_image_tokens_usd IS NULL THEN 'input_image_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.input_video_tokens > 0 AND rate.input_video_tokens_usd IS NULL THEN 'input_video_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.input_tool_tokens > 0 AND rate.input_tool_tokens_usd IS NULL THEN 'input_tool_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.cache_read_tokens > 0 AND rate.cache_read_tokens_usd IS NULL THEN 'cache_read_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.cache_read_audio_tokens > 0 AND rate.cache_read_audio_tokens_usd IS NULL THEN 'cache_read_audio_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.cache_write_5m_tokens > 0 AND rate.cache_write_5m_tokens_usd IS NULL THEN 'cache_write_5m_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.cache_write_30m_tokens > 0 AND rate.cache_write_30m_tokens_usd IS NULL THEN 'cache_write_30m_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.cache_write_1h_tokens > 0 AND rate.cache_write_1h_tokens_usd IS NULL THEN 'cache_write_1h_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.cache_write_12h_tokens > 0 AND rate.cache_write_12h_tokens_usd IS NULL THEN 'cache_write_12h_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.cache_write_tokens > 0 AND rate.cache_write_tokens_usd IS NULL THEN 'cache_write_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.output_tokens > 0 AND rate.output_tokens_usd IS NULL THEN 'output_tokens' END,
                CASE WHEN NOT has_unit_rate AND matched.output_reasoning_tokens > 0 AND rate.output_reasoning_tokens_usd IS NULL THEN 'output_reasoning_tokens' END,
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
    LEFT JOIN rate
        ON rate.rate_sheet_id = matched.rate_sheet_id
        AND rate.tier = matched.priced_tier
        AND rate.modifier = matched.modifier
        AND rate.off_peak = matched.off_peak
        AND rate.above_tokens < COALESCE(matched.prompt_tokens, 0)
        AND rate.upto_tokens >= COALESCE(matched.prompt_tokens, 0)
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
    receipt_id,
    model_key,
    resolution_rule,
    price_status,
    CASE
        WHEN price_status <> 'unpriced' THEN NULL
        WHEN quantity IS NULL THEN 'no usage was seen'
        WHEN rate_sheet_id IS NULL AND model_key IS NULL THEN resolution_rule
        WHEN rate_sheet_id IS NULL THEN 'no rates at that time'
        WHEN rate_id IS NULL THEN 'the card has no rates for the tier ' || priced_tier
        ELSE 'the card has no rate for what was used'
    END AS unpriced_reason,
    CASE WHEN price_status <> 'provider_reported' THEN unpriced_meters END AS unpriced_meters,
    CASE WHEN price_status NOT IN ('unpriced', 'provider_reported') THEN rate_card_id END AS rate_card_id,
    CASE WHEN price_status NOT IN ('unpriced', 'provider_reported') THEN rate_id END AS rate_id,
    CASE price_status
        WHEN 'unpriced' THEN NULL
        WHEN 'provider_reported' THEN provider_cost_usd
        ELSE cost_usd
    END AS estimated_cost_usd
FROM judged;

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
    price_status,
    COUNT(*) AS receipt_count
FROM fresh_price
GROUP BY price_status
ORDER BY price_status;

-- name: count_changed
-- How many prices were written.
SELECT COUNT(*) FROM changed_price;

-- name: record_run
-- One row per run that looked at receipts or at new knowledge.
INSERT INTO pricing_run (priced_at, knowledge, receipt_count, changed_count)
VALUES ($now, $knowledge, $receipt_count, $changed_count);

-- name: drop_work
-- Ends the run.
DROP TABLE IF EXISTS price_work;
DROP TABLE IF EXISTS fresh_price;
DROP TABLE IF EXISTS changed_price;
DROP TABLE IF EXISTS checked_price;
DROP TABLE IF EXISTS agreed_segment;
