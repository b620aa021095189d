"""Who is called first, who next, and by which other way when the chat service does not deliver."""
