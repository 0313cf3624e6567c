-- Values of the touched runs by key, as one text a run.
SELECT entity, project, run_id, string_agg("key" || ':' || "values", ',' ORDER BY "key")
FROM (
  SELECT entity, project, run_id, "key", count(*) AS "values"
  FROM "$table"
  SEMI JOIN touched USING (entity, project, run_id)
  GROUP BY entity, project, run_id, "key"
)
GROUP BY entity, project, run_id
