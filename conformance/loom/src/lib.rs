//! Holds the tests of `.ci/loom`, and nothing else.
