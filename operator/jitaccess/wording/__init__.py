"""What people read, shared by all faces; pure."""
