-- Touched runs whose ledger is missing, or says something else than their history ("$stored") holds.
WITH found AS (
  SELECT entity, project, run_id, sum("values")::BIGINT AS stored_values, count(*) AS stored_keys, max(last_step) AS last_step
  FROM "$stored"
  GROUP BY entity, project, run_id
)
SELECT entity, project, run_id,
  CASE
    WHEN ledger.state IS NULL THEN 'no ledger row'
    ELSE format('ledger says {} values, {} keys, last step {}; history holds {}, {}, {}',
      coalesce(ledger.stored_values, 0), coalesce(ledger.stored_keys, 0), coalesce(ledger.last_step, -1),
      coalesce(found.stored_values, 0), coalesce(found.stored_keys, 0), coalesce(found.last_step, -1))
  END AS detail
FROM runs
SEMI JOIN touched USING (entity, project, run_id)
LEFT JOIN run_ledger AS ledger USING (entity, project, run_id)
LEFT JOIN found USING (entity, project, run_id)
WHERE ledger.state IS NULL
   OR coalesce(ledger.stored_values, 0) <> coalesce(found.stored_values, 0)
   OR coalesce(ledger.stored_keys, 0) <> coalesce(found.stored_keys, 0)
   OR coalesce(ledger.last_step, -1) <> coalesce(found.last_step, -1)
