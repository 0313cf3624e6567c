-- Every project a table speaks of, with what the ledger says is stored: reading the history itself takes too long.
SELECT
  entity,
  project,
  coalesce(sum(stored_rows), 0)::BIGINT AS history_rows,
  coalesce(sum(stored_values), 0)::BIGINT AS history_values
FROM (
  SELECT entity, project FROM projects
  UNION SELECT entity, project FROM runs
  UNION SELECT entity, project FROM run_ledger
)
LEFT JOIN run_ledger USING (entity, project)
GROUP BY entity, project
ORDER BY entity, project
