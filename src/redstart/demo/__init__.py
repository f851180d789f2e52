"""The demo: documents of a bird-ringing station as redis-om 0.3.5 stored them, and a checker for them."""
