"""Records turns for ever and prints the id of each once it is stored. Ends by being killed."""

from __future__ import annotations

import sys

from storage import open_store
from tests.storage.stored_examples import race, turn

store = open_store(sys.argv[1])
conversation_id = store.create_conversation("ann")
while True:
    record = turn(conversation_id, answer="a" * 3000)
    store.record_turn(record)
    store.record_turn(record)
    store.record_race(race())
    if store.flush(600):
        print(record.turn_id, flush=True)
