-- Touched runs whose rows in "$table" are not as many as expected; a run without an expectation expects none.
SELECT entity, project, run_id,
  'rows stored: ' || coalesce(stored.found, 0) || ', expected: ' || coalesce(expected.rows, 0) AS detail
FROM (
  SELECT entity, project, run_id, $count AS found
  FROM "$source"
  SEMI JOIN touched USING (entity, project, run_id)
  GROUP BY entity, project, run_id
) AS stored
FULL JOIN (
  SELECT entity, project, run_id, sum("rows")::BIGINT AS rows
  FROM expectations
  WHERE "table" = '$table'
  GROUP BY entity, project, run_id
) AS expected USING (entity, project, run_id)
WHERE coalesce(stored.found, 0) <> coalesce(expected.rows, 0)
