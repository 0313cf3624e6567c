-- config = run-config(run)
SELECT
  CAST(f.config AS JSON) AS "value"
FROM (
  SELECT
    1 AS one
) AS one_row
LEFT JOIN (
  SELECT
    r.*
  FROM runs AS r
  WHERE
    r.deleted_at IS NULL AND r.run_id = 'r1'
  ORDER BY
    r.created_at ASC,
    r.entity ASC,
    r.project ASC,
    r.run_id ASC
  LIMIT 1
) AS f
  ON TRUE;
