-- Receipts of the weeks before $start_us, 100 ms apart, as large as those that benchmarks/shipping.py writes.
INSERT INTO receipt BY NAME
SELECT
    'old-' || lpad(CAST(number AS VARCHAR), 12, '0') AS receipt_id,
    make_timestamp($start_us - ($count - number) * 100_000) AS occurred_at,
    250_000 AS duration_us,
    'search' AS team,
    'chatbot' AS service,
    'openai' AS provider,
    'api.openai.com' AS provider_host,
    'gpt-4o' AS request_model,
    'gpt-4o-2024-08-06' AS response_model,
    'req-' || md5(CAST(number AS VARCHAR)) AS request_id,
    md5('trace' || number) AS trace_id,
    '{"prompt_tokens": ' || number % 4000 || ', "completion_tokens": 20, "total_tokens": 9}' AS raw_usage,
    true AS billable,
    '' AS provider_account,
    'old-' || number // 25_000 AS outbox_id,
    number % 25_000 + 1 AS writer_seq,
    make_timestamp($start_us) AS shipped_at
FROM range($count) AS history(number);
