"""The one mechanism by which parts of Visdom are replaced, for its server and for its client.

What is replaced stands in two tables: `visdom_transport.visdom.seams` and `visdom_transport.client.seams`.
"""

from visdom_transport.patching.features import Features, recognise
from visdom_transport.patching.patches import Patches
from visdom_transport.patching.seam import Seam, SeamError

__all__ = ["Features", "Patches", "Seam", "SeamError", "recognise"]
