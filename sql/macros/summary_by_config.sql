-- macro: summary_by_config(metric, config_key)
-- mirrors: runs grouped by a config key, with a summary metric's aggregates
-- grain: one row per project and value of the config key; one for the runs that lack it
-- units: as written
--
-- `config_value` is JSON text, null for runs without the key.
-- `runs` are all runs that are not deleted, `numbers` those of them that have a number. The others, and those with NaN, are
-- left out of what follows; without any number it is null. `stddev` is that of the population; null where a number is
-- infinite (or its square beyond a double).
SELECT
  runs.entity,
  runs.project,
  grouped.json AS config_value,
  count(runs.run_id) AS runs,
  count(entries.number) AS numbers,
  CASE WHEN NOT isnan(avg(entries.number)) THEN avg(entries.number) END AS avg,
  min(entries.number) AS min,
  max(entries.number) AS max,
  CASE WHEN NOT isnan(sum(entries.number)) THEN sum(entries.number) END AS sum,
  CASE
    WHEN count(entries.number) = count(CASE WHEN abs(entries.number) < 1e150 THEN 1 END)
      THEN stddev_pop(CASE WHEN abs(entries.number) < 1e150 THEN entries.number END)
  END AS stddev
FROM runs
LEFT JOIN (
  SELECT entity, project, run_id, json
  FROM config_values
  WHERE "key" = config_key
) AS grouped
  ON grouped.entity = runs.entity
  AND grouped.project = runs.project
  AND grouped.run_id = runs.run_id
LEFT JOIN (
  SELECT entity, project, run_id, number
  FROM summary_values
  WHERE "key" = metric
    AND kind = 'number'
) AS entries
  ON entries.entity = runs.entity
  AND entries.project = runs.project
  AND entries.run_id = runs.run_id
WHERE runs.deleted_at IS NULL
GROUP BY runs.entity, runs.project, grouped.json
