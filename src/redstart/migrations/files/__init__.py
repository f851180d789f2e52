"""Migrations declared in files of a project: loaded, ordered, and compared with the recorded ids."""
