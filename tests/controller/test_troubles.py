"""Troubles of the controller have traits, like the accounts' reasons."""

from controller.accounts.reasons import TRAITS, Reason, Traits
from controller.incidents import CRITICAL
from controller.troubles import TROUBLE_TRAITS, Trouble, traits_of


def test_every_trouble_has_its_traits_and_is_no_reason():
    assert set(TROUBLE_TRAITS) == set(Trouble)
    assert all(traits.alert for traits in TROUBLE_TRAITS.values())
    assert not {str(trouble) for trouble in Trouble} & {str(reason) for reason in Reason}


def test_a_word_has_the_traits_of_its_reason_or_trouble_and_one_of_another_version_none():
    assert traits_of("disk_full") is TROUBLE_TRAITS[Trouble.DISK]
    assert traits_of("logged_out") is TRAITS[Reason.LOGGED_OUT]
    assert traits_of("of_another_version") == Traits()


def test_what_is_critical_is_told_by_the_traits():
    assert {"disk_full", "database_read_only", "logged_out"} <= CRITICAL
    assert not CRITICAL & {"memory_short", "of_another_version"}
