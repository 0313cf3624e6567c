"""Long forms of the promises' proofs, run by `make soak`; the quick forms stand among the tests."""
