"""Making room: which bytes nobody needs."""
