SELECT generation, started_at, finished_at, schema_version, package_version, projects::VARCHAR AS projects, report::VARCHAR AS report
FROM sync_log
ORDER BY generation DESC
LIMIT 1
