"""The table of cases and what the tests do with a row of it."""
