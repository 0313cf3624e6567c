SELECT entity, project, run_id, state, coalesce(error, '') AS error
FROM run_ledger
WHERE state <> 'ok'
ORDER BY entity, project, run_id
