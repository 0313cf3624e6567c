-- runs.filter(r => run-createdAt(r) > Date.now() - 7*24*60*60*1000)
SELECT
  r.entity,
  r.project,
  r.run_id,
  r.name,
  r.state,
  r.created_at
FROM runs AS r
WHERE
  r.deleted_at IS NULL
  AND COALESCE(
    EPOCH_MS(r.created_at) > NULLIF(EPOCH_MS(CURRENT_TIMESTAMP) - CAST(604800000 AS DOUBLE), CAST('NaN' AS DOUBLE)),
    FALSE
  )
ORDER BY
  r.created_at ASC,
  r.entity ASC,
  r.project ASC,
  r.run_id ASC;
