"""What is compared with redis-om itself, installed in environments of its own."""
