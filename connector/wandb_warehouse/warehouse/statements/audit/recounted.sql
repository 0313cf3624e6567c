-- What the stored history of every touched run holds: values, keys, last step, and rows as far as `_timestamp` counts them.
SELECT
  entity,
  project,
  run_id,
  sum(stored_count)::BIGINT AS "values",
  count(*) AS "keys",
  max(last_step) AS last_step,
  coalesce(max(stored_count) FILTER ("key" = '_timestamp'), 0)::BIGINT AS stamped
FROM stored_metrics
GROUP BY entity, project, run_id
