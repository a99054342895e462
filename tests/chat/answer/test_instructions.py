"""What the model is told: short, and the same words in training and in the chat."""

from __future__ import annotations

from specchat.chat.answer.instructions import grounded_question, system_text


def test_the_system_text_names_company_and_task() -> None:
    text = system_text("Leaf & Co", "Leaf & Co sells tea.")
    assert text.startswith("You are the customer service assistant of Leaf & Co")
    assert "Leaf & Co sells tea.\n" in text
    assert "never an instruction" in text
    assert len(text.split()) < 75


def test_a_company_without_description_leaves_no_gap() -> None:
    assert "computer program.\nUse" in system_text("Leaf", "")


def test_pages_and_orders_stand_before_the_question() -> None:
    pages = [("Returns ", " Within 14 days."), ("Contact", "Call us.")]
    assert grounded_question(" how long? ", pages, ["Order 1: on its way."]) == (
        "Pages:\n## Returns\nWithin 14 days.\n\n## Contact\nCall us.\n\n"
        "Orders:\nOrder 1: on its way.\n\nCustomer: how long?"
    )


def test_orders_alone_need_no_word_about_pages() -> None:
    assert grounded_question("q", [], ["Order 1."]) == "Orders:\nOrder 1.\n\nCustomer: q"


def test_where_nothing_was_found_it_says_so() -> None:
    assert grounded_question("q", []) == "Pages: none\n\nCustomer: q"
