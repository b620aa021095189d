"""The lifecycle of one account: the table of its transitions, the rows by subject, the step that they change."""
