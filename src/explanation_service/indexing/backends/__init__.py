"""The embedding models behind `encoder.PassageEncoder`, one file per kind."""
