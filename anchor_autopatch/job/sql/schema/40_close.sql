-- The month-end close: who did what to a period, what was signed, what was booked. Nothing here is ever
-- changed or taken away; a chain of hashes over each table shows when somebody did. Instants are UTC TIMESTAMP.

CREATE TABLE IF NOT EXISTS close_event (
    event_no BIGINT NOT NULL,
    period VARCHAR NOT NULL,
    version INTEGER NOT NULL,
    action VARCHAR NOT NULL,
    state VARCHAR,
    actor VARCHAR NOT NULL,
    team VARCHAR,
    subject VARCHAR,
    digest VARCHAR,
    detail VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    recorded_at TIMESTAMP NOT NULL,
    prev_hash VARCHAR NOT NULL,
    hash VARCHAR NOT NULL
);
COMMENT ON TABLE close_event IS 'Who did what to which period, and why: the audit trail of the close, chained by hashes';
COMMENT ON COLUMN close_event.event_no IS '1, 2, 3 ... without a gap';
COMMENT ON COLUMN close_event.version IS 'Of the period: 1, and one more with each restatement';
COMMENT ON COLUMN close_event.action IS 'review | sign_off | lock | freeze | restate | propose | approve | reject | withdraw | assign | settle';
COMMENT ON COLUMN close_event.state IS 'State of the period from here on; NULL = as it was';
COMMENT ON COLUMN close_event.team IS 'Team that a sign-off is for; NULL = the whole period';
COMMENT ON COLUMN close_event.subject IS 'Correction or variance action that it is about; NULL = the period itself';
COMMENT ON COLUMN close_event.digest IS 'SHA-256 (hex) of what was signed, frozen or proposed';
COMMENT ON COLUMN close_event.detail IS 'JSON object: digests and counts that the event vouches for';
COMMENT ON COLUMN close_event.prev_hash IS 'hash of the event before; 64 zeros in the first';
COMMENT ON COLUMN close_event.hash IS 'SHA-256 (hex) over all other columns';

CREATE TABLE IF NOT EXISTS statement (
    period VARCHAR NOT NULL,
    version INTEGER NOT NULL,
    team VARCHAR NOT NULL,
    format VARCHAR NOT NULL,
    body VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL
);
COMMENT ON TABLE statement IS 'What each team is shown or charged for a period, as it was signed';
COMMENT ON COLUMN statement.team IS 'Empty = the whole period; __unattributed = calls and money without a team';
COMMENT ON COLUMN statement.format IS 'csv | md | html; the other two print the digest of the csv';
COMMENT ON COLUMN statement.sha256 IS 'SHA-256 (hex) of the body in UTF-8';

CREATE TABLE IF NOT EXISTS ledger_entry (
    entry_no BIGINT NOT NULL,
    txn_id VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    period VARCHAR NOT NULL,
    posted_period VARCHAR NOT NULL,
    mode VARCHAR NOT NULL,
    account VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    provider_account VARCHAR NOT NULL,
    invoice_id VARCHAR NOT NULL,
    team VARCHAR,
    service VARCHAR,
    environment VARCHAR,
    amount DECIMAL(38, 18) NOT NULL,
    currency VARCHAR NOT NULL,
    ref_txn_id VARCHAR,
    actor VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL,
    prev_hash VARCHAR NOT NULL,
    hash VARCHAR NOT NULL
);
COMMENT ON TABLE ledger_entry IS 'Double-entry bookings of frozen periods; the entries of a transaction sum to zero';
COMMENT ON COLUMN ledger_entry.entry_no IS '1, 2, 3 ... without a gap';
COMMENT ON COLUMN ledger_entry.kind IS 'allocation | reversal | correction (books anew what a reversal took back)';
COMMENT ON COLUMN ledger_entry.period IS 'YYYY-MM that the money belongs to';
COMMENT ON COLUMN ledger_entry.posted_period IS 'YYYY-MM that it is booked in: the same, or for a correction the open one';
COMMENT ON COLUMN ledger_entry.mode IS 'showback (for information) | chargeback (to be booked)';
COMMENT ON COLUMN ledger_entry.account IS 'Liabilities:Provider:NAME, Expense:App:SERVICE, Expense:Unallocated, Expense:Untracked, Expense:Idle, Expense:Rounding';
COMMENT ON COLUMN ledger_entry.provider_account IS 'Billing account at the provider; empty = the only one';
COMMENT ON COLUMN ledger_entry.amount IS 'Debit positive, credit negative; whole minor units';
COMMENT ON COLUMN ledger_entry.currency IS 'ISO 4217, of the invoice';
COMMENT ON COLUMN ledger_entry.ref_txn_id IS 'Transaction that this one reverses or books anew; NULL = none';
COMMENT ON COLUMN ledger_entry.prev_hash IS 'hash of the entry before; 64 zeros in the first';
COMMENT ON COLUMN ledger_entry.hash IS 'SHA-256 (hex) over all other columns';

CREATE TABLE IF NOT EXISTS chain_head (
    chain VARCHAR NOT NULL,
    row_count BIGINT NOT NULL,
    hash VARCHAR NOT NULL
);
COMMENT ON TABLE chain_head IS 'How long each chain of hashes is and how it ends, so that a cut-off end is seen';
COMMENT ON COLUMN chain_head.chain IS 'close_event | ledger_entry | correction_decision';

CREATE TABLE IF NOT EXISTS period_correction (
    correction_id VARCHAR NOT NULL,
    period VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    provider_account VARCHAR NOT NULL,
    invoice_id VARCHAR NOT NULL,
    team VARCHAR,
    service VARCHAR,
    environment VARCHAR,
    booked_amount DECIMAL(38, 18) NOT NULL,
    right_amount DECIMAL(38, 18) NOT NULL,
    currency VARCHAR NOT NULL
);
COMMENT ON TABLE period_correction IS 'Proposals to correct a frozen period, one row per application; what became of each is in close_event';
COMMENT ON COLUMN period_correction.kind IS 'late_receipts | new_rates | reallocation';
COMMENT ON COLUMN period_correction.booked_amount IS 'Balance of the ledger when it was proposed';
COMMENT ON COLUMN period_correction.right_amount IS 'What it should have been; both columns have the same sum within an invoice';

CREATE OR REPLACE VIEW period_state AS
SELECT
    period,
    MAX_BY(state, event_no) AS state,
    MAX_BY(version, event_no) AS version,
    MAX(event_no) AS event_no
FROM close_event
WHERE state IS NOT NULL
GROUP BY period;
COMMENT ON VIEW period_state IS 'Periods that somebody has begun to close: reviewed | signed_off | frozen, or open again';

-- Both sources: a status that somebody sets back in one of them must not let a frozen period move.
CREATE OR REPLACE VIEW frozen_period AS
SELECT period
FROM reconciliation
WHERE status IN ('signed_off', 'frozen')
UNION
SELECT period
FROM period_state
WHERE state IN ('signed_off', 'frozen');
COMMENT ON VIEW frozen_period IS 'Periods whose rows must not change any more';

CREATE OR REPLACE VIEW correction_state AS
SELECT
    subject AS correction_id,
    MIN(event_no) AS event_no,
    MIN(recorded_at) AS proposed_at,
    MIN_BY(actor, event_no) AS proposed_by,
    MIN_BY(reason, event_no) AS reason,
    MIN_BY(digest, event_no) AS digest,
    CASE MAX_BY(action, event_no)
        WHEN 'propose' THEN 'proposed'
        WHEN 'approve' THEN 'approved'
        WHEN 'reject' THEN 'rejected'
        ELSE 'withdrawn'
    END AS state,
    CASE WHEN COUNT(*) > 1 THEN MAX_BY(actor, event_no) END AS decided_by,
    CASE WHEN COUNT(*) > 1 THEN MAX(recorded_at) END AS decided_at
FROM close_event
WHERE action IN ('propose', 'approve', 'reject', 'withdraw')
GROUP BY subject;
COMMENT ON VIEW correction_state IS 'What became of each proposal: proposed | approved | rejected | withdrawn (figures moved, another one took its place)';

CREATE OR REPLACE VIEW variance_action_state AS
SELECT
    action.action_id,
    action.period,
    action.provider,
    action.account,
    action.invoice_id,
    action.category,
    action.amount,
    action.currency,
    action.evidence,
    COALESCE(decision.assignee, action.owner) AS owner,
    CASE
        WHEN decision.last_action = 'settle' THEN 'settled'
        WHEN NOT action.is_current THEN 'gone'
        WHEN decision.last_action = 'assign' THEN 'assigned'
        ELSE 'open'
    END AS state,
    decision.note,
    action.opened_at,
    decision.decided_at
FROM variance_action AS action
LEFT JOIN (
    SELECT
        subject,
        MAX_BY(action, event_no) AS last_action,
        MAX_BY(team, event_no) FILTER (WHERE action = 'assign') AS assignee,
        MAX_BY(reason, event_no) AS note,
        MAX(recorded_at) AS decided_at
    FROM close_event
    WHERE action IN ('assign', 'settle')
    GROUP BY subject
) AS decision
    ON decision.subject = action.action_id;
COMMENT ON VIEW variance_action_state IS 'Variance actions with their owner and state: open | assigned | settled (mended or accepted) | gone (no longer found)';
