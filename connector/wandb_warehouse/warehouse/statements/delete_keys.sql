DELETE FROM "$table" AS kept USING incoming WHERE $same
