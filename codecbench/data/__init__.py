"""Speech: folders, registered sets, and the downloads that they come from."""
