-- The same of one run, by key.
SELECT
  "key",
  count(*) AS "rows",
  sum(md5_number_lower(line)::HUGEINT) AS low,
  sum(md5_number_upper(line)::HUGEINT) AS high
FROM (
  SELECT "key", $row AS line
  FROM $source
  WHERE entity = ? AND project = ? AND run_id = ?
)
GROUP BY "key"
