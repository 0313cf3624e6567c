-- runs.map(r => run-config(r).learning_rate).max()
SELECT
  CAST(MAX(CASE WHEN c.kind = 'number' THEN c.number END) AS DOUBLE) AS "value"
FROM runs AS r
LEFT JOIN config_values AS c
  ON c.entity = r.entity
  AND c.project = r.project
  AND c.run_id = r.run_id
  AND c.key = 'learning_rate'
WHERE
  r.deleted_at IS NULL;
