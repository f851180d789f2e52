"""Migrations that a project declares in files of its own: found, ordered, compared with what is recorded."""
