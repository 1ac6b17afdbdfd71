"""How the plugin reaches the API server: the connection, the client, its errors."""
