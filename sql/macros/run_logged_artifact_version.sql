-- macro: run_logged_artifact_version(run, artifact)
-- mirrors: `run-loggedArtifactVersion(run, "model:latest")` of the query panels
-- grain: one row where the run logged that version, else none
-- units: `size` in bytes
--
-- `run` is the id of a run that is not deleted, or entity/project/id where ids repeat between projects. `artifact`
-- is `name:alias` or `name:v3`; a name alone means `latest`. An alias means the version it points to now: where it moved
-- on to a version of another run, there is no row.
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
  AND edges.direction = 'logged'

  AND (
    artifact = edges.collection || ':' || edges.version
    OR EXISTS (
      SELECT 1
      FROM artifact_aliases AS named
      WHERE named.entity = edges.artifact_entity
        AND named.project = edges.artifact_project
        AND named.collection = edges.collection
        AND named.artifact_id = edges.artifact_id
        AND named.collection || ':' || named.alias
          = CASE WHEN artifact LIKE '%:%' THEN artifact ELSE artifact || ':latest' END
    )
  )
