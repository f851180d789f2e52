"""The sample: a bird-ringing station's documents as redis-om 0.3.5 wrote them, and a checker for them."""
