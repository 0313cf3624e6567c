-- macro: compare_configs(left_run, right_run)
-- mirrors: the run comparer's table of configs
-- grain: one row per key that one of the two runs has
-- units: as written
--
-- Each run is given as its id, or as entity/project/id, which must be used where ids repeat between projects. Values are JSON
-- text, null where the run lacks the key: `differs` is true then, too. A null value is the text `null`, which differs from a
-- key that is not there. Numbers are compared as numbers (1 and 1.0 are the same), lists and objects by their content.
SELECT
  COALESCE(a."key", b."key") AS "key",
  a.json AS "left",
  b.json AS "right",
  a.json IS DISTINCT FROM b.json AS differs
FROM (
  SELECT "key", json
  FROM config_values
  WHERE left_run IN (run_id, entity || '/' || project || '/' || run_id)
) AS a
FULL OUTER JOIN (
  SELECT "key", json
  FROM config_values
  WHERE right_run IN (run_id, entity || '/' || project || '/' || run_id)
) AS b
  ON a."key" = b."key"
