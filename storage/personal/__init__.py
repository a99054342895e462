"""The data of people: exported, counted, erased."""
