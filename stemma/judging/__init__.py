"""Who scores answers at evaluation."""
