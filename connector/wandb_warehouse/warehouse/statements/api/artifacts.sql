WITH named AS (
  SELECT entity, project, collection, artifact_id, list(alias ORDER BY alias) AS aliases
  FROM artifact_aliases
  WHERE NOT regexp_full_match(alias, 'v[0-9]+')
    AND (CAST($$entity AS VARCHAR) IS NULL OR entity = CAST($$entity AS VARCHAR))
    AND (CAST($$project AS VARCHAR) IS NULL OR project = CAST($$project AS VARCHAR))
    AND (CAST($$collection AS VARCHAR) IS NULL OR collection = CAST($$collection AS VARCHAR))
    AND (
      CAST($$ids AS VARCHAR[]) IS NULL
      OR artifact_id IN (SELECT unnest(CAST($$ids AS VARCHAR[])))
    )
  GROUP BY ALL
)
SELECT
  a.entity,
  a.project,
  a.collection,
  a.artifact_id,
  a."type",
  a.version,
  a.version_index,
  a.is_linked,
  a.digest,
  a.size,
  a.file_count,
  a.state,
  a.description,
  CAST(a.metadata AS VARCHAR) AS metadata,
  CAST(a.tags AS VARCHAR) AS tags,
  a.history_step,
  a.commit_hash,
  a.ttl_seconds,
  a.created_at,
  a.updated_at,
  a.created_by_entity,
  a.created_by_project,
  a.created_by_run_id,
  n.aliases
FROM artifacts AS a
LEFT JOIN named AS n USING (entity, project, collection, artifact_id)
WHERE (CAST($$entity AS VARCHAR) IS NULL OR a.entity = CAST($$entity AS VARCHAR))
  AND (CAST($$project AS VARCHAR) IS NULL OR a.project = CAST($$project AS VARCHAR))
  AND (CAST($$collection AS VARCHAR) IS NULL OR a.collection = CAST($$collection AS VARCHAR))
  AND (
    CAST($$ids AS VARCHAR[]) IS NULL
    OR a.artifact_id IN (SELECT unnest(CAST($$ids AS VARCHAR[])))
  )
ORDER BY a.entity, a.project, a.collection, a.version_index DESC, a.artifact_id
