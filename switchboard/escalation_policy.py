"""Escalation as configured: its times, and the fallback channel, which requires an extra."""

from datetime import timedelta

from handlers.alerts.escalation.escalator import EscalationPolicy
from switchboard.settings import Settings, SettingsError


def escalation_policy(settings: Settings) -> EscalationPolicy:
    """Return how unacknowledged alerts escalate. Raises SettingsError with one line, without secrets."""
    after = timedelta(seconds=settings.alert_fallback_after_seconds)
    escalate_after = timedelta(seconds=settings.escalate_after_seconds)
    if not settings.alert_fallback_urls:
        return EscalationPolicy(None, after, escalate_after)
    try:
        from switchboard.monitoring.fallback import FallbackChannel, FallbackError
    except ImportError as error:
        raise SettingsError(
            f"ALERT_FALLBACK_URLS: needs {error.name}, which is not installed: pip install 'switchboard[monitoring]'"
        ) from None
    try:
        way = FallbackChannel([address.get_secret_value() for address in settings.alert_fallback_urls])
    except FallbackError as error:
        raise SettingsError(str(error)) from None
    return EscalationPolicy(way, after, escalate_after)
