-- Rows and sums of the hashes of their texts, by touched run: equal for equal rows, whatever their order.
SELECT
  entity,
  project,
  run_id,
  count(*) AS "rows",
  sum(md5_number_lower(line)::HUGEINT) AS low,
  sum(md5_number_upper(line)::HUGEINT) AS high
FROM (
  SELECT entity, project, run_id, $row AS line
  FROM $source
  SEMI JOIN touched USING (entity, project, run_id)
)
GROUP BY entity, project, run_id
