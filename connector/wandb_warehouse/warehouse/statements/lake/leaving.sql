-- Rows of changed runs in each file of a table.
SELECT file, sum("rows")::BIGINT AS leaving
FROM segment_runs
SEMI JOIN changed USING (entity, project, run_id)
WHERE "table" = '$table'
GROUP BY file
