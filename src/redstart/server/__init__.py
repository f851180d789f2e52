"""Connections, and drivers that perform requests. Only this package imports redis and asyncio."""
