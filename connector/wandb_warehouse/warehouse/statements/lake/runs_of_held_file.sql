INSERT INTO next_segment_runs BY NAME FROM segment_runs WHERE "table" = '$table' AND file = $file
