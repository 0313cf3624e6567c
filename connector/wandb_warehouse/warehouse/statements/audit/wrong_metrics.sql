-- Touched runs whose `metrics` say something else of the stored history than it holds. A null equals a null here, and
-- NaN a NaN.
SELECT entity, project, run_id, 'keys of which it says something else than history holds: ' || count(*)
  || ', e.g. ' || min("key") AS detail
FROM (
  FROM metrics SEMI JOIN touched USING (entity, project, run_id)
) AS told
FULL JOIN stored_metrics AS found USING (entity, project, run_id, "key")
WHERE coalesce(told.stored_count, 0) <> coalesce(found.stored_count, 0)
   OR told.first_step IS DISTINCT FROM found.first_step
   OR told.last_step IS DISTINCT FROM found.last_step
   OR told.last_value IS DISTINCT FROM found.last_value
   OR told.min_value IS DISTINCT FROM found.min_value
   OR told.max_value IS DISTINCT FROM found.max_value
GROUP BY entity, project, run_id
