SELECT entity, project, coalesce(state, 'unknown') AS state, deleted_at IS NOT NULL AS deleted, count(*) AS runs
FROM runs
GROUP BY ALL
ORDER BY ALL
