"""Stand-ins for WhatsApp Web and Telegram, and a page to play with them. The product never imports any of it."""
