"""The way to WhatsApp: the proxy that browsers take, whether its host can be reached, and outages of all accounts."""
