DELETE FROM run_numbers
WHERE run_number NOT IN (SELECT min(run_number) FROM run_numbers GROUP BY entity, project, run_id)
