-- runs.config["lr"]
SELECT
  CAST(c.json AS JSON) AS "value"
FROM runs AS r
LEFT JOIN config_values AS c
  ON c.entity = r.entity
  AND c.project = r.project
  AND c.run_id = r.run_id
  AND c.key = 'lr'
WHERE
  r.deleted_at IS NULL
ORDER BY
  r.created_at ASC,
  r.entity ASC,
  r.project ASC,
  r.run_id ASC;
