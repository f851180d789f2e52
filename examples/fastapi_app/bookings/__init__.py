"""The bookings of a guest house: a FastAPI service that stores documents with Redstart."""
