"""The one chat service there is today: commands, buttons, codes and cards over the Bot API."""
