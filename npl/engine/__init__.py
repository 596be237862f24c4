"""What every loss shares: checks, dtype policy, blocks and threads, reduction."""

from npl.engine.loss import Loss
from npl.engine.threads import get_num_threads, set_num_threads

__all__ = ["Loss", "get_num_threads", "set_num_threads"]
