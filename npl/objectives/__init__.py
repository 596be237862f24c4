"""What is minimised: weighted sums of losses, losses of several tasks, and cost plus regularisation."""
