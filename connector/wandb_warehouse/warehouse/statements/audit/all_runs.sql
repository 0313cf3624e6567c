SELECT DISTINCT entity, project, run_id FROM ($sources) AS mentioned
