-- Which month a receipt is of where the calendar of who bills it is not UTC. Most receipts are of their UTC month; only the
-- hours at the edges of such months are kept, since a range join of all receipts would cost as much as pricing them.
-- Instants are UTC TIMESTAMP, spans half open.

CREATE TABLE IF NOT EXISTS month_edge (
    provider VARCHAR NOT NULL,
    account VARCHAR NOT NULL,
    from_at TIMESTAMP NOT NULL,
    to_at TIMESTAMP NOT NULL,
    period VARCHAR NOT NULL
);
COMMENT ON TABLE month_edge IS 'Hours whose month is another one than that of UTC, by account; made anew in each run, empty where all bill UTC months';
COMMENT ON COLUMN month_edge.account IS 'Of the receipts';
COMMENT ON COLUMN month_edge.from_at IS 'UTC, inclusive';
COMMENT ON COLUMN month_edge.to_at IS 'UTC, exclusive';
COMMENT ON COLUMN month_edge.period IS 'YYYY-MM, as the calendar of the source says';

CREATE OR REPLACE VIEW edge_receipt AS
SELECT
    receipt.receipt_id,
    receipt.occurred_at,
    month_edge.period
FROM receipt
JOIN month_edge
    ON month_edge.provider = receipt.provider
    AND month_edge.account = receipt.provider_account
    AND receipt.occurred_at >= month_edge.from_at
    AND receipt.occurred_at < month_edge.to_at;
COMMENT ON VIEW edge_receipt IS 'Receipts of those hours';
COMMENT ON COLUMN edge_receipt.period IS 'YYYY-MM that it is billed in';

-- YYYY-MM that a receipt is billed in: that of its edge_receipt, if it has one, else that of UTC.
CREATE OR REPLACE MACRO billed_month(edge_period, instant) AS coalesce(edge_period, strftime(instant, '%Y-%m'));

CREATE OR REPLACE VIEW moved_receipt AS
SELECT receipt_id
FROM edge_receipt
WHERE period IN (SELECT period FROM frozen_period)
    <> (strftime(occurred_at, '%Y-%m') IN (SELECT period FROM frozen_period));
COMMENT ON VIEW moved_receipt IS 'Receipts that UTC would take for those of an open month and are of a frozen one, or the other way round';

-- Whether the month that a receipt is billed in is frozen. By the truncated instant: to write ten million months as text
-- takes longer than all the rest.
CREATE OR REPLACE MACRO in_frozen_month(id, instant) AS
    (date_trunc('month', instant) IN (SELECT CAST(frozen_period.period || '-01' AS TIMESTAMP) FROM frozen_period))
    <> (id IN (SELECT moved_receipt.receipt_id FROM moved_receipt));
