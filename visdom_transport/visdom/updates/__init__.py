"""What ``POST /update`` does to a window, at the cost of the change.

Each kind of window has one module that turns an update into delta operations. The operations are worked out first, and
only then carried out on the window: an update that cannot be carried out is refused with nothing changed, and what a
replica applies is what the server applied.
"""

from visdom_transport.visdom.updates.bounds import WindowBounds, read_bounds
from visdom_transport.visdom.updates.embeddings import pop_embeddings
from visdom_transport.visdom.updates.errors import UnknownUpdate, UpdateRefused
from visdom_transport.visdom.updates.rules import M23, V0_2_4, V0_3_0, Rules, rules_for
from visdom_transport.visdom.updates.text import Memo
from visdom_transport.visdom.updates.update import apply_update, bound_window, refusal_text

__all__ = [
    "M23",
    "V0_2_4",
    "V0_3_0",
    "Memo",
    "Rules",
    "UnknownUpdate",
    "UpdateRefused",
    "WindowBounds",
    "apply_update",
    "bound_window",
    "pop_embeddings",
    "read_bounds",
    "refusal_text",
    "rules_for",
]
