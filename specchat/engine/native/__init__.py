"""Steps, sampling and merging in C++ on CPU; the sources are in `cpp/`."""
