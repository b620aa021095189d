"""`switchboard check`: every prerequisite and limit on one screen, before the first account needs it."""
