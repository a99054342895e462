"""Faults that were reported by number, F1 to F51, and the tests that hold each.

F1 other bits on other processors
    tests/engine/native/test_native_processors.py::test_a_row_has_its_own_bits_in_any_step_and_with_any_threads
F2 aborted while compiling
    tests/engine/model/test_compiled.py::test_a_process_that_ends_while_something_is_compiled_ends_well
F3 bfloat16 on a CPU without it
    tests/test_loader.py::test_a_cpu_runs_in_bf16_where_it_multiplies_it_and_the_weights_are_in_it
F4 two owners in one browser
    tests/ui/chat/test_identity_browser.py::test_two_tabs_of_a_fresh_browser_are_one_customer
F5 a picture in a text is fetched
    tests/ui/chat/test_said_browser.py::test_no_text_of_a_chat_is_fetched
F6 groups of a number apart
    tests/chat/redaction/test_faults.py::test_f6_numbers_go_whatever_separates_their_groups
F7 secrets are kept
    tests/chat/redaction/test_faults.py::test_f7_what_lets_somebody_in_goes
F8 an order in front of a card
    tests/chat/redaction/test_faults.py::test_f8_a_right_card_goes_whatever_is_said_before_it
F9 closing in the middle of an answer
    tests/chat/test_real_engine.py::test_closing_mid_answer_frees_the_engine_and_stores_once
F10 learned while it is erased
    tests/chat/turns/test_learning.py::test_an_answer_that_ends_while_it_is_erased_is_neither_learned_nor_stored
F11 search in another case
    tests/storage/care/test_care.py::test_a_search_finds_a_word_in_any_case_and_any_form_of_its_letters
F12 tau after an end inside a draft
    tests/engine/test_speculation.py::test_the_mean_acceptance_length_counts_what_each_pass_gave
F13 markup is copied
    tests/ui/chat/test_said_browser.py::test_copying_an_answer_takes_the_words_on_the_screen
F14 typed stars and hashes
    tests/ui/chat/test_said_browser.py::test_what_is_typed_is_shown_copied_and_edited_as_typed
F15 phones zoom in
    tests/ui/chat/test_said_browser.py::test_no_field_of_a_phone_is_so_small_that_it_zooms
F16 words of other scripts
    tests/chat/redaction/test_faults.py::test_f16_ordinary_words_of_other_scripts_stay
    tests/chat/redaction/test_faults.py::test_f16_a_name_in_a_claimed_script_goes
F17 numbers of articles and devices
    tests/chat/redaction/test_faults.py::test_f17_numbers_of_articles_and_devices_stay
F18 names and addresses of other countries
    tests/chat/redaction/test_faults.py::test_f18_names_addresses_and_numbers_of_other_countries_go
F19 rules vanish
    tests/chat/answer/test_templates.py::test_rules_a_template_leaves_out_open_the_first_question
F20 thoughts in the answer
    tests/chat/test_thoughts.py::test_thoughts_are_neither_shown_nor_stored_nor_counted
F21 one piece too many in front
    tests/chat/answer/test_templates.py::test_the_ids_are_those_of_the_whole_text
F22 several answers in one
    tests/engine/output/test_end_of_turn.py::test_what_stands_behind_an_answer_ends_it
F23 what a colleague wrote
    tests/chat/test_grounded.py::test_a_colleagues_word_is_newer_than_records_and_pages
    tests/chat/turns/test_colleague.py::test_less_nearness_will_do_where_a_day_or_an_amount_is_asked_for_and_there
F24 storage is blocked
    tests/ui/test_shell_browser.py::test_a_widget_works_where_storage_is_blocked_and_keeps_nothing
F25 who wants a person
    tests/chat/answer/test_intent.py::test_a_wish_for_a_person
F26 a day that is past
    tests/chat/company/test_order_table.py::test_days_count_from_the_question
F27 a bare order number
    tests/chat/company/test_order_table.py::test_a_number_that_is_an_orders_is_looked_up
F28 the card of another matter
    tests/chat/test_grounded.py::test_an_order_is_read_where_the_question_is_about_it
F29 right to left
    tests/ui/chat/test_said_browser.py::test_a_line_runs_in_the_direction_of_its_script
F30 an answer as long as the context
    tests/test_loader.py::test_the_longest_answer_leaves_room_for_a_question
F31 times of the desk
    tests/ui/test_language_browser.py::test_the_desk_reads_and_writes_in_its_language
F32 agreeing and sending at once
    tests/ui/chat/test_identity_browser.py::test_agreeing_counts_for_what_is_sent_right_after_it
F33 another tail of the vocabulary
    tests/speculators/test_draft_model.py::test_the_last_ids_may_mean_something_else
F34 half a character is searched
    tests/ui/chat/test_sidebar_events.py::test_lone_surrogates_are_searched_asked_and_written
F35 the list ends without a word
    tests/ui/chat/test_sidebar_events.py::test_a_list_that_ends_says_so_and_a_search_finds_the_rest
F36 sentences stay English
    tests/ui/german/test_sentences_browser.py::test_a_sentence_with_a_semicolon_is_german
F37 emoji alone, an empty promise
    tests/chat/answer/test_intent.py::test_no_words
    tests/chat/test_grounded.py::test_a_person_is_promised_only_with_a_hand_over
F38 asked for, recorded as unsure
    tests/ui/chat/test_identity_browser.py::test_who_asks_for_a_person_has_asked_and_who_takes_the_offer_was_unsure
F39 half a minute until an answer
    tests/test_start.py::test_an_answer_needs_no_page_no_compiler_and_no_statistics
F40 memory of an idle app
    tests/engine/kv/test_cache.py::test_memory_is_taken_by_rows_that_are_written_and_given_back
F41 a sliding window is dropped
    tests/engine/cuda/test_fused.py::test_attention_keeps_what_the_module_tells_it
F42 speculators do not fit any more
    tests/test_loader.py::test_a_speculator_that_does_not_fit_on_the_gpu_is_no_crash
F43 bfloat16 on an old GPU
    tests/test_loader.py::test_a_gpu_without_bfloat16_computes_in_float16
F44 one size costs all graphs
    tests/engine/cuda/test_graphs.py::test_a_size_that_cannot_be_recorded_costs_that_size_alone
F45 EAGLE-3 without kernels
    tests/speculators/eagle3/test_speculator.py::test_kernels_give_the_drafts_of_gathered_pages
F46 inner states pile up
    tests/engine/drafting/test_aux_states.py::test_states_that_nobody_takes_are_bounded_over_all_requests
F47 a lost GPU looks busy
    tests/engine/test_lost_gpu.py::test_a_lost_gpu_ends_the_engine
F48 one failing job ends all
    tests/engine/model/test_compiled.py::test_a_job_that_fails_costs_no_job_of_another_kind
F49 neighbours change last bits
    tests/engine/sampling/test_neighbours.py::test_everybody_gets_what_he_gets_alone
F50 waits inside the model; that recorded steps give every row its logits is left for a GPU to say
    tests/engine/cuda/test_graphs.py::test_an_eager_step_does_not_wait_for_the_gpu
F51 scores that are no numbers
    tests/engine/cuda/test_graphs.py::test_logits_that_are_no_numbers_end_a_request_on_recorded_steps
"""

from __future__ import annotations

import ast
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES = (__doc__ or "").splitlines()[2:]
HELD_BY = sorted({line.strip() for line in LINES if line.startswith("    ")})


@pytest.mark.parametrize("test", HELD_BY)
def test_what_holds_a_fault_is_there(test: str) -> None:
    file, _, name = test.partition("::")
    defined = ast.parse((ROOT / file).read_text()).body
    assert name in [each.name for each in defined if isinstance(each, ast.FunctionDef)]


def test_every_number_is_there_once_and_held() -> None:
    named = [(line, after) for line, after in pairwise(LINES) if not line.startswith(" ")]
    numbers = [int(line[1:].split()[0]) for line, _ in named]
    assert numbers == list(range(1, 52))
    assert all(after.startswith("    tests/") for _, after in named)
