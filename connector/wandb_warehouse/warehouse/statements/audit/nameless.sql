-- Rows of "$table" whose run or key has no name, or one that stands twice: no view shows them as they were.
SELECT '' AS entity, '' AS project, '' AS run_id, 'rows whose run or key has no name or two: ' || sum("values")::BIGINT AS detail
FROM (SELECT run_number, key_number, count(*) AS "values" FROM "$table" GROUP BY run_number, key_number) AS stored
LEFT JOIN (SELECT run_number, count(*) AS names FROM run_numbers GROUP BY run_number) AS runs USING (run_number)
LEFT JOIN (SELECT key_number, count(*) AS names FROM key_numbers GROUP BY key_number) AS keys USING (key_number)
WHERE coalesce(runs.names, 0) <> 1 OR coalesce(keys.names, 0) <> 1
HAVING count(*) > 0
