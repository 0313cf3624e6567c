UPDATE run_ledger
SET state = 'deleted'
FROM incoming
WHERE run_ledger.entity = incoming.entity
  AND run_ledger.project = incoming.project
  AND run_ledger.run_id = incoming.run_id
