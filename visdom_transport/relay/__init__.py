"""`python -m visdom_transport relay`: serves viewers from replicas of the feeds of another server, the origin.

What is not ours goes to the origin as it is. A relay has no state that must survive it, and knows nothing of Visdom.
"""
