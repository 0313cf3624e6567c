-- macro: summary_statistics(metric)
-- mirrors: `runs.summary["metric"].avg` and its kin in the query panels, over all runs
-- grain: one row per project
-- units: as written
--
-- `runs` are all runs that are not deleted, `numbers` those of them that have a number. The others, and those with NaN, are
-- left out of what follows; without any number it is null. `stddev` is that of the population; null where a number is
-- infinite (or its square beyond a double).
SELECT
  runs.entity,
  runs.project,
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
  SELECT entity, project, run_id, number
  FROM summary_values
  WHERE "key" = metric
    AND kind = 'number'
) AS entries
  ON entries.entity = runs.entity
  AND entries.project = runs.project
  AND entries.run_id = runs.run_id
WHERE runs.deleted_at IS NULL
GROUP BY runs.entity, runs.project
