-- Which account pays for which API key, as anchor.toml says.

-- name: known
-- The map of the last run.
SELECT
    api_key_id,
    provider_account
FROM key_account;

-- name: forget
-- Empties the map.
DELETE FROM key_account;

-- name: insert
-- One key of the map.
INSERT INTO key_account (api_key_id, provider_account)
VALUES ($api_key_id, $provider_account);

-- name: move_receipts
-- Gives receipts of the keys that changed their account as the map has it now; frozen periods stay as they are.
UPDATE receipt
SET provider_account = coalesce(
    (SELECT key_account.provider_account FROM key_account WHERE key_account.api_key_id = receipt.api_key_id),
    ''
)
WHERE list_contains($api_key_ids, api_key_id)
    AND NOT in_frozen_month(receipt_id, occurred_at);
