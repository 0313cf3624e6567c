-- runs.config["lr"]
SELECT
  CAST(CASE WHEN NOT c2.run_id IS NULL THEN CAST(r.config -> '/lr' AS TEXT) ELSE c.json END AS JSON) AS "value"
FROM runs AS r
LEFT JOIN config_values AS c
  ON c.entity = r.entity
  AND c.project = r.project
  AND c.run_id = r.run_id
  AND c.key = 'lr'
LEFT JOIN (
  SELECT DISTINCT
    entity,
    project,
    run_id
  FROM config_values
  WHERE
    SUBSTRING(key, 1, 3) = 'lr.'
) AS c2
  ON c2.entity = r.entity AND c2.project = r.project AND c2.run_id = r.run_id
WHERE
  r.deleted_at IS NULL
ORDER BY
  r.created_at ASC,
  r.entity ASC,
  r.project ASC,
  r.run_id ASC;
