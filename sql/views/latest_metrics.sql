-- view: latest_metrics
-- mirrors: the last logged value per metric, as `run.summary` shows it by default
-- grain: one row per run that is not deleted and history key that has stored values
-- units: as logged
--
-- `last_value` is null where the key's last row holds no number; min and max leave NaN out.
SELECT
  metrics.entity,
  metrics.project,
  metrics.run_id,
  runs.name AS run_name,
  runs.state,
  metrics.key,
  metrics.last_step,
  metrics.last_value,
  metrics.min_value,
  metrics.max_value,
  metrics.stored_count
FROM metrics
JOIN runs
  ON runs.entity = metrics.entity
  AND runs.project = metrics.project
  AND runs.run_id = metrics.run_id
WHERE runs.deleted_at IS NULL
  AND metrics.stored_count > 0
