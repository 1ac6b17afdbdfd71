"""How the plugin writes to a terminal: tables, colours, the live status line."""
