-- runs.sort((a, b) => run-createdAt(a) - run-createdAt(b))
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
ORDER BY
  EPOCH_MS(r.created_at) ASC,
  r.created_at ASC,
  r.entity ASC,
  r.project ASC,
  r.run_id ASC;
