"""The commands of the plugin, with what they share: options, choices, filters, what is known of a request, waiting."""
