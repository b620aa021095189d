"""The accounts' side: lifecycle, managers, registry, driver. Knows nothing of Telegram."""
