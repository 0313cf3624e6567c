-- Touched runs of which the ledger counts other values in `history_sampled` than stand there.
SELECT entity, project, run_id,
  format('ledger says {} sampled values, history_sampled holds {}', coalesce(told.sampled_values, 0), coalesce(found."values", 0))
    AS detail
FROM (
  SELECT entity, project, run_id, sampled_values FROM run_ledger SEMI JOIN touched USING (entity, project, run_id)
) AS told
FULL JOIN (
  SELECT entity, project, run_id, count(*) AS "values"
  FROM history_sampled
  SEMI JOIN touched USING (entity, project, run_id)
  GROUP BY entity, project, run_id
) AS found USING (entity, project, run_id)
WHERE coalesce(told.sampled_values, 0) <> coalesce(found."values", 0)
