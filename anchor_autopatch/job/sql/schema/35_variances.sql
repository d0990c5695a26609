-- Why an invoice is not what the receipts were estimated to cost. Instants are UTC TIMESTAMP.

CREATE TABLE IF NOT EXISTS variance_line (
    period VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    account VARCHAR NOT NULL,
    invoice_id VARCHAR NOT NULL,
    category VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    meter VARCHAR NOT NULL,
    tier VARCHAR NOT NULL,
    amount DECIMAL(38, 18) NOT NULL,
    currency VARCHAR NOT NULL,
    invoiced DECIMAL(38, 18),
    estimated_usd DECIMAL(38, 18),
    invoiced_quantity DECIMAL(38, 6),
    counted_quantity DECIMAL(38, 6),
    flagged BOOLEAN NOT NULL,
    evidence VARCHAR NOT NULL,
    owner VARCHAR NOT NULL
);
COMMENT ON TABLE variance_line IS 'Every part of the difference between invoiced and estimated, in one category each; the parts of an invoice sum to it';
COMMENT ON COLUMN variance_line.category IS 'price_drift | contract_discount | missing_capture | tagging_failure | late_receipts | provider_delta | credits_tax | rounding | unexplained';
COMMENT ON COLUMN variance_line.model IS 'As the invoice names it; empty = no single model';
COMMENT ON COLUMN variance_line.meter IS 'As the invoice names it; empty = no single meter';
COMMENT ON COLUMN variance_line.tier IS 'As the invoice names it; empty = no single tier';
COMMENT ON COLUMN variance_line.amount IS 'Invoiced minus estimated: positive = the invoice asks for more';
COMMENT ON COLUMN variance_line.invoiced IS 'By the lines of this model, meter and tier; NULL = not about one';
COMMENT ON COLUMN variance_line.estimated_usd IS 'By the receipts of the same; NULL = not about one';
COMMENT ON COLUMN variance_line.invoiced_quantity IS 'Units that the lines name; NULL = they name none';
COMMENT ON COLUMN variance_line.counted_quantity IS 'Units in the receipts; NULL = not about one';
COMMENT ON COLUMN variance_line.flagged IS 'true = beyond the rule for unit prices or for small lines';
COMMENT ON COLUMN variance_line.evidence IS 'What the category was told by';
COMMENT ON COLUMN variance_line.owner IS 'Who mends it';

CREATE TABLE IF NOT EXISTS variance_action (
    action_id VARCHAR NOT NULL,
    period VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    account VARCHAR NOT NULL,
    invoice_id VARCHAR NOT NULL,
    category VARCHAR NOT NULL,
    amount DECIMAL(38, 18) NOT NULL,
    currency VARCHAR NOT NULL,
    evidence VARCHAR NOT NULL,
    owner VARCHAR NOT NULL,
    is_current BOOLEAN NOT NULL,
    opened_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE variance_action IS 'What somebody has to do about a variance; one per invoice and category, kept over runs';
COMMENT ON COLUMN variance_action.action_id IS 'Derived from period, provider, account, invoice and category';
COMMENT ON COLUMN variance_action.amount IS 'Sum of its variance lines in the last run';
COMMENT ON COLUMN variance_action.owner IS 'Who mends such variances; an assignment outranks it';
COMMENT ON COLUMN variance_action.is_current IS 'false = the last run found no such variance any more';
COMMENT ON COLUMN variance_action.opened_at IS 'When a run found it first, UTC';

CREATE TABLE IF NOT EXISTS implied_unit_price (
    provider VARCHAR NOT NULL,
    account VARCHAR NOT NULL,
    period VARCHAR NOT NULL,
    invoice_id VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    meter VARCHAR NOT NULL,
    tier VARCHAR NOT NULL,
    period_start TIMESTAMP NOT NULL,
    period_end TIMESTAMP NOT NULL,
    quantity DECIMAL(38, 6) NOT NULL,
    invoiced_usd DECIMAL(38, 18) NOT NULL,
    implied_unit_price_usd DECIMAL(38, 18) NOT NULL,
    card_unit_price_usd DECIMAL(38, 18),
    ratio DECIMAL(38, 6),
    flagged BOOLEAN NOT NULL
);
COMMENT ON TABLE implied_unit_price IS 'The unit price that the lines of a bill imply for one model, meter, tier and span of days, beside the card of those days';
COMMENT ON COLUMN implied_unit_price.model IS 'As the invoice names it';
COMMENT ON COLUMN implied_unit_price.meter IS 'In the words of invoice lines: input | output | cache_read | ...';
COMMENT ON COLUMN implied_unit_price.tier IS 'As the invoice names it; empty = it names none';
COMMENT ON COLUMN implied_unit_price.period_start IS 'First instant that the lines cover, UTC';
COMMENT ON COLUMN implied_unit_price.period_end IS 'First instant after them, UTC';
COMMENT ON COLUMN implied_unit_price.quantity IS 'Units that the lines name: tokens, seconds, images, ...';
COMMENT ON COLUMN implied_unit_price.invoiced_usd IS 'What they ask for, before discounts where the bill says so, USD';
COMMENT ON COLUMN implied_unit_price.implied_unit_price_usd IS 'invoiced_usd / quantity, USD per unit';
COMMENT ON COLUMN implied_unit_price.card_unit_price_usd IS 'The nearest rate of its tier (none named: standard) in those days, or that of another tier which it is, USD per unit; NULL = no card has one';
COMMENT ON COLUMN implied_unit_price.ratio IS 'implied_unit_price_usd / card_unit_price_usd; NULL = no card has one, or it is free';
COMMENT ON COLUMN implied_unit_price.flagged IS 'true = further off every rate of those days than [variance] allows';
