"""The Chromium driver, most of it against real Chromium and the stand-in for WhatsApp Web."""
