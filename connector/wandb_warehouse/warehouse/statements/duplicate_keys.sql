-- Primary keys of "$table" that more than one row of a touched run has.
SELECT entity, project, run_id, 'primary keys stored twice: ' || count(*) || ', e.g. ' || any_value(example) AS detail
FROM (
  SELECT entity, project, run_id, concat_ws(', ', $key) AS example
  FROM "$table"
  SEMI JOIN touched USING (entity, project, run_id)
  GROUP BY $key
  HAVING count(*) > 1
)
GROUP BY entity, project, run_id
