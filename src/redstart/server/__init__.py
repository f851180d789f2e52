"""Connections and the drivers that perform requests: the only package that imports redis and asyncio."""
