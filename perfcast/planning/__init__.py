"""What a campaign will take, before it is run."""

from perfcast.planning.plan import Plan, make_plan
from perfcast.planning.settings import Settings, read_settings

__all__ = ["Plan", "Settings", "make_plan", "read_settings"]
