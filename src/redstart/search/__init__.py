"""An index as data, and queries as text. Knows no model and sends nothing."""
