"""The German of the chat, its sidebar and the desk; keys are the English texts themselves."""

from __future__ import annotations

from specchat.ui import chat_text as chat
from specchat.ui import desk_text as desk

TEXTS: dict[str, str] = {
    # first contact
    "You are talking to an": "Sie sprechen mit einem",
    "AI assistant": "KI-Assistenten",
    "May we keep your conversations?": "Dürfen wir Ihre Gespräche aufbewahren?",
    "Then you find them here again. Names, addresses and numbers are taken out first. Until you "
    "agree, no word is stored.": "Dann finden Sie sie hier wieder. Namen, Adressen und Nummern "
    "werden vorher entfernt. Bis Sie zustimmen, wird kein Wort gespeichert.",
    "How can we help?": "Wie können wir helfen?",
    chat.CONSENT_YES: "Aufbewahren",
    chat.CONSENT_NO: "Nicht aufbewahren",
    chat.QUESTION_LABEL: "Ihre Frage",
    chat.QUESTION_HINT: "Frage eingeben und Enter drücken",
    chat.SEND: "Senden",
    chat.STOP: "Anhalten",
    chat.CONVERSATION: "Gespräch",
    chat.TALK_TO_PERSON: "Mit einem Menschen sprechen",
    chat.END_CONVERSATION: "Gespräch beenden",
    # answers
    chat.NO_QUESTION: "Bitte zuerst eine Frage eingeben.",
    chat.NOTHING_TO_UNDO: "Es gibt nichts rückgängig zu machen.",
    chat.NOTHING_TO_RETRY: "Es gibt noch keine Antwort zu wiederholen.",
    chat.NOT_NUMBERS: "Temperatur, längste Antwort und Seed müssen Zahlen sein.",
    chat.LIKE: "Gefällt mir",
    chat.DISLIKE: "Gefällt mir nicht",
    chat.BACK_TO_ASSISTANT: "Zurück zum Assistenten",
    # the end of a conversation
    chat.CSAT: "Wie zufrieden sind Sie mit diesem Gespräch?",
    "1: not at all": "1: gar nicht",
    "5: very": "5: sehr",
    chat.CSAT_COMMENT: "Möchten Sie uns sagen, warum?",
    chat.CSAT_SEND: "Bewertung senden",
    chat.CSAT_SKIP: "Nicht jetzt",
    chat.CSAT_MISSING: "Bitte eine Zahl von 1 bis 5 wählen.",
    chat.CSAT_THANKS: "Danke. Ihre Bewertung ist gespeichert.",
    chat.NOTHING_TO_END: "Es gibt noch kein Gespräch zu beenden.",
    # sidebar
    chat.SIDEBAR: "Gespräche",
    chat.NEW: "Neues Gespräch",
    chat.PAST: "Frühere Gespräche",
    chat.PAST_INFO: "Nur für diesen Browser aufbewahrt",
    chat.SEARCH: "Suchen",
    chat.SEARCH_HINT: "Wörter aus Ihren Gesprächen",
    chat.NONE_KEPT: "Noch ist kein Gespräch aufbewahrt.",
    chat.NONE_FOUND: "Kein Gespräch enthält diese Wörter.",
    chat.OPENED: "Offenes Gespräch",
    chat.TITLE: "Titel",
    chat.RENAME: "Umbenennen",
    chat.DELETE: "Löschen",
    chat.DELETE_SURE: "Dieses Gespräch endgültig löschen?",
    chat.DELETE_YES: "Ja, löschen",
    chat.CANCEL: "Abbrechen",
    chat.EXPORT_JSON: "Als JSON speichern",
    chat.EXPORT_MARKDOWN: "Als Markdown speichern",
    chat.YOUR_DATA: "Ihre Daten",
    chat.KEEP: "Meine Gespräche aufbewahren",
    chat.KEEP_INFO: "Geschwärzt. Sonst wird nur gespeichert, was Antworten kosten.",
    chat.NO_LONGER_KEPT: (
        "Ab jetzt wird nichts aufbewahrt. Frühere Gespräche bleiben, bis Sie sie löschen."
    ),
    chat.FORGET: "Vergessen Sie mich",
    chat.FORGET_SURE: (
        "Das löscht alle Ihre Gespräche, Bewertungen, Übergaben und Rennen aus unserer Datenbank "
        "und aus dem Speicher der Maschine. Es lässt sich nicht rückgängig machen."
    ),
    chat.FORGET_YES: "Ja, vergessen",
    chat.FORGOTTEN: "Alles von Ihnen ist gelöscht. Sie sind für uns jetzt neu.",
    chat.RENAMED: "Der Titel ist geändert.",
    chat.DELETED: "Das Gespräch ist gelöscht.",
    chat.NOT_KEPT: "Dieses Gespräch wird nicht aufbewahrt und hat daher keinen Titel.",
    chat.NOTHING_OPEN: "Bitte zuerst ein Gespräch öffnen.",
    # desk
    desk.TAB: "Betreuung",
    desk.KEY: "Schlüssel der Betreuung",
    desk.OPEN: "Betreuung öffnen",
    desk.WRONG_KEY: "Das ist nicht der Schlüssel der Betreuung.",
    desk.QUEUE: "Kunden",
    desk.NOBODY: "Niemand wartet. Wer einen Menschen sprechen möchte, erscheint hier sofort.",
    desk.CHOOSE: "Bitte in der Liste einen Kunden wählen.",
    desk.SUMMARY: "Zusammenfassung",
    desk.SAID: "Was gesagt wurde",
    desk.CANNED: "Vorbereitete Antworten",
    desk.CANNED_INFO: "Die Wahl schreibt sie in die Antwort",
    desk.REPLY: "Ihre Antwort",
    desk.REPLY_HINT: "An den Kunden schreiben",
    desk.CLOSE: "Fall schließen",
    desk.CLOSED: "Der Fall ist geschlossen.",
    "For colleagues: customers who want a person. What you read here is redacted. The key is": (
        "Für Kolleginnen und Kollegen: Kunden, die einen Menschen möchten. Was Sie hier lesen, ist "
        "geschwärzt. Der Schlüssel ist"
    ),
    ", or the one that specchat printed when it started.": (
        " oder der, den specchat beim Start ausgab."
    ),
}

PATTERNS: tuple[tuple[str, str], ...] = (
    (
        r"of (.+), not to a person\. It can be wrong\. Please do not send passwords or card "
        r"numbers\.",
        "von $1, nicht mit einem Menschen. Er kann sich irren. Bitte senden Sie keine Passwörter "
        "oder Kartennummern.",
    ),
    (
        r"Ask (.+)'s AI assistant anything about orders, delivery, refunds or your account\.",
        "Fragen Sie den KI-Assistenten von $1 alles über Bestellungen, Lieferung, Erstattungen "
        "oder Ihr Konto.",
    ),
    (
        r"You are talking to a colleague now\. Your ticket is (.+)\.",
        "Sie sprechen jetzt mit einem Kollegen. Ihre Fallnummer ist $1.",
    ),
    (
        r"Ticket (.+) is closed\. The assistant answers again\.",
        "Fall $1 ist geschlossen. Der Assistent antwortet wieder.",
    ),
    (r"(\d+) tok/s", "$1 Token/s"),
    (r"stopped", "angehalten"),
    (r"failed", "fehlgeschlagen"),
)
