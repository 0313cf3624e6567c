SELECT
  ledger.run_id,
  ledger.state,
  ledger.expected_rows,
  ledger.stored_rows,
  ledger.stored_values,
  ledger.sampled_values,
  ledger.last_step,
  covering."key" AS cover
FROM run_ledger AS ledger
LEFT JOIN (
  SELECT run_id, stored_count, min("key") AS "key"
  FROM metrics
  WHERE entity = $$entity
    AND project = $$project
    AND "key" IN ('_timestamp', '_runtime')
  GROUP BY run_id, stored_count
) AS covering
  ON covering.run_id = ledger.run_id
  AND covering.stored_count = ledger.stored_rows
WHERE ledger.entity = $$entity
  AND ledger.project = $$project
