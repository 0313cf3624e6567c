-- The same of a table whose rows belong to projects.
SELECT
  entity,
  project,
  '' AS run_id,
  count(*) AS "rows",
  sum(md5_number_lower(line)::HUGEINT) AS low,
  sum(md5_number_upper(line)::HUGEINT) AS high
FROM (SELECT entity, project, $row AS line FROM $source)
GROUP BY entity, project
