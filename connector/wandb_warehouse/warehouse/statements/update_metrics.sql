UPDATE metrics
SET
  stored_count = coalesce(fresh.stored_count, 0),
  first_step = fresh.first_step,
  last_step = fresh.last_step,
  last_value = fresh.last_value,
  min_value = fresh.min_value,
  max_value = fresh.max_value
FROM (
  SELECT indexed.entity, indexed.project, indexed.run_id, indexed."key", stored.* EXCLUDE (entity, project, run_id, "key")
  FROM metrics AS indexed
  SEMI JOIN touched USING (entity, project, run_id)
  LEFT JOIN stored_metrics AS stored USING (entity, project, run_id, "key")
) AS fresh
WHERE metrics.entity = fresh.entity
  AND metrics.project = fresh.project
  AND metrics.run_id = fresh.run_id
  AND metrics."key" = fresh."key"
