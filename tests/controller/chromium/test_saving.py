"""Profiles are saved when they are sound, and a saved one restores a lost session without a scan."""

import shutil

import pytest

from controller.accounts.reasons import Reason
from controller.accounts.reports import Code, Ended, Ready
from controller.chromium.profile.profile import Profile
from controller.chromium.profile.vault import new_key
from controller.driver import DriverError
from sandbox.whatsapp import WhatsAppStandIn
from tests.controller.chromium.conftest import ACCOUNT, Rig, eventually

pytestmark = pytest.mark.chromium


async def again(rig: Rig) -> None:
    """Open the account's session once more, see it restored, and close it in good order."""
    before = len(rig.reports)
    session = await rig.open(ACCOUNT)
    await rig.seen(Ready, after=before)
    await session.close()


@pytest.mark.parametrize("key", [None, new_key()], ids=["plain", "encrypted"])
async def test_a_lost_profile_is_restored_from_its_saved_copy_without_a_scan(
    rig: Rig, stand_in: WhatsAppStandIn, key: str | None
) -> None:
    rig.make(vault_key=key)
    session = await rig.linked(stand_in)
    await session.close()
    assert await rig.driver.saved(ACCOUNT) == []
    await again(rig)
    (copy,) = await rig.driver.saved(ACCOUNT)
    await again(rig)
    assert await rig.driver.saved(ACCOUNT) == [copy], "once a day is enough"
    shutil.rmtree(Profile.of(rig.data_dir, ACCOUNT).folder)
    await rig.driver.restore(ACCOUNT, copy.name)
    before = len(rig.reports)
    await rig.open(ACCOUNT)
    await rig.seen(Ready, after=before)
    assert not [report for report in rig.reports[before:] if isinstance(report, Code)]


async def test_each_clean_close_may_be_saved_and_a_change_of_browser_always_is(
    rig: Rig, stand_in: WhatsAppStandIn
) -> None:
    rig.make(save_every=0.0)
    session = await rig.linked(stand_in)
    await session.close()
    await again(rig)
    await again(rig)
    assert len(await rig.driver.saved(ACCOUNT)) == 2
    await rig.driver.stop()
    rig.make(save_every=10**9)
    Profile.of(rig.data_dir, ACCOUNT).put_stamp("1.2.3.4")
    await again(rig)
    assert len(await rig.driver.saved(ACCOUNT)) == 3


async def test_what_crashed_or_was_logged_out_is_not_saved(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    rig.make(save_every=0.0)
    session = await rig.linked(stand_in)
    (leader,) = rig.processes()
    leader.kill()
    await eventually(lambda: any(isinstance(report, Ended) for report in rig.reports))
    await session.close()
    before = len(rig.reports)
    session = await rig.open(ACCOUNT)
    await rig.seen(Ready, after=before)
    assert await rig.driver.saved(ACCOUNT) == []
    stand_in.phones.logout(ACCOUNT)
    await eventually(lambda: any(isinstance(r, Ended) and r.reason is Reason.LOGGED_OUT for r in rig.reports))
    await session.close()
    session = await rig.open(ACCOUNT)
    await session.close()
    assert await rig.driver.saved(ACCOUNT) == []


async def test_a_copy_is_not_restored_under_an_open_browser(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    session = await rig.linked(stand_in)
    await session.close()
    await again(rig)
    (copy,) = await rig.driver.saved(ACCOUNT)
    await rig.open(ACCOUNT)
    with pytest.raises(DriverError, match="suspend the account first"):
        await rig.driver.restore(ACCOUNT, copy.name)
    with pytest.raises(DriverError, match="no copy nonsense"):
        await rig.driver.restore(ACCOUNT, "nonsense")


async def test_what_a_browser_uses_is_measured(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    session = await rig.linked(stand_in)
    usage = await session.usage()
    assert 25 << 20 < usage.memory < 1 << 30, "its share: what other browsers on the machine have too counts in part"
    assert 2 <= usage.processes <= 20
    await session.close()
    with pytest.raises(DriverError):
        await session.usage()
