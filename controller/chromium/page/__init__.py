"""WhatsApp Web's page: our script in it, the parsing of what it sends, and the commands that it accepts."""
