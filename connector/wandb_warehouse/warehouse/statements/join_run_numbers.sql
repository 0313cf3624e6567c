-- Rows of runs that have two numbers, one under each name, get the smaller one.
UPDATE "$table" AS stored
SET run_number = first.run_number
FROM (
  SELECT run_number AS other, min(run_number) OVER (PARTITION BY entity, project, run_id) AS run_number FROM run_numbers
) AS first
WHERE stored.run_number = first.other
  AND first.other <> first.run_number
