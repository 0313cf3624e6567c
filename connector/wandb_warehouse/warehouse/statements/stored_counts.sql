-- What `metrics` says is stored of every touched run; call after it was refreshed.
SELECT
  touched.entity,
  touched.project,
  touched.run_id,
  coalesce(sum(stored_count), 0)::BIGINT AS stored_values,
  count(*) FILTER (stored_count > 0) AS stored_keys,
  coalesce(max(last_step), -1) AS last_step
FROM touched
LEFT JOIN metrics USING (entity, project, run_id)
GROUP BY touched.entity, touched.project, touched.run_id
