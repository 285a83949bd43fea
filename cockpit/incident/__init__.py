"""What happened: events, the journal that keeps them, and what is made from them."""
