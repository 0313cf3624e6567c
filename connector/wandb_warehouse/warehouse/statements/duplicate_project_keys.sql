-- Primary keys of "$table" that more than one row has, by project.
SELECT entity, project, '' AS run_id, 'primary keys stored twice: ' || count(*) || ', e.g. ' || any_value(example) AS detail
FROM (
  SELECT entity, project, concat_ws(', ', $key) AS example
  FROM "$table"
  GROUP BY $key
  HAVING count(*) > 1
)
GROUP BY entity, project
