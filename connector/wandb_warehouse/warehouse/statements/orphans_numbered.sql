-- Rows in "$table" of touched runs that `runs` does not have, or of keys that have no name.
SELECT entity, project, run_id, 'rows of a run that is not in runs: ' || sum("values")::BIGINT AS detail
FROM "$stored"
ANTI JOIN runs USING (entity, project, run_id)
GROUP BY entity, project, run_id
UNION ALL
SELECT entity, project, run_id, 'rows of keys without a name: ' || sum("values")::BIGINT AS detail
FROM "$stored"
WHERE "key" IS NULL
GROUP BY entity, project, run_id
