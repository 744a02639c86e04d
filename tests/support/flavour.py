"""Which Visdom the tests run with."""

import visdom.utils.server_utils as server_utils

NEW_VISDOM = hasattr(server_utils, "notify")
"""Whether this is Visdom 0.3.0 rather than 0.2.4."""
