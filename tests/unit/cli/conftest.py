import pytest

from jitaccess.cli.api import following
from jitaccess.cli.commands import waiting, watching
from jitaccess.wording import times
from unit.cli.clock import Clock


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What the plugin waits by, in place of the real one."""
    made = Clock()
    for module in (following, waiting, watching, times):
        monkeypatch.setattr(module, "time", made)
    return made
