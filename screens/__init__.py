"""What the responder sees: all Textual code lives here."""
