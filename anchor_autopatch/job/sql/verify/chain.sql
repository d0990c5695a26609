-- Chains of hashes: rows that are only ever added, each bound to the one before it.

-- name: head
-- Length and last hash of the chain $chain.
SELECT
    row_count,
    hash
FROM chain_head
WHERE chain = $chain;

-- name: forget_head
-- Makes room for the new end of the chain.
DELETE FROM chain_head
WHERE chain = $chain;

-- name: keep_head
-- Notes the new end of the chain.
INSERT INTO chain_head (chain, row_count, hash)
VALUES ($chain, $row_count, $hash);

-- name: append
-- Adds one row; table and columns are from a closed list in job/chain.py.
INSERT INTO {table} ({columns})
VALUES ({marks});

-- name: rows
-- The whole chain in its order, the hash last; table and columns are from a closed list in job/chain.py.
SELECT {columns}
FROM {table}
ORDER BY {number}, hash;
