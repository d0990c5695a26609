-- When days of cost APIs were told, so that a month is closed on figures that have come to rest.

CREATE TABLE IF NOT EXISTS invoice_fetch (
    invoice_id VARCHAR NOT NULL,
    fetched_at TIMESTAMP NOT NULL,
    covered_to TIMESTAMP NOT NULL,
    lines_sha256 VARCHAR NOT NULL
);
COMMENT ON TABLE invoice_fetch IS 'Every time that a cost API told days of an invoice, whether anything was different or not';
COMMENT ON COLUMN invoice_fetch.fetched_at IS 'When it was booked, UTC';
COMMENT ON COLUMN invoice_fetch.covered_to IS 'End of the last day that it told, exclusive, UTC';
COMMENT ON COLUMN invoice_fetch.lines_sha256 IS 'SHA-256 (hex) over all lines of the invoice in force after it';
