-- Runs that go into new files, with their rows: changed ones from the build, the others from files that are given up.
SELECT entity, project, run_id, sum("rows")::BIGINT AS "rows"
FROM (
  SELECT entity, project, run_id, "rows" FROM changed WHERE "rows" > 0
  UNION ALL BY NAME
  SELECT entity, project, run_id, "rows"
  FROM segment_runs
  SEMI JOIN given_up USING (file)
  ANTI JOIN changed USING (entity, project, run_id)
)
GROUP BY entity, project, run_id
ORDER BY entity, project, run_id
