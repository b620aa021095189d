"""Telegram, the only chat service so far: commands, buttons, codes and cards over the Bot API."""
