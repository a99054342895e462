"""Words that tell people and places from the rest."""
