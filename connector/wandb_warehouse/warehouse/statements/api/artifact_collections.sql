WITH named AS (
  SELECT entity, project, collection, list(alias ORDER BY alias) AS aliases
  FROM artifact_aliases
  WHERE entity = $$entity
    AND project = $$project
  GROUP BY ALL
)
SELECT
  a.collection,
  a."type",
  min(a.created_at) AS created_at,
  bool_and(coalesce(a.is_linked, false)) AS is_linked,
  any_value(n.aliases) AS aliases,
  any_value(p.project_id) AS project_id
FROM artifacts AS a
LEFT JOIN named AS n USING (entity, project, collection)
LEFT JOIN projects AS p USING (entity, project)
WHERE a.entity = $$entity
  AND a.project = $$project
GROUP BY a.collection, a."type"
ORDER BY min(a.created_at), a.collection
