"""The words that people read, by subject: values come in, text goes out."""
