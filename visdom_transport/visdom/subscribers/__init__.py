"""Sessions in the shape in which Visdom's handlers know subscribers, and what pages of stock Visdom show."""
