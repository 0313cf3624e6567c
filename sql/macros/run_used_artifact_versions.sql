-- macro: run_used_artifact_versions(run)
-- mirrors: `run.used_artifacts()`
-- grain: one row per artifact version that the run used
-- units: `size` in bytes
--
-- `run` is the id of a run that is not deleted, or entity/project/id where ids repeat between projects. Every
-- version is there, however many they are.
-- `aliases` are those that point to the version now, in the order of the alphabet; null where there is none. What only the
-- artifact's own project tells (`size` and what follows it, `aliases`) is null where that project is not synced.
SELECT
  edges.entity,
  edges.project,
  edges.run_id,
  edges.collection AS name,
  edges.version,
  aliases.aliases,
  edges."type",
  artifacts.size,
  artifacts.digest,
  artifacts.state,
  artifacts.metadata,
  artifacts.created_at
FROM run_artifacts AS edges
JOIN runs
  ON runs.entity = edges.entity
  AND runs.project = edges.project
  AND runs.run_id = edges.run_id
LEFT JOIN artifacts
  ON artifacts.entity = edges.artifact_entity
  AND artifacts.project = edges.artifact_project
  AND artifacts.collection = edges.collection
  AND artifacts.artifact_id = edges.artifact_id
LEFT JOIN (
  SELECT entity, project, collection, artifact_id, array_agg(alias ORDER BY alias NULLS FIRST) AS aliases
  FROM artifact_aliases
  GROUP BY entity, project, collection, artifact_id
) AS aliases
  ON aliases.entity = edges.artifact_entity
  AND aliases.project = edges.artifact_project
  AND aliases.collection = edges.collection
  AND aliases.artifact_id = edges.artifact_id
WHERE run IN (runs.run_id, runs.entity || '/' || runs.project || '/' || runs.run_id)
  AND runs.deleted_at IS NULL
  AND edges.direction = 'used'
