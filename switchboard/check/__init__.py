"""`switchboard check`: every prerequisite and limit in one screen, before the first account needs it."""
