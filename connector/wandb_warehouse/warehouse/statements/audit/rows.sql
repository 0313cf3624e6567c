SELECT $columns FROM $source WHERE $where
