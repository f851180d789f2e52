"""Judging the result: every value anew, the journal against the data, and documents through their models."""
