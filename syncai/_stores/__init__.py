"""Where conversations, journals, tapes and budgets are kept: SQLite files and Redis servers."""
