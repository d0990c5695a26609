-- Invoices as the providers sent them, and the split of each over its receipts.
-- Amounts are in the currency of their row unless the name ends in _usd; instants are UTC TIMESTAMP.

CREATE TABLE IF NOT EXISTS invoice_document (
    document_sha256 VARCHAR NOT NULL UNIQUE,
    file_name VARCHAR NOT NULL,
    format VARCHAR NOT NULL,
    byte_count BIGINT NOT NULL,
    payload BLOB NOT NULL,
    imported_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE invoice_document IS 'What a provider sent, verbatim: the evidence behind invoice lines; never changed';
COMMENT ON COLUMN invoice_document.document_sha256 IS 'SHA-256 (hex) of the uncompressed payload';
COMMENT ON COLUMN invoice_document.file_name IS 'Base name of the file that was imported';
COMMENT ON COLUMN invoice_document.format IS 'As anchor invoices import --format names it; attachment = belongs to a typed total';
COMMENT ON COLUMN invoice_document.byte_count IS 'Bytes, uncompressed';
COMMENT ON COLUMN invoice_document.payload IS 'gzip of the bytes of the file';

CREATE TABLE IF NOT EXISTS invoice (
    invoice_id VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    authority SMALLINT NOT NULL,
    provider VARCHAR NOT NULL,
    account VARCHAR NOT NULL,
    period VARCHAR NOT NULL,
    currency VARCHAR NOT NULL,
    minor_units SMALLINT NOT NULL,
    total DECIMAL(38, 12) NOT NULL,
    is_detailed BOOLEAN NOT NULL,
    lines_sha256 VARCHAR,
    document_sha256 VARCHAR,
    imported_at TIMESTAMP NOT NULL,
    superseded_at TIMESTAMP
);
COMMENT ON TABLE invoice IS 'One total that a provider asks for, or that its cost API adds up to, per provider, account and period';
COMMENT ON COLUMN invoice.source IS 'typed, or the format that it was imported from';
COMMENT ON COLUMN invoice.authority IS 'Which total is the control total of its scope: 3 typed, 2 invoice file, 1 cost API';
COMMENT ON COLUMN invoice.account IS 'Billing account at the provider; empty = the only one';
COMMENT ON COLUMN invoice.period IS 'YYYY-MM in the calendar of the source: UTC, of Google Cloud Pacific time';
COMMENT ON COLUMN invoice.currency IS 'ISO 4217';
COMMENT ON COLUMN invoice.minor_units IS 'Decimals of the currency (ISO 4217)';
COMMENT ON COLUMN invoice.total IS 'Payable amount, a whole number of minor units';
COMMENT ON COLUMN invoice.is_detailed IS 'true = its lines name a model, meter, project or key, so they can be the breakdown';
COMMENT ON COLUMN invoice.lines_sha256 IS 'Digest of its lines; NULL for a cost API, whose days may be restated';
COMMENT ON COLUMN invoice.superseded_at IS 'When a later import replaced it; NULL = in force';

CREATE TABLE IF NOT EXISTS invoice_line (
    invoice_line_id VARCHAR NOT NULL,
    invoice_id VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    source_account VARCHAR NOT NULL,
    payload_sha256 VARCHAR,
    fetched_at TIMESTAMP NOT NULL,
    provider VARCHAR NOT NULL,
    period_start TIMESTAMP NOT NULL,
    period_end TIMESTAMP NOT NULL,
    billing_month VARCHAR NOT NULL,
    line_id VARCHAR NOT NULL,
    charge_category VARCHAR NOT NULL,
    description VARCHAR,
    service VARCHAR,
    model_raw VARCHAR,
    meter VARCHAR,
    tier VARCHAR,
    region VARCHAR,
    project VARCHAR,
    api_key VARCHAR,
    user_id VARCHAR,
    tags VARCHAR,
    quantity DECIMAL(38, 9),
    quantity_unit VARCHAR,
    amount DECIMAL(38, 12) NOT NULL,
    amount_text VARCHAR NOT NULL,
    currency VARCHAR NOT NULL,
    list_amount DECIMAL(38, 12),
    is_final BOOLEAN NOT NULL,
    superseded_at TIMESTAMP
);
COMMENT ON TABLE invoice_line IS 'One line of one invoice, in the shape that every billing source lands in';
COMMENT ON COLUMN invoice_line.invoice_line_id IS 'invoice_id and line_id; one line in force per id';
COMMENT ON COLUMN invoice_line.period_start IS 'First instant that the line charges for, inclusive';
COMMENT ON COLUMN invoice_line.period_end IS 'End of what the line charges for, exclusive';
COMMENT ON COLUMN invoice_line.billing_month IS 'YYYY-MM, the period of its invoice';
COMMENT ON COLUMN invoice_line.line_id IS 'As the source names it, else a hash of its dimensions';
COMMENT ON COLUMN invoice_line.charge_category IS 'usage | credit | tax | fee | adjustment | rounding | commitment | refund';
COMMENT ON COLUMN invoice_line.model_raw IS 'Model as the source writes it; NULL = the line names none';
COMMENT ON COLUMN invoice_line.meter IS 'What was counted, in the words of invoices/meters.py; NULL = the line names none';
COMMENT ON COLUMN invoice_line.api_key IS 'Key id of the provider, or our fingerprint of the key';
COMMENT ON COLUMN invoice_line.tags IS 'JSON object';
COMMENT ON COLUMN invoice_line.quantity IS 'In quantity_unit; tokens are single tokens, never thousands';
COMMENT ON COLUMN invoice_line.amount IS 'Rounded half-even to 1e-9 on landing';
COMMENT ON COLUMN invoice_line.amount_text IS 'Amount as the source wrote it';
COMMENT ON COLUMN invoice_line.list_amount IS 'Before discounts, where the source says so';
COMMENT ON COLUMN invoice_line.is_final IS 'false = the source may restate it';
COMMENT ON COLUMN invoice_line.superseded_at IS 'When a restated or replaced line took its place; NULL = in force';

CREATE TABLE IF NOT EXISTS usage_evidence (
    provider VARCHAR NOT NULL,
    account VARCHAR NOT NULL,
    period VARCHAR NOT NULL,
    model_raw VARCHAR NOT NULL,
    meter VARCHAR NOT NULL,
    quantity DECIMAL(38, 9) NOT NULL,
    document_sha256 VARCHAR NOT NULL
);
COMMENT ON TABLE usage_evidence IS 'Usage that the provider counted itself; what receipts do not explain of it is __untracked';
COMMENT ON COLUMN usage_evidence.quantity IS 'Single tokens or units of the meter, whole account, whole period';

CREATE TABLE IF NOT EXISTS line_match (
    invoice_id VARCHAR NOT NULL,
    invoice_line_id VARCHAR NOT NULL,
    period VARCHAR NOT NULL,
    match_level VARCHAR NOT NULL,
    weight_basis VARCHAR,
    amount DECIMAL(38, 12) NOT NULL,
    currency VARCHAR NOT NULL
);
COMMENT ON TABLE line_match IS 'How each line in force found its receipts; money by match_level is the quality of the match';
COMMENT ON COLUMN line_match.match_level IS 'Dimensions that matched, joined by + (key, project, model, meter, tier), or provider, net (taxes), past_period (adjustments), unallocated, rounding';
COMMENT ON COLUMN line_match.weight_basis IS 'estimated_cost | tokens (at least one receipt had no price) | calls (nothing else was known)';

CREATE TABLE IF NOT EXISTS receipt_anchor (
    receipt_id VARCHAR NOT NULL,
    period VARCHAR NOT NULL,
    invoice_id VARCHAR NOT NULL,
    invoice_line_id VARCHAR NOT NULL,
    match_level VARCHAR NOT NULL,
    anchored_cost DECIMAL(38, 18) NOT NULL,
    anchored_currency VARCHAR NOT NULL
);
COMMENT ON TABLE receipt_anchor IS 'Unrounded share of an invoice that each receipt carries; at most one row a receipt';
COMMENT ON COLUMN receipt_anchor.invoice_line_id IS 'Line that paid the largest part of it';
COMMENT ON COLUMN receipt_anchor.match_level IS 'Of the line that paid the largest part; see line_match';
COMMENT ON COLUMN receipt_anchor.anchored_cost IS 'Cut off after 18 decimals, never rounded to cents';

CREATE TABLE IF NOT EXISTS cost_split (
    split VARCHAR NOT NULL,
    period VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    account VARCHAR NOT NULL,
    invoice_id VARCHAR,
    team VARCHAR,
    service VARCHAR,
    environment VARCHAR,
    response_model VARCHAR,
    feature VARCHAR,
    user_id VARCHAR,
    request_id VARCHAR,
    bucket VARCHAR,
    calls BIGINT NOT NULL,
    estimated_cost_usd DECIMAL(38, 18),
    anchored_cost DECIMAL(38, 18),
    currency VARCHAR NOT NULL,
    status VARCHAR NOT NULL
);
COMMENT ON TABLE cost_split IS 'The same money by four keys; within a split the rows of an invoice sum to it, to the minor unit';
COMMENT ON COLUMN cost_split.split IS 'app | feature | user | request';
COMMENT ON COLUMN cost_split.invoice_id IS 'NULL = not invoiced yet';
COMMENT ON COLUMN cost_split.service IS 'Also __unallocated, __untracked, __idle and __rounding: money of the invoice that no receipt explains';
COMMENT ON COLUMN cost_split.bucket IS 'Money that no receipt explains, or __adjustment of a past period; with the name of a service: its part by policy; NULL = its own calls';
COMMENT ON COLUMN cost_split.estimated_cost_usd IS 'Sum over its priced receipts; NULL = none of them has a price';
COMMENT ON COLUMN cost_split.anchored_cost IS 'Whole minor units; NULL = not invoiced yet';
COMMENT ON COLUMN cost_split.currency IS 'Of anchored_cost; USD where not invoiced yet';
COMMENT ON COLUMN cost_split.status IS 'estimated | anchored | frozen';

CREATE TABLE IF NOT EXISTS reconciliation (
    period VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    account VARCHAR NOT NULL,
    invoice_id VARCHAR,
    invoice_total DECIMAL(38, 18),
    currency VARCHAR NOT NULL,
    estimated_total_usd DECIMAL(38, 18) NOT NULL,
    untracked DECIMAL(38, 18),
    unallocated DECIMAL(38, 18),
    idle DECIMAL(38, 18),
    adjustment DECIMAL(38, 18),
    unexplained DECIMAL(38, 18),
    rounding DECIMAL(38, 18),
    variance DECIMAL(38, 18),
    variance_percent DECIMAL(38, 6),
    threshold DECIMAL(38, 18),
    flagged BOOLEAN NOT NULL,
    status VARCHAR NOT NULL,
    mode VARCHAR NOT NULL,
    reconciled_at TIMESTAMP NOT NULL,
    exchange_rate DECIMAL(18, 12),
    variance_usd DECIMAL(38, 18)
);
COMMENT ON TABLE reconciliation IS 'Estimated against invoiced, one row per period, provider, account and invoice';
COMMENT ON COLUMN reconciliation.invoice_id IS 'NULL = not invoiced yet';
COMMENT ON COLUMN reconciliation.estimated_total_usd IS 'Sum over priced receipts';
COMMENT ON COLUMN reconciliation.untracked IS 'Share of usage that the provider counted and no receipt explains';
COMMENT ON COLUMN reconciliation.unallocated IS 'Lines for which no receipt was found';
COMMENT ON COLUMN reconciliation.idle IS 'Share of commitments that exceeds the tokens used';
COMMENT ON COLUMN reconciliation.adjustment IS 'Charged or given back for past periods, divided as those were';
COMMENT ON COLUMN reconciliation.unexplained IS 'All that no receipt explains, not rounded: with what the receipts carry it is the invoice total';
COMMENT ON COLUMN reconciliation.rounding IS 'Part of the total that its lines do not explain';
COMMENT ON COLUMN reconciliation.variance IS 'In currency: estimated minus invoiced; NULL = not invoiced yet, or no exchange rate';
COMMENT ON COLUMN reconciliation.exchange_rate IS 'USD for one unit of the currency, on the last day of the period; NULL = none was booked';
COMMENT ON COLUMN reconciliation.variance_usd IS 'USD, the reporting currency: estimated minus invoiced';
COMMENT ON COLUMN reconciliation.variance_percent IS 'Of the invoice total, 0..100; NULL also for a total of zero';
COMMENT ON COLUMN reconciliation.threshold IS 'In currency: the larger of 3 % of the invoice total and 500 USD';
COMMENT ON COLUMN reconciliation.flagged IS 'true = the variance is beyond the threshold and needs a person';
COMMENT ON COLUMN reconciliation.status IS 'open | reconciled | signed_off | frozen';
COMMENT ON COLUMN reconciliation.mode IS 'showback | chargeback';

CREATE OR REPLACE VIEW control_total AS
WITH ranked_invoice AS (
    SELECT
        provider,
        account,
        period,
        invoice_id,
        source,
        currency,
        minor_units,
        total,
        ROW_NUMBER() OVER (
            PARTITION BY provider, account, period
            ORDER BY authority DESC, invoice_id
        ) AS total_rank,
        ROW_NUMBER() OVER (
            PARTITION BY provider, account, period
            ORDER BY is_detailed DESC, authority DESC, invoice_id
        ) AS detail_rank
    FROM invoice
    WHERE superseded_at IS NULL
)
SELECT
    control.provider,
    control.account,
    control.period,
    control.invoice_id,
    control.source,
    control.currency,
    control.minor_units,
    control.total,
    detail.invoice_id AS breakdown_invoice_id
FROM ranked_invoice AS control
INNER JOIN ranked_invoice AS detail USING (provider, account, period)
WHERE control.total_rank = 1
    AND detail.detail_rank = 1;
COMMENT ON VIEW control_total IS 'The one total per provider, account and period, and whose lines break it down';

CREATE OR REPLACE VIEW control_line AS
WITH breakdown AS (
    SELECT
        control.provider,
        control.account,
        control.period,
        control.invoice_id,
        control.currency,
        line.invoice_line_id,
        line.period_start,
        line.period_end,
        line.charge_category,
        line.description,
        line.model_raw,
        line.meter,
        line.tier,
        line.project,
        line.api_key,
        line.quantity,
        line.quantity_unit,
        line.list_amount,
        line.amount
    FROM control_total AS control
    INNER JOIN invoice_line AS line
        ON line.invoice_id = control.breakdown_invoice_id
        AND line.superseded_at IS NULL
),
breakdown_sum AS (
    SELECT
        invoice_id,
        SUM(amount) AS amount
    FROM breakdown
    GROUP BY invoice_id
),
residual AS (
    SELECT
        control.provider,
        control.account,
        control.period,
        control.invoice_id,
        control.currency,
        control.total - COALESCE(breakdown_sum.amount, 0) AS amount
    FROM control_total AS control
    LEFT JOIN breakdown_sum USING (invoice_id)
)
SELECT
    provider,
    account,
    period,
    invoice_id,
    currency,
    invoice_line_id,
    period_start,
    period_end,
    charge_category,
    description,
    model_raw,
    meter,
    tier,
    project,
    api_key,
    quantity,
    quantity_unit,
    list_amount,
    amount
FROM breakdown
UNION ALL
SELECT
    provider,
    account,
    period,
    invoice_id,
    currency,
    invoice_id || ':residual' AS invoice_line_id,
    CAST(period || '-01' AS TIMESTAMP) AS period_start,
    CAST(period || '-01' AS TIMESTAMP) + INTERVAL 1 MONTH AS period_end,
    'rounding' AS charge_category,
    'rounding/unexplained' AS description,
    NULL AS model_raw,
    NULL AS meter,
    NULL AS tier,
    NULL AS project,
    NULL AS api_key,
    NULL AS quantity,
    NULL AS quantity_unit,
    NULL AS list_amount,
    amount
FROM residual
WHERE amount <> 0;
COMMENT ON VIEW control_line IS 'Lines that sum exactly to each control total; what its breakdown leaves is the line rounding/unexplained';

CREATE OR REPLACE VIEW app_cost AS
SELECT
    period,
    provider,
    account,
    invoice_id,
    team,
    service,
    environment,
    response_model,
    bucket,
    calls,
    estimated_cost_usd,
    anchored_cost,
    currency,
    status
FROM cost_split
WHERE split = 'app';
COMMENT ON VIEW app_cost IS 'Cost by team, service, environment and served model';

CREATE OR REPLACE VIEW feature_cost AS
SELECT
    period,
    provider,
    account,
    invoice_id,
    team,
    service,
    feature,
    environment,
    bucket,
    calls,
    estimated_cost_usd,
    anchored_cost,
    currency,
    status
FROM cost_split
WHERE split = 'feature';
COMMENT ON VIEW feature_cost IS 'Cost by feature of a service';

CREATE OR REPLACE VIEW user_cost AS
SELECT
    period,
    provider,
    account,
    invoice_id,
    team,
    service,
    user_id,
    bucket,
    calls,
    estimated_cost_usd,
    anchored_cost,
    currency,
    status
FROM cost_split
WHERE split = 'user';
COMMENT ON VIEW user_cost IS 'Cost by user of a service';

CREATE OR REPLACE VIEW request_cost AS
SELECT
    period,
    provider,
    account,
    invoice_id,
    team,
    service,
    request_id,
    bucket,
    calls,
    estimated_cost_usd,
    anchored_cost,
    currency,
    status
FROM cost_split
WHERE split = 'request';
COMMENT ON VIEW request_cost IS 'Cost by request of a service';

CREATE TABLE IF NOT EXISTS division_run (
    divided_at TIMESTAMP NOT NULL,
    signature VARCHAR NOT NULL,
    is_classified BOOLEAN NOT NULL DEFAULT false
);
COMMENT ON TABLE division_run IS 'One row: the last run that divided invoices; what came later tells which periods have to be divided again';
COMMENT ON COLUMN division_run.divided_at IS 'UTC';
COMMENT ON COLUMN division_run.is_classified IS 'Whether the variances of what it divided were found, too: a run may be killed in between';
COMMENT ON COLUMN division_run.signature IS 'JSON: of all rows that bear this very instant, and of the rules';

CREATE TABLE IF NOT EXISTS division_mark (
    period VARCHAR NOT NULL,
    signature VARCHAR NOT NULL
);
COMMENT ON TABLE division_mark IS 'What each open period was divided from; divided again when anything of it differs';
COMMENT ON COLUMN division_mark.signature IS 'JSON: of its receipts, its lines, its usage reports and its policy findings';

CREATE TABLE IF NOT EXISTS division_rule (
    period VARCHAR NOT NULL,
    document VARCHAR NOT NULL
);
COMMENT ON TABLE division_rule IS 'By what each period was divided; of a frozen one it stays, so that late receipts are divided by it';
COMMENT ON COLUMN division_rule.document IS 'JSON object: projects and keys of the key map, buckets, commitments, time zones';
