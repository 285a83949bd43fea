"""What others are told: queued in the journal, sent when the network allows."""
