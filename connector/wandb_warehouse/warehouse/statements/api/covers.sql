-- For some runs a metric that every row of their history has, by what W&B itself logs with every row.
SELECT ledger.run_id, min(covering."key") AS "key"
FROM run_ledger AS ledger
JOIN metrics AS covering
  ON covering.entity = ledger.entity
  AND covering.project = ledger.project
  AND covering.run_id = ledger.run_id
  AND covering.stored_count = ledger.stored_rows
WHERE ledger.entity = $$entity
  AND ledger.project = $$project
  AND covering."key" IN ('_timestamp', '_runtime')
GROUP BY ledger.run_id
