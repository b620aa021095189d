"""Who is alerted first, who next, and through which other channel if the chat service does not deliver."""
