"""The engine of cockpit: what is true about an incident, without a screen."""
