"""The engine of cockpit: what is true about an incident, without a screen."""

__version__ = "0.1.0"
