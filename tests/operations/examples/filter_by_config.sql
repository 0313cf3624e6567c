-- runs.filter(r => run-config(r).learning_rate > 0.01)
SELECT
  r.entity,
  r.project,
  r.run_id,
  r.name,
  r.state,
  r.created_at
FROM runs AS r
LEFT JOIN config_values AS c
  ON c.entity = r.entity
  AND c.project = r.project
  AND c.run_id = r.run_id
  AND c.key = 'learning_rate'
WHERE
  r.deleted_at IS NULL AND COALESCE(c.number > 0.01, FALSE)
ORDER BY
  r.created_at ASC,
  r.entity ASC,
  r.project ASC,
  r.run_id ASC;
