-- What the history of the touched runs holds per key. The last value is the one of the last row, null unless that
-- row holds a number; NaN would win every max in DuckDB and is left out of the bounds. Step and seq are one number of
-- 128 bits (seq below 2^62), which is compared faster than a pair.
CREATE OR REPLACE TEMP TABLE stored_metrics AS
SELECT entity, project, run_id, "key", stored.* EXCLUDE (run_number, key_number)
FROM (
  SELECT
    run_number,
    key_number,
    count(*) AS stored_count,
    min(step) AS first_step,
    max(step) AS last_step,
    arg_max_null(CASE WHEN "type" = 'number' THEN "value" END, step::HUGEINT * 4611686018427387904 + seq) AS last_value,
    min("value") FILTER ("type" = 'number' AND NOT isnan("value")) AS min_value,
    max("value") FILTER ("type" = 'number' AND NOT isnan("value")) AS max_value
  FROM history_values
  SEMI JOIN (FROM run_numbers SEMI JOIN touched USING (entity, project, run_id)) USING (run_number)
  GROUP BY run_number, key_number
) AS stored
JOIN run_numbers USING (run_number)
JOIN key_numbers USING (key_number)
