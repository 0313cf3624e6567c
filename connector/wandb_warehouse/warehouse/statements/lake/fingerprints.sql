-- What a build holds of every run in "$table" ('' for all rows of a table whose rows do not belong to runs): the rows
-- and two sums of hashes, which tell whether a load changed anything.
INSERT INTO fingerprints BY NAME
SELECT
  '$table' AS "table",
  $run,
  count(*) AS "rows",
  sum(hash($columns))::VARCHAR || ' ' || sum(hash(1, $columns))::VARCHAR AS print
FROM "$table"
GROUP BY ALL
