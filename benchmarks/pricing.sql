-- Receipts made up for benchmarks: every model of the list that is priced by token, in turn.
CREATE OR REPLACE TEMP TABLE priced_model AS
SELECT
    ROW_NUMBER() OVER (ORDER BY model_key) - 1 AS n,
    model_key,
    provider
FROM (
    SELECT DISTINCT
        rate_segment.model_key,
        rate_segment.provider
    FROM rate_segment
    JOIN rate USING (rate_sheet_id)
    WHERE rate_segment.provider IN ('openai', 'anthropic', 'gemini', 'azure', 'bedrock', 'mistral', 'xai')
        AND rate.input_tokens_usd > 0
);
CREATE OR REPLACE TEMP TABLE made_receipt AS
WITH made AS (
    SELECT
        n,
        HASH(n) AS dice,
        $start + TO_SECONDS(n * 1.0 / $count * 30 * 86400) AS occurred_at,
        CAST(HASH(n) % (SELECT COUNT(*) FROM priced_model) AS BIGINT) AS model_no
    FROM RANGE($count) AS made (n)
)
SELECT
    -- UUIDs of version 7, as hosts make them: the milliseconds of the call, a number and chance.
    CAST(PRINTF(
        '%012x7%03x8%015x',
        EPOCH_MS(made.occurred_at),
        made.n % 4096,
        CAST(made.dice % 1152921504606846976 AS BIGINT)
    ) AS UUID)::VARCHAR AS receipt_id,
    made.n,
    made.dice,
    made.occurred_at,
    priced_model.model_key,
    priced_model.provider
FROM made
JOIN priced_model ON priced_model.n = made.model_no
ORDER BY made.n;
INSERT INTO receipt BY NAME
SELECT
    receipt_id,
    occurred_at,
    provider,
    model_key AS request_model,
    model_key AS response_model,
    'team-' || dice % 40 AS team,
    'service-' || dice % 200 AS service,
    'provider' AS usage_source,
    'openai.chat' AS usage_shape,
    true AS billable,
    '' AS provider_account,
    'outbox-1' AS outbox_id,
    n AS writer_seq,
    occurred_at + INTERVAL 1 HOUR AS shipped_at
FROM made_receipt;
INSERT INTO receipt_meters BY NAME
SELECT
    receipt_id,
    $version AS meter_version,
    $now AS measured_at,
    dice % 3000 AS input_tokens,
    0 AS input_audio_tokens,
    0 AS input_image_tokens,
    0 AS input_video_tokens,
    0 AS input_tool_tokens,
    CASE WHEN dice % 4 = 0 THEN dice % 20000 ELSE 0 END AS cache_read_tokens,
    0 AS cache_read_audio_tokens,
    CASE WHEN dice % 16 = 0 THEN dice % 5000 ELSE 0 END AS cache_write_5m_tokens,
    0 AS cache_write_30m_tokens,
    0 AS cache_write_1h_tokens,
    0 AS cache_write_12h_tokens,
    0 AS cache_write_tokens,
    dice % 900 AS output_tokens,
    CASE WHEN dice % 3 = 0 THEN dice % 2000 ELSE 0 END AS output_reasoning_tokens,
    0 AS output_audio_tokens,
    0 AS output_image_tokens,
    0 AS output_video_tokens,
    0 AS unbilled_tokens,
    CASE WHEN dice % 10 = 0 THEN 2 END AS searches,
    dice % 3000 + CASE WHEN dice % 4 = 0 THEN dice % 20000 ELSE 0 END
        + CASE WHEN dice % 16 = 0 THEN dice % 5000 ELSE 0 END AS prompt_tokens,
    dice % 3000 + CASE WHEN dice % 4 = 0 THEN dice % 20000 ELSE 0 END
        + CASE WHEN dice % 16 = 0 THEN dice % 5000 ELSE 0 END
        + dice % 900 + CASE WHEN dice % 3 = 0 THEN dice % 2000 ELSE 0 END AS total_tokens,
    false AS usage_mismatch,
    CASE WHEN dice % 20 = 0 THEN 'batch' WHEN dice % 21 = 0 THEN 'priority' ELSE 'standard' END AS tier,
    '' AS image_variant
FROM made_receipt;
