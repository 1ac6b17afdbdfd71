"""Tell the world, behind the writes."""
