-- Runs whose rows in the new files of "$table", read again, are not those they must have, or stand in two files.
SELECT entity, project, run_id, coalesce(found."rows", 0) AS stored, coalesce(due."rows", 0) AS due
FROM (
  SELECT entity, project, run_id, sum("rows") AS "rows", count(*) AS files
  FROM next_segment_runs
  WHERE "table" = '$table'
  GROUP BY entity, project, run_id
) AS found
FULL JOIN (
  SELECT entity, project, run_id, "rows" FROM changed WHERE "rows" > 0
  UNION ALL BY NAME
  SELECT entity, project, run_id, "rows"
  FROM segment_runs
  ANTI JOIN changed USING (entity, project, run_id)
  WHERE "table" = '$table'
) AS due USING (entity, project, run_id)
WHERE found."rows" IS DISTINCT FROM due."rows" OR found.files > 1
ORDER BY ALL
LIMIT 3
