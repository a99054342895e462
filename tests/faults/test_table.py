"""Faults that are survived, and the tests that hold each.

cancelled while queued, in a prompt, a draft, a check or the last step
    tests/engine/scheduling/test_interleavings.py::test_500_cancelled_streams_leave_the_pool_exactly_as_it_was
    tests/engine/scheduling/test_interleavings.py::test_any_interleaving_gives_the_plain_answers_and_every_page_back
    tests/engine/test_failures.py::test_streams_cancelled_at_any_moment_leave_every_page_free
a connection that is reset in the middle of an answer
    tests/api/test_hostile.py::test_every_question_whose_connection_is_reset_costs_one_cancelled_turn
    tests/api/test_cancel.py::test_a_connection_that_is_reset_ends_its_answer
    tests/api/test_cancel.py::test_many_that_leave_at_once_leave_nothing_behind
    tests/ui/test_api.py::test_cancelling_a_job_stores_one_cancelled_turn
preemption in a pool that is too small
    tests/engine/test_speculation.py::test_preempted_answers_are_the_same
    tests/engine/native/test_native_engine.py::test_answers_preempted_on_the_native_step_are_the_same
    tests/speculators/eagle3/test_in_engine.py::test_preempted_requests_keep_drafting
a step that raises
    tests/engine/test_failures.py::test_a_forward_pass_that_raises_fails_the_streams_in_flight_and_no_later_one
    tests/engine/test_failures.py::test_requests_that_waited_while_a_step_failed_are_answered
    tests/api/test_limits.py::test_a_step_that_fails_ends_its_answers_and_the_next_ones_work
a prompt that ends every step with an error
    tests/engine/scheduling/test_suspects.py::test_a_prompt_that_ends_two_steps_is_refused_and_any_other_answered
    tests/engine/scheduling/test_suspects.py::test_who_was_in_flight_with_it_is_answered_and_no_suspect_any_more
    tests/api/test_limits.py::test_a_prompt_that_ends_two_steps_is_refused
    tests/chat/test_service_endings.py::test_a_question_that_ends_steps_is_refused_with_a_way_out
a step that hangs, or a GPU that is lost
    tests/engine/test_watchdog.py::test_everybody_who_waits_is_told_when_a_step_hangs
    tests/engine/test_watchdog.py::test_closing_does_not_wait_for_a_step_that_hangs
    tests/engine/test_lost_gpu.py::test_a_lost_gpu_ends_the_engine
    tests/api/test_limits.py::test_a_step_that_hangs_ends_its_answers_and_says_so
    tests/ui/test_serve.py::test_a_lost_engine_ends_the_process_with_a_code_of_its_own
hostile parameters
    tests/api/test_hostile.py::test_no_body_is_a_fault_of_ours_or_changes_what_a_neighbour_is_told
    tests/api/test_refusals.py::test_what_is_refused_does_not_disturb_who_is_answered
    tests/api/test_description.py::test_nothing_that_is_asked_is_a_fault_of_ours
hostile text
    tests/api/test_hostile.py::test_no_body_is_a_fault_of_ours_or_changes_what_a_neighbour_is_told
    tests/api/test_refusals.py::test_lone_surrogates_are_refused_and_do_no_harm
    tests/api/test_limits.py::test_a_body_that_is_too_large_is_refused
    tests/engine/output/test_detokenizer.py::test_any_text_survives
    tests/engine/output/test_detokenizer.py::test_half_a_character_is_never_shown
    tests/ui/chat/test_sidebar_events.py::test_lone_surrogates_are_searched_asked_and_written
slow readers
    tests/api/test_hostile.py::test_who_does_not_read_keeps_nobody_waiting
    tests/engine/test_failures.py::test_a_stream_nobody_reads_does_not_hold_up_the_others
kill -9 of the whole app, and of the writer
    tests/faults/test_kills.py::test_what_a_customer_has_seen_outlives_a_kill
    tests/faults/test_soak.py::test_what_is_not_stored_as_it_was_seen_is_found
    tests/storage/test_store_crash.py::test_a_killed_writer_loses_no_stored_turn
a database that is locked or full
    tests/faults/test_database.py::test_the_chat_goes_on_and_nothing_is_lost
    tests/faults/test_database.py::test_an_erasure_that_finds_the_database_locked_is_made_up_for
    tests/storage/test_store_writer.py::test_a_locked_database_delays_records_but_loses_none
    tests/storage/test_store_writer.py::test_a_full_disk_delays_records_but_loses_none
    tests/storage/test_store_writer.py::test_a_full_queue_loses_records_visibly_and_keeps_commands
    tests/storage/pending/test_journal.py::test_more_than_the_queue_holds_is_kept_in_order
    tests/storage/pending/test_journal.py::test_a_journal_that_cannot_be_written_leaves_records_in_memory
    tests/storage/test_store_writer.py::test_closing_in_time_leaves_what_waits_to_the_next_start
a database that is read-only, gone or damaged
    tests/storage/pending/test_journal.py::test_a_database_that_comes_back_gets_everything
    tests/storage/test_store_open.py::test_a_file_that_is_not_ours_is_left_alone
a process that ends while the database is in trouble
    tests/storage/pending/test_journal.py::test_a_killed_process_leaves_its_records_to_the_next
    tests/storage/pending/test_journal.py::test_an_interrupted_replay_stores_nothing_twice
    tests/storage/pending/test_journal.py::test_a_damaged_or_half_written_line_is_survived_and_counted
    tests/storage/pending/test_codec.py::test_a_damaged_line_is_refused
an erasure while the database is in trouble
    tests/storage/pending/test_journal.py::test_an_erasure_takes_a_conversation_from_the_journal_at_once
    tests/storage/pending/test_journal.py::test_an_erasure_takes_all_of_an_owner
    tests/storage/pending/test_journal.py::test_a_turn_that_is_removed_goes_from_the_journal_but_for_its_measurements
    tests/storage/pending/test_journal.py::test_what_is_too_old_goes_from_the_journal
special tokens in what users write
    tests/chat/answer/test_prompt.py::test_special_tokens_typed_by_people_are_words
    tests/chat/answer/test_prompt.py::test_no_mix_of_special_texts_gives_a_special_token
    tests/chat/answer/test_templates.py::test_added_tokens_of_the_template_are_tokens
    tests/api/test_openai_client.py::test_what_a_message_says_is_never_a_special_token
    tests/training/test_tokenizer.py::test_user_text_cannot_produce_a_special_token
what a tenant can learn from the prefix cache of another
    tests/engine/test_engine.py::test_another_tenant_shares_nothing
    tests/engine/kv/test_page_pool.py::test_salts_never_share_a_page
    tests/engine/kv/test_page_pool.py::test_an_evicted_salt_is_forgotten_and_the_others_stay
    tests/api/test_access.py::test_two_keys_share_no_cached_prompts
who may do what
    tests/ui/test_ownership.py::test_every_endpoint_is_named
    tests/ui/test_ownership.py::test_nobody_else_reads_or_changes_what_is_anns
    tests/api/test_access.py::test_every_route_is_one_or_the_other
    tests/api/test_access.py::test_without_a_right_key_nothing_is_said
    tests/chat/test_service_conversations.py::test_a_conversation_of_somebody_else_does_not_exist
text that would be markup
    tests/ui/test_escaping.py::test_a_models_html_stays_text
    tests/ui/test_escaping.py::test_cards_and_the_desk
    tests/ui/test_browser.py::test_markup_from_a_customer_stays_text
any order of actions, and many at once
    tests/faults/test_races.py::test_any_order_of_actions_leaves_pages_rows_and_owners_as_they_must_be
    tests/faults/test_threads.py::test_many_at_once_leave_pages_rows_and_owners_as_they_must_be
a file that is damaged, or made to do harm (the long form: make fuzz)
    tests/faults/test_damaged_files.py::test_a_help_page_is_read_or_refused
    tests/faults/test_damaged_files.py::test_a_gguf_file_is_read_or_refused
    tests/faults/test_damaged_files.py::test_a_checkpoint_is_read_or_refused
    tests/faults/test_damaged_files.py::test_a_journal_from_anywhere_keeps_no_store_from_opening
    tests/faults/test_damaged_files.py::test_any_text_is_redacted_once_and_for_all
a leak over time (the long form: make soak)
    tests/faults/test_soak.py::test_a_few_visits_leave_nothing_behind
    tests/faults/test_soak.py::test_memory_that_grows_has_a_slope
    tests/ui/test_serve.py::test_what_is_kept_of_each_tab_is_bounded
what is erased while something of it is on its way
    tests/chat/test_erased_meanwhile.py::test_a_question_that_has_not_reached_the_engine_does_not
    tests/chat/test_erased_meanwhile.py::test_a_conversation_erased_while_it_is_read_back_stays_gone
    tests/chat/test_erased_meanwhile.py::test_a_title_goes_with_the_question_that_it_is
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES = (__doc__ or "").splitlines()[2:]
HELD_BY = [line.strip() for line in LINES if line.startswith("    ")]


@pytest.mark.parametrize("test", sorted(set(HELD_BY)))
def test_what_holds_a_fault_is_there(test: str) -> None:
    file, _, name = test.partition("::")
    defined = ast.parse((ROOT / file).read_text()).body
    assert name in [each.name for each in defined if isinstance(each, ast.FunctionDef)]


def test_every_fault_is_held() -> None:
    follows = zip(LINES, [*LINES[1:], ""], strict=True)
    assert [line for line, after in follows if line[:1].strip() and after[:4].strip()] == []


def test_every_test_of_faults_is_in_the_table() -> None:
    files = {f"tests/faults/{file.name}" for file in Path(__file__).parent.glob("test_*.py")}
    tables = {"tests/faults/test_table.py", "tests/faults/test_reported.py"}
    assert files - {test.partition("::")[0] for test in HELD_BY} == tables
