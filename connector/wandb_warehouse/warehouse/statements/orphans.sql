-- Rows in "$table" of touched runs that `runs` does not have.
SELECT entity, project, run_id, 'rows of a run that is not in runs: ' || count(*) AS detail
FROM "$table"
SEMI JOIN touched USING (entity, project, run_id)
ANTI JOIN runs USING (entity, project, run_id)
GROUP BY entity, project, run_id
