-- macro: compare_configs(left_run, right_run)
-- mirrors: the run comparer's table of configs
-- grain: one row per key that one of the two runs has
-- units: as written
--
-- Each run is one that is not deleted, given as its id, or as entity/project/id, which must be used where ids repeat between
-- projects. Values are JSON text, null where the run lacks the key: `differs` is true then, too. A null value is the text
-- `null`, which differs from a key that is not there. Numbers are compared as numbers (1 and 1.0 are the same), lists and
-- objects by their content.
SELECT
  COALESCE(a."key", b."key") AS "key",
  a.json AS "left",
  b.json AS "right",
  a.json IS DISTINCT FROM b.json AS differs
FROM (
  SELECT entries."key", entries.json
  FROM config_values AS entries
  JOIN runs
    ON runs.entity = entries.entity
    AND runs.project = entries.project
    AND runs.run_id = entries.run_id
  WHERE left_run IN (runs.run_id, runs.entity || '/' || runs.project || '/' || runs.run_id)
    AND runs.deleted_at IS NULL
) AS a
FULL OUTER JOIN (
  SELECT entries."key", entries.json
  FROM config_values AS entries
  JOIN runs
    ON runs.entity = entries.entity
    AND runs.project = entries.project
    AND runs.run_id = entries.run_id
  WHERE right_run IN (runs.run_id, runs.entity || '/' || runs.project || '/' || runs.run_id)
    AND runs.deleted_at IS NULL
) AS b
  ON a."key" = b."key"
