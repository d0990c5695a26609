-- Usage that the providers counted themselves, as their usage reports tell it. Instants are UTC TIMESTAMP.

CREATE TABLE IF NOT EXISTS usage_bucket (
    source VARCHAR NOT NULL,
    operation VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    account VARCHAR NOT NULL,
    period VARCHAR NOT NULL,
    period_start TIMESTAMP NOT NULL,
    period_end TIMESTAMP NOT NULL,
    model_raw VARCHAR NOT NULL,
    meter VARCHAR NOT NULL,
    project VARCHAR,
    api_key VARCHAR,
    tier VARCHAR,
    quantity DECIMAL(38, 9) NOT NULL,
    document_sha256 VARCHAR NOT NULL,
    fetched_at TIMESTAMP NOT NULL,
    superseded_at TIMESTAMP
);
COMMENT ON TABLE usage_bucket IS 'One meter of one bucket of a usage report; usage_evidence sums those in force by period';
COMMENT ON COLUMN usage_bucket.source IS 'Format of the report: openai-usage | anthropic-usage';
COMMENT ON COLUMN usage_bucket.operation IS 'What the report counts, such as completions; reports of other operations stand beside it';
COMMENT ON COLUMN usage_bucket.account IS 'Billing account at the provider; empty = the only one';
COMMENT ON COLUMN usage_bucket.period IS 'YYYY-MM, UTC';
COMMENT ON COLUMN usage_bucket.period_start IS 'UTC, inclusive';
COMMENT ON COLUMN usage_bucket.period_end IS 'UTC, exclusive';
COMMENT ON COLUMN usage_bucket.model_raw IS 'Model as the provider writes it; empty = the report names none';
COMMENT ON COLUMN usage_bucket.meter IS 'In the words of invoice lines';
COMMENT ON COLUMN usage_bucket.quantity IS 'Single tokens or units of the meter';
COMMENT ON COLUMN usage_bucket.document_sha256 IS 'Report that says so';
COMMENT ON COLUMN usage_bucket.superseded_at IS 'When a later report restated the bucket; NULL = in force';
