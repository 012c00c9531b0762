"""Storage for conversations, journals, tapes and budgets: SQLite files and Redis servers."""
