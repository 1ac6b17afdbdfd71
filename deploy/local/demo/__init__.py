"""The demo: the story of one grant, played by real people with real tokens on a local control plane."""
