"""The commands of the plugin, with what they share: options, choices, filters, waiting."""
