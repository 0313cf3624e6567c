SELECT entity, project, run_id, state, coalesce(error, '') AS error
FROM run_ledger
WHERE state NOT IN ('ok', 'deleted')
ORDER BY entity, project, run_id
