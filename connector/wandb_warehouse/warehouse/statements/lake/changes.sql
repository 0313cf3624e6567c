-- Runs whose rows in a table are others than before the load, with their rows now.
CREATE OR REPLACE TEMP TABLE changes AS
SELECT "table", entity, project, run_id, coalesce(now."rows", 0) AS "rows"
FROM fingerprints AS now
FULL JOIN fingerprints_before AS before USING ("table", entity, project, run_id)
WHERE now.print IS DISTINCT FROM before.print
