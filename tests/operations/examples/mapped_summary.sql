-- runs.summary["accuracy"].avg
SELECT
  AVG(CASE WHEN s.kind = 'number' THEN s.number END) AS "value"
FROM runs AS r
LEFT JOIN summary_values AS s
  ON s.entity = r.entity
  AND s.project = r.project
  AND s.run_id = r.run_id
  AND s.key = 'accuracy'
WHERE
  r.deleted_at IS NULL;
