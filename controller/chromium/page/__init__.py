"""What is read from WhatsApp Web's page, by which script, and what the page is asked to do."""
