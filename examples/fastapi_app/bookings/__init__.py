"""A service that keeps the bookings of a guest house: FastAPI in front, documents of Redstart behind."""
