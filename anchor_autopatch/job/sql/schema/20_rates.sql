-- Meters of receipts, rate cards, and the price of every receipt. Instants are UTC TIMESTAMP, intervals
-- [from, to). Rates are DECIMAL(20,18) USD per unit: 18 decimals, since per-pixel and converted rates need
-- more than 15. Costs are DECIMAL(38,18) USD. No column is a binary fraction.

CREATE TABLE IF NOT EXISTS receipt_meters (
    receipt_id VARCHAR NOT NULL,
    meter_version INTEGER NOT NULL,
    measured_at TIMESTAMP NOT NULL,
    input_tokens BIGINT,
    input_audio_tokens BIGINT,
    input_image_tokens BIGINT,
    input_video_tokens BIGINT,
    input_tool_tokens BIGINT,
    cache_read_tokens BIGINT,
    cache_read_audio_tokens BIGINT,
    cache_write_5m_tokens BIGINT,
    cache_write_30m_tokens BIGINT,
    cache_write_1h_tokens BIGINT,
    cache_write_12h_tokens BIGINT,
    cache_write_tokens BIGINT,
    output_tokens BIGINT,
    output_reasoning_tokens BIGINT,
    output_audio_tokens BIGINT,
    output_image_tokens BIGINT,
    output_video_tokens BIGINT,
    unbilled_tokens BIGINT,
    images BIGINT,
    pixels BIGINT,
    input_images BIGINT,
    audio_in_ms BIGINT,
    audio_out_ms BIGINT,
    video_ms BIGINT,
    characters BIGINT,
    pages BIGINT,
    searches BIGINT,
    map_queries BIGINT,
    file_searches BIGINT,
    queries BIGINT,
    sessions BIGINT,
    prompt_tokens BIGINT,
    total_tokens BIGINT,
    provider_total_tokens BIGINT,
    usage_mismatch BOOLEAN NOT NULL,
    tier VARCHAR NOT NULL,
    speed VARCHAR,
    inference_geo VARCHAR,
    region VARCHAR,
    search_context VARCHAR,
    image_variant VARCHAR NOT NULL,
    provider_cost_usd DECIMAL(38, 18),
    video_resolution VARCHAR,
    served_model VARCHAR,
    rare_meters MAP(VARCHAR, BIGINT),
    estimated_meters VARCHAR
);
COMMENT ON TABLE receipt_meters IS 'Quantities of one receipt in disjoint meters, read from its raw usage; NULL = nobody said';
COMMENT ON COLUMN receipt_meters.meter_version IS 'Version of the reading rules';
COMMENT ON COLUMN receipt_meters.input_tokens IS 'Tokens: text that no cache served or stored';
COMMENT ON COLUMN receipt_meters.input_tool_tokens IS 'Tokens: read again for the provider''s own tools';
COMMENT ON COLUMN receipt_meters.cache_read_tokens IS 'Tokens: served from a cache, audio apart';
COMMENT ON COLUMN receipt_meters.cache_write_tokens IS 'Tokens: stored for a time that the provider does not tell';
COMMENT ON COLUMN receipt_meters.output_tokens IS 'Tokens: text';
COMMENT ON COLUMN receipt_meters.unbilled_tokens IS 'Tokens: counted by the provider, not billed';
COMMENT ON COLUMN receipt_meters.images IS 'Generated images';
COMMENT ON COLUMN receipt_meters.pixels IS 'Pixels of all generated images together';
COMMENT ON COLUMN receipt_meters.audio_in_ms IS 'Milliseconds of audio heard';
COMMENT ON COLUMN receipt_meters.audio_out_ms IS 'Milliseconds of audio spoken';
COMMENT ON COLUMN receipt_meters.video_ms IS 'Milliseconds of video made';
COMMENT ON COLUMN receipt_meters.queries IS 'Rerank or search units';
COMMENT ON COLUMN receipt_meters.sessions IS 'Code interpreter sessions';
COMMENT ON COLUMN receipt_meters.prompt_tokens IS 'Tokens: all input together, which context brackets go by';
COMMENT ON COLUMN receipt_meters.total_tokens IS 'Tokens: all token meters together';
COMMENT ON COLUMN receipt_meters.provider_total_tokens IS 'Tokens: total as the provider stated it';
COMMENT ON COLUMN receipt_meters.usage_mismatch IS 'true = the provider''s own figures do not add up or cannot be read';
COMMENT ON COLUMN receipt_meters.tier IS 'Served service tier: standard | batch | flex | priority | ...';
COMMENT ON COLUMN receipt_meters.image_variant IS 'quality/size of images that report no tokens, as rate cards spell it, or high-res for a video; empty = none';
COMMENT ON COLUMN receipt_meters.video_resolution IS '480p | 720p | 1080p | 2k | 4k | ...; NULL = nobody said';
COMMENT ON COLUMN receipt_meters.served_model IS 'What is priced instead of the model that the answer names; NULL = that one';
COMMENT ON COLUMN receipt_meters.rare_meters IS 'Further quantities above 0 by the name of their meter, such as training_tokens; NULL = none';
COMMENT ON COLUMN receipt_meters.estimated_meters IS 'Token meters that nobody told, estimated from the length of the texts: "input_tokens, output_tokens"; NULL = none';
COMMENT ON COLUMN receipt_meters.provider_cost_usd IS 'USD, as the provider itself stated it';

CREATE OR REPLACE VIEW sorted_meters AS
SELECT
    *,
    rowid AS meters_no,
    COALESCE(GREATEST(
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
        output_video_tokens
    ) > 0, false) AS has_rare_tokens,
    COALESCE(
        images,
        pixels,
        input_images,
        audio_in_ms,
        audio_out_ms,
        video_ms,
        characters,
        pages,
        map_queries,
        file_searches,
        queries,
        sessions,
        CARDINALITY(rare_meters)
    ) IS NOT NULL AS has_units
FROM receipt_meters;
COMMENT ON VIEW sorted_meters IS 'Meters of receipts, and whether they are more than the usual ones';
COMMENT ON COLUMN sorted_meters.meters_no IS 'Row in the table receipt_meters';
COMMENT ON COLUMN sorted_meters.has_rare_tokens IS 'true = tokens beside text, reasoning and what a cache served or stored for 5 minutes or an hour';
COMMENT ON COLUMN sorted_meters.has_units IS 'true = something was counted beside tokens and searches';

CREATE TABLE IF NOT EXISTS rate_card (
    rate_card_id VARCHAR NOT NULL UNIQUE,
    source VARCHAR NOT NULL,
    source_version VARCHAR NOT NULL,
    content_sha256 VARCHAR NOT NULL,
    observed_at TIMESTAMP NOT NULL,
    recorded_at TIMESTAMP NOT NULL,
    model_count BIGINT NOT NULL
);
COMMENT ON TABLE rate_card IS 'One version of a price list, or one contract';
COMMENT ON COLUMN rate_card.rate_card_id IS 'SHA-256 (hex) over the rates in canonical form';
COMMENT ON COLUMN rate_card.source IS 'litellm (its table in the installed package) | file | url | contract';
COMMENT ON COLUMN rate_card.source_version IS 'Version of the package, name of the file, host of the URL, or who entered the contract';
COMMENT ON COLUMN rate_card.content_sha256 IS 'SHA-256 (hex) of the source text itself';
COMMENT ON COLUMN rate_card.observed_at IS 'When the card was first seen, UTC';
COMMENT ON COLUMN rate_card.recorded_at IS 'When it entered the warehouse, UTC';

CREATE TABLE IF NOT EXISTS price_source (
    url VARCHAR NOT NULL,
    etag VARCHAR NOT NULL,
    content_sha256 VARCHAR NOT NULL,
    fetched_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE price_source IS 'URLs that price tables were fetched from, and what each gave last';
COMMENT ON COLUMN price_source.etag IS 'Of the answer, so that an unchanged table is not sent again; empty = none';
COMMENT ON COLUMN price_source.content_sha256 IS 'SHA-256 (hex) of the content';

CREATE TABLE IF NOT EXISTS rate_sheet (
    rate_sheet_id UUID NOT NULL UNIQUE,
    provider VARCHAR NOT NULL,
    fields VARCHAR NOT NULL,
    tiers VARCHAR[] NOT NULL,
    modifiers VARCHAR[] NOT NULL,
    off_peak_minutes BIT,
    card_version INTEGER,
    units_with_tokens BOOLEAN
);
COMMENT ON TABLE rate_sheet IS 'All rates of one model, as one card states them; shared by cards that agree';
COMMENT ON COLUMN rate_sheet.rate_sheet_id IS 'First 128 bits of the SHA-256 over fields';
COMMENT ON COLUMN rate_sheet.provider IS 'Provider as the card names it';
COMMENT ON COLUMN rate_sheet.fields IS 'JSON object: the published fields with their digits unrounded';
COMMENT ON COLUMN rate_sheet.tiers IS 'Service tiers with rates of their own, beside standard';
COMMENT ON COLUMN rate_sheet.modifiers IS 'Surcharges that this model has: fast, geo:us, region:eu, region:* (any but global)';
COMMENT ON COLUMN rate_sheet.card_version IS 'Version of the rules that made rates of the fields; NULL = 1';
COMMENT ON COLUMN rate_sheet.units_with_tokens IS 'true = a contract prices images, seconds and characters beside tokens; NULL = not told';
COMMENT ON COLUMN rate_sheet.off_peak_minutes IS 'Bit n = minute n of the week from Monday 00:00 UTC is off-peak; NULL = no off-peak rates';

CREATE TABLE IF NOT EXISTS rate (
    rate_id UBIGINT NOT NULL UNIQUE,
    rate_sheet_id UUID NOT NULL,
    tier VARCHAR NOT NULL,
    modifier VARCHAR NOT NULL,
    off_peak BOOLEAN NOT NULL,
    above_tokens BIGINT NOT NULL,
    upto_tokens BIGINT NOT NULL,
    units_with_tokens BOOLEAN NOT NULL,
    search_per_prompt BOOLEAN NOT NULL,
    input_tokens_usd DECIMAL(20, 18),
    input_audio_tokens_usd DECIMAL(20, 18),
    input_image_tokens_usd DECIMAL(20, 18),
    input_video_tokens_usd DECIMAL(20, 18),
    input_tool_tokens_usd DECIMAL(20, 18),
    cache_read_tokens_usd DECIMAL(20, 18),
    cache_read_audio_tokens_usd DECIMAL(20, 18),
    cache_write_5m_tokens_usd DECIMAL(20, 18),
    cache_write_30m_tokens_usd DECIMAL(20, 18),
    cache_write_1h_tokens_usd DECIMAL(20, 18),
    cache_write_12h_tokens_usd DECIMAL(20, 18),
    cache_write_tokens_usd DECIMAL(20, 18),
    output_tokens_usd DECIMAL(20, 18),
    output_reasoning_tokens_usd DECIMAL(20, 18),
    output_audio_tokens_usd DECIMAL(20, 18),
    output_image_tokens_usd DECIMAL(20, 18),
    output_video_tokens_usd DECIMAL(20, 18),
    images_usd DECIMAL(20, 18),
    pixels_usd DECIMAL(20, 18),
    input_images_usd DECIMAL(20, 18),
    audio_in_ms_usd DECIMAL(20, 18),
    audio_out_ms_usd DECIMAL(20, 18),
    video_ms_usd DECIMAL(20, 18),
    characters_usd DECIMAL(20, 18),
    pages_usd DECIMAL(20, 18),
    searches_low_usd DECIMAL(20, 18),
    searches_medium_usd DECIMAL(20, 18),
    searches_high_usd DECIMAL(20, 18),
    map_queries_usd DECIMAL(20, 18),
    file_searches_usd DECIMAL(20, 18),
    queries_usd DECIMAL(20, 18),
    sessions_usd DECIMAL(20, 18),
    rare_usd MAP(VARCHAR, DECIMAL(20, 18))
);
COMMENT ON TABLE rate IS 'Unit prices of one model for one tier, surcharge, time of day and context bracket; USD per unit, NULL = no such rate';
COMMENT ON COLUMN rate.rate_id IS 'First 64 bits of the SHA-256 over the columns that select the row';
COMMENT ON COLUMN rate.modifier IS 'Surcharges that are multiplied in, joined by +; empty = none';
COMMENT ON COLUMN rate.above_tokens IS 'Bracket: applies when prompt_tokens > above_tokens ...';
COMMENT ON COLUMN rate.upto_tokens IS '... and prompt_tokens <= upto_tokens; the whole call is billed at it';
COMMENT ON COLUMN rate.units_with_tokens IS 'Rates per image, second and character also bill calls that report tokens';
COMMENT ON COLUMN rate.search_per_prompt IS 'Searches of one call bill as one';
COMMENT ON COLUMN rate.rare_usd IS 'USD per unit of further meters, by name; NULL = none';
COMMENT ON COLUMN rate.audio_in_ms_usd IS 'USD per millisecond';
COMMENT ON COLUMN rate.audio_out_ms_usd IS 'USD per millisecond';
COMMENT ON COLUMN rate.video_ms_usd IS 'USD per millisecond';

CREATE TABLE IF NOT EXISTS rate_observation (
    rate_card_id VARCHAR NOT NULL,
    model_key VARCHAR NOT NULL,
    rate_sheet_id UUID NOT NULL
);
COMMENT ON TABLE rate_observation IS 'Which sheet a card holds for a model; segments are derived from these, in any order of loading';

CREATE TABLE IF NOT EXISTS rate_segment (
    source VARCHAR NOT NULL,
    model_key VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    valid_from TIMESTAMP NOT NULL,
    valid_to TIMESTAMP NOT NULL,
    rate_sheet_id UUID NOT NULL,
    rate_card_id VARCHAR NOT NULL,
    provenance VARCHAR NOT NULL,
    recorded_at TIMESTAMP NOT NULL,
    superseded_at TIMESTAMP
);
COMMENT ON TABLE rate_segment IS 'Which sheet prices a model from when to when, and since when we knew';
COMMENT ON COLUMN rate_segment.source IS 'list | contract; a contract outranks the list while it lasts';
COMMENT ON COLUMN rate_segment.provider IS 'list: provider as the card names it; contract: the provider it is limited to, empty = any';
COMMENT ON COLUMN rate_segment.valid_from IS 'UTC, inclusive; 1970-01-01 = open past';
COMMENT ON COLUMN rate_segment.valid_to IS 'UTC, exclusive; 9999-12-31 = open';
COMMENT ON COLUMN rate_segment.provenance IS 'Where valid_from comes from: oldest known rates | first seen | known start (a person) | start by genai-prices | contract';
COMMENT ON COLUMN rate_segment.recorded_at IS 'When we knew, UTC';
COMMENT ON COLUMN rate_segment.superseded_at IS 'When better knowledge replaced the row, UTC; NULL = current';

CREATE TABLE IF NOT EXISTS rate_start (
    model_key VARCHAR NOT NULL,
    starts_at TIMESTAMP NOT NULL,
    reason VARCHAR NOT NULL,
    actor VARCHAR NOT NULL,
    recorded_at TIMESTAMP NOT NULL,
    source VARCHAR,
    source_version VARCHAR,
    rate_sheet_id UUID,
    superseded_at TIMESTAMP
);
COMMENT ON TABLE rate_start IS 'Audit: when list rates really began, for changes that the list showed later; append-only, the last word counts, that of a person before any other';
COMMENT ON COLUMN rate_start.starts_at IS 'UTC; belongs to the first change of the model that was seen on it or later';
COMMENT ON COLUMN rate_start.source IS 'genai-prices; NULL = a person';
COMMENT ON COLUMN rate_start.source_version IS 'Version of the package that first said so; NULL = a person';
COMMENT ON COLUMN rate_start.rate_sheet_id IS 'The sheet that the change must be to, else the date is not used; NULL = any';
COMMENT ON COLUMN rate_start.superseded_at IS 'When the source no longer said so, or the tables no longer fitted it, UTC; NULL = it counts';

CREATE OR REPLACE VIEW list_change AS
WITH observation AS (
    SELECT
        rate_observation.model_key,
        rate_observation.rate_sheet_id,
        rate_observation.rate_card_id,
        rate_card.observed_at,
        LAG(rate_observation.rate_sheet_id) OVER earlier AS sheet_before
    FROM rate_observation
    JOIN rate_card USING (rate_card_id)
    WINDOW earlier AS (
        PARTITION BY rate_observation.model_key
        ORDER BY rate_card.observed_at, rate_observation.rate_card_id
    )
)
SELECT
    model_key,
    rate_sheet_id,
    sheet_before,
    rate_card_id,
    observed_at,
    ROW_NUMBER() OVER later = 1 AS is_first
FROM observation
WHERE sheet_before IS DISTINCT FROM rate_sheet_id
WINDOW later AS (PARTITION BY model_key ORDER BY observed_at, rate_card_id);
COMMENT ON VIEW list_change IS 'Every change of a model''s list rates that was seen, by observation, never by version: an older table can carry a newer version number';
COMMENT ON COLUMN list_change.sheet_before IS 'NULL = the first rates that are known';
COMMENT ON COLUMN list_change.observed_at IS 'When the change was first seen, UTC';

CREATE TABLE IF NOT EXISTS contract_rate (
    rate_card_id VARCHAR NOT NULL,
    model_key VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    terms VARCHAR NOT NULL,
    valid_from TIMESTAMP NOT NULL,
    valid_to TIMESTAMP NOT NULL,
    reason VARCHAR NOT NULL,
    actor VARCHAR NOT NULL,
    recorded_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE contract_rate IS 'Audit: every contract or manual rate that was entered, by whom and why; append-only';
COMMENT ON COLUMN contract_rate.terms IS 'JSON object: the rates as they were typed';

CREATE TABLE IF NOT EXISTS model_resolution (
    provider VARCHAR NOT NULL,
    request_model VARCHAR NOT NULL,
    response_model VARCHAR NOT NULL,
    image_variant VARCHAR NOT NULL,
    catalogue_id VARCHAR NOT NULL,
    model_key VARCHAR,
    rule VARCHAR NOT NULL,
    is_alias BOOLEAN NOT NULL,
    contract_key VARCHAR,
    contract_provider VARCHAR,
    resolved_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE model_resolution IS 'Which key of the price list a model name means, by which rule; names are empty where the receipt has none';
COMMENT ON COLUMN model_resolution.catalogue_id IS 'Digest of the model keys that were known';
COMMENT ON COLUMN model_resolution.model_key IS 'NULL = no key fits';
COMMENT ON COLUMN model_resolution.rule IS 'How the key was found, or why none was';
COMMENT ON COLUMN model_resolution.is_alias IS 'The name itself has no rates; those of a related name are used';
COMMENT ON COLUMN model_resolution.contract_key IS 'Key of a contract that covers this name while it lasts';

CREATE TABLE IF NOT EXISTS receipt_price (
    receipt_id VARCHAR NOT NULL,
    model_key VARCHAR,
    resolution_rule VARCHAR NOT NULL,
    price_status VARCHAR NOT NULL,
    unpriced_reason VARCHAR,
    unpriced_meters VARCHAR,
    rate_card_id VARCHAR,
    rate_id UBIGINT,
    estimated_cost_usd DECIMAL(38, 18),
    priced_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE receipt_price IS 'What one billable receipt costs by the card that was valid when the request began';
COMMENT ON COLUMN receipt_price.price_status IS 'priced | priced_by_alias | zero_rated | unpriced | provider_reported';
COMMENT ON COLUMN receipt_price.unpriced_reason IS 'Why there is no cost; NULL = there is one';
COMMENT ON COLUMN receipt_price.unpriced_meters IS 'Meters that were used and have no rate, joined by a comma; their cost is unknown, and no part of the estimate; NULL = none';
COMMENT ON COLUMN receipt_price.estimated_cost_usd IS 'USD, the sum of the receipt''s usage lines; NULL = unpriced, never 0 for lack of a rate';
COMMENT ON COLUMN receipt_price.priced_at IS 'When this price was last found to differ from the one before, UTC';

CREATE TABLE IF NOT EXISTS pricing_run (
    priced_at TIMESTAMP NOT NULL,
    knowledge VARCHAR NOT NULL,
    receipt_count BIGINT NOT NULL,
    changed_count BIGINT NOT NULL,
    shipment_count BIGINT
);
COMMENT ON TABLE pricing_run IS 'Every run of pricing; a run with the knowledge of the one before looks at new receipts only';
COMMENT ON COLUMN pricing_run.knowledge IS 'Digest of rates and rules that the run used';
COMMENT ON COLUMN pricing_run.receipt_count IS 'Receipts looked at';
COMMENT ON COLUMN pricing_run.changed_count IS 'Prices written, new or different';
COMMENT ON COLUMN pricing_run.shipment_count IS 'Shipments in the warehouse: what comes after them no run has looked at; NULL = not noted';

CREATE TABLE IF NOT EXISTS price_proposal (
    receipt_id VARCHAR NOT NULL,
    period VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    model_key VARCHAR,
    rate_card_id VARCHAR,
    price_status VARCHAR NOT NULL,
    frozen_cost_usd DECIMAL(38, 18),
    proposed_cost_usd DECIMAL(38, 18),
    noticed_at TIMESTAMP NOT NULL,
    rate_id UBIGINT,
    unpriced_meters VARCHAR
);
COMMENT ON TABLE price_proposal IS 'Receipts of frozen periods that would cost another amount by what is known now; their prices stay as they were frozen';
COMMENT ON COLUMN price_proposal.period IS 'YYYY-MM (UTC)';
COMMENT ON COLUMN price_proposal.frozen_cost_usd IS 'USD, the price that stays; NULL = unpriced';
COMMENT ON COLUMN price_proposal.proposed_cost_usd IS 'USD, by the rates that are known now; NULL = unpriced';
COMMENT ON COLUMN price_proposal.noticed_at IS 'When the difference was last found, UTC';
COMMENT ON COLUMN price_proposal.rate_id IS 'Unit prices that are known now; NULL = none';
COMMENT ON COLUMN price_proposal.unpriced_meters IS 'As receipt_price.unpriced_meters, by what is known now';

-- The formulas of pricing, in one place each; the price of a receipt and its usage lines both use them.

CREATE OR REPLACE MACRO line_cost(quantity, unit_usd) AS
    COALESCE(CAST(quantity AS DECIMAL(18, 0)) * unit_usd, 0);
CREATE OR REPLACE MACRO billed_units(units, total_tokens, units_with_tokens) AS
    CASE WHEN units_with_tokens OR COALESCE(total_tokens, 0) = 0 THEN units ELSE 0 END;
CREATE OR REPLACE MACRO billed_searches(searches, search_per_prompt) AS
    -- Not LEAST: it ignores NULL, so that no search at all would count as one.
    CASE WHEN search_per_prompt AND searches > 1 THEN 1 ELSE searches END;
CREATE OR REPLACE MACRO search_usd(search_context, low_usd, medium_usd, high_usd) AS
    CASE search_context WHEN 'low' THEN low_usd WHEN 'high' THEN high_usd ELSE medium_usd END;
CREATE OR REPLACE MACRO billable_quantity(tokens, images, audio_in, audio_out, video, characters, pages, queries, rare_count) AS
    CASE
        WHEN COALESCE(tokens, images, audio_in, audio_out, video, characters, pages, queries, rare_count) IS NOT NULL
            THEN COALESCE(tokens, 0) + COALESCE(images, 0) + COALESCE(audio_in, 0) + COALESCE(audio_out, 0)
                + COALESCE(video, 0) + COALESCE(characters, 0) + COALESCE(pages, 0) + COALESCE(queries, 0)
                + COALESCE(rare_count, 0)
    END;
CREATE OR REPLACE MACRO rare_cost(quantities, rates) AS
    CASE
        WHEN quantities IS NULL OR rates IS NULL THEN 0
        ELSE COALESCE(
            LIST_SUM(LIST_TRANSFORM(MAP_ENTRIES(quantities), lambda entry: line_cost(entry.value, rates[entry.key]))),
            0
        )
    END;
CREATE OR REPLACE MACRO video_usd(resolution, usual_usd, rare_usd) AS
    CASE WHEN resolution IS NULL THEN usual_usd ELSE COALESCE(rare_usd['video_ms_' || resolution], usual_usd) END;
CREATE OR REPLACE MACRO rare_unit(meter) AS
    CASE
        WHEN meter LIKE '%_token_seconds' THEN 'token-second'
        WHEN meter LIKE '%_tokens' THEN 'token'
        WHEN meter LIKE '%_units' THEN 'unit'
        WHEN meter LIKE '%_pages' THEN 'page'
        ELSE 'call'
    END;
CREATE OR REPLACE MACRO priced_model(operation, model) AS
    -- Training a model is another product than using it; its rates are kept under a name of their own.
    CASE WHEN operation = 'fine_tuning' THEN 'training/' || model ELSE model END;
CREATE OR REPLACE MACRO host_region(provider, provider_host) AS
    CASE
        WHEN provider = 'openai' AND regexp_matches(provider_host, '^(us|eu)\.api\.openai\.com')
            THEN provider_host[:2]
        WHEN provider = 'vertex_ai' AND provider_host LIKE '%-aiplatform.googleapis.com%'
            THEN SPLIT_PART(provider_host, '-aiplatform', 1)
        WHEN provider = 'vertex_ai' AND provider_host LIKE 'aiplatform.googleapis.com%' THEN 'global'
    END;
CREATE OR REPLACE MACRO priced_tier(tier, tiers, is_contract) AS
    CASE
        WHEN tier = 'standard' THEN tier
        WHEN LIST_CONTAINS(tiers, tier) THEN tier
        -- Dearer hardware, which the list does not know: the standard rate would be too low in silence.
        WHEN tier = 'latency_optimized' AND NOT is_contract THEN tier
        ELSE 'standard'
    END;
CREATE OR REPLACE MACRO surcharges(modifiers, tier, speed, geo, place) AS
    CASE
        WHEN LEN(modifiers) > 0 THEN CONCAT_WS(
            '+',
            CASE WHEN tier <> 'batch' AND LIST_CONTAINS(modifiers, speed) THEN speed END,
            CASE WHEN tier <> 'batch' AND LIST_CONTAINS(modifiers, 'geo:' || geo) THEN 'geo:' || geo END,
            CASE
                WHEN LIST_CONTAINS(modifiers, 'region:' || place) THEN 'region:' || place
                WHEN place <> 'global' AND LIST_CONTAINS(modifiers, 'region:*') THEN 'region:*'
            END
        )
        ELSE ''
    END;
CREATE OR REPLACE MACRO is_off_peak(off_peak_minutes, tier, instant) AS
    CASE
        WHEN off_peak_minutes IS NULL OR tier = 'batch' THEN false
        ELSE GET_BIT(
            off_peak_minutes,
            CAST((ISODOW(instant) - 1) * 1440 + HOUR(instant) * 60 + MINUTE(instant) AS INTEGER)
        ) = 1
    END;
CREATE OR REPLACE MACRO usage_entry(meter, quantity, unit, unit_usd) AS
    {
        'meter': meter,
        'quantity': CAST(quantity AS DECIMAL(21, 3)),
        'unit': unit,
        'unit_price_usd': CAST(unit_usd AS DECIMAL(38, 18)),
        'cost_usd': CASE WHEN unit_usd IS NOT NULL THEN CAST(line_cost(quantity, unit_usd) AS DECIMAL(38, 18)) END
    };
CREATE OR REPLACE MACRO usage_entry_seconds(meter, milliseconds, usd_per_ms) AS
    {
        'meter': meter,
        'quantity': CAST(CAST(milliseconds AS DECIMAL(15, 0)) * 0.001 AS DECIMAL(21, 3)),
        'unit': 'second',
        'unit_price_usd': CAST(usd_per_ms * 1000 AS DECIMAL(38, 18)),
        'cost_usd': CASE WHEN usd_per_ms IS NOT NULL THEN CAST(line_cost(milliseconds, usd_per_ms) AS DECIMAL(38, 18)) END
    };

-- A macro over the name of a price table, so that a few prices can be checked without unfolding the history.
CREATE OR REPLACE MACRO usage_lines_of(prices) AS TABLE
SELECT
    receipt_id,
    entry.meter,
    entry.quantity,
    entry.unit,
    entry.unit_price_usd,
    entry.cost_usd,
    rate_card_id
FROM (
    SELECT
        receipt_price.receipt_id,
        receipt_price.rate_card_id,
        UNNEST(LIST_FILTER(LIST_CONCAT([
            usage_entry('input_tokens', receipt_meters.input_tokens, 'token', rate.input_tokens_usd),
            usage_entry('input_audio_tokens', receipt_meters.input_audio_tokens, 'token', rate.input_audio_tokens_usd),
            usage_entry('input_image_tokens', receipt_meters.input_image_tokens, 'token', rate.input_image_tokens_usd),
            usage_entry('input_video_tokens', receipt_meters.input_video_tokens, 'token', rate.input_video_tokens_usd),
            usage_entry('input_tool_tokens', receipt_meters.input_tool_tokens, 'token', rate.input_tool_tokens_usd),
            usage_entry('cache_read_tokens', receipt_meters.cache_read_tokens, 'token', rate.cache_read_tokens_usd),
            usage_entry('cache_read_audio_tokens', receipt_meters.cache_read_audio_tokens, 'token', rate.cache_read_audio_tokens_usd),
            usage_entry('cache_write_5m_tokens', receipt_meters.cache_write_5m_tokens, 'token', rate.cache_write_5m_tokens_usd),
            usage_entry('cache_write_30m_tokens', receipt_meters.cache_write_30m_tokens, 'token', rate.cache_write_30m_tokens_usd),
            usage_entry('cache_write_1h_tokens', receipt_meters.cache_write_1h_tokens, 'token', rate.cache_write_1h_tokens_usd),
            usage_entry('cache_write_12h_tokens', receipt_meters.cache_write_12h_tokens, 'token', rate.cache_write_12h_tokens_usd),
            usage_entry('cache_write_tokens', receipt_meters.cache_write_tokens, 'token', rate.cache_write_tokens_usd),
            usage_entry('output_tokens', receipt_meters.output_tokens, 'token', rate.output_tokens_usd),
            usage_entry('output_reasoning_tokens', receipt_meters.output_reasoning_tokens, 'token', rate.output_reasoning_tokens_usd),
            usage_entry('output_audio_tokens', receipt_meters.output_audio_tokens, 'token', rate.output_audio_tokens_usd),
            usage_entry('output_image_tokens', receipt_meters.output_image_tokens, 'token', rate.output_image_tokens_usd),
            usage_entry('output_video_tokens', receipt_meters.output_video_tokens, 'token', rate.output_video_tokens_usd),
            usage_entry('images', billed_units(receipt_meters.images, receipt_meters.total_tokens, rate.units_with_tokens), 'image', rate.images_usd),
            usage_entry('pixels', billed_units(receipt_meters.pixels, receipt_meters.total_tokens, rate.units_with_tokens), 'pixel', rate.pixels_usd),
            usage_entry('characters', billed_units(receipt_meters.characters, receipt_meters.total_tokens, rate.units_with_tokens), 'character', rate.characters_usd),
            usage_entry_seconds('audio_in_seconds', billed_units(receipt_meters.audio_in_ms, receipt_meters.total_tokens, rate.units_with_tokens), rate.audio_in_ms_usd),
            usage_entry_seconds('audio_out_seconds', billed_units(receipt_meters.audio_out_ms, receipt_meters.total_tokens, rate.units_with_tokens), rate.audio_out_ms_usd),
            usage_entry_seconds('video_seconds', billed_units(receipt_meters.video_ms, receipt_meters.total_tokens, rate.units_with_tokens), video_usd(receipt_meters.video_resolution, rate.video_ms_usd, rate.rare_usd)),
            usage_entry('input_images', receipt_meters.input_images, 'image', rate.input_images_usd),
            usage_entry('pages', receipt_meters.pages, 'page', rate.pages_usd),
            usage_entry('map_queries', receipt_meters.map_queries, 'query', rate.map_queries_usd),
            usage_entry('file_searches', receipt_meters.file_searches, 'search', rate.file_searches_usd),
            usage_entry('queries', receipt_meters.queries, 'query', rate.queries_usd),
            usage_entry('sessions', receipt_meters.sessions, 'session', rate.sessions_usd),
            usage_entry('searches', billed_searches(receipt_meters.searches, rate.search_per_prompt), 'search', search_usd(receipt_meters.search_context, rate.searches_low_usd, rate.searches_medium_usd, rate.searches_high_usd))
        ], LIST_TRANSFORM(
            MAP_ENTRIES(receipt_meters.rare_meters),
            lambda rare: usage_entry(rare.key, rare.value, rare_unit(rare.key), rate.rare_usd[rare.key])
        )), lambda entry: entry.quantity > 0)) AS entry
    FROM query_table(prices) AS receipt_price
    JOIN receipt_meters USING (receipt_id)
    LEFT JOIN rate USING (rate_id)
    WHERE receipt_price.price_status <> 'provider_reported'
)
UNION ALL
SELECT
    receipt_id,
    'provider_reported' AS meter,
    1 AS quantity,
    'call' AS unit,
    estimated_cost_usd AS unit_price_usd,
    estimated_cost_usd AS cost_usd,
    rate_card_id
FROM query_table(prices)
WHERE price_status = 'provider_reported';

CREATE OR REPLACE VIEW usage_line AS
SELECT
    receipt_id,
    meter,
    quantity,
    unit,
    unit_price_usd,
    cost_usd,
    rate_card_id
FROM usage_lines_of('receipt_price');
COMMENT ON VIEW usage_line IS 'One meter of one receipt with its unit price; cost_usd sums to the receipt''s estimated cost. NULL price = the card has none for this meter';
