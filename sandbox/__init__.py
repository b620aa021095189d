"""Stand-ins for WhatsApp Web and Telegram, and a web page to operate them. The product never imports this package."""
