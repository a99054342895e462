"""The German of the chat, its cards, its sidebar and the desk; keys are the English texts."""

from __future__ import annotations

from specchat.chat import wording
from specchat.ui.chat import labels as chat
from specchat.ui.desk import labels as desk
from specchat.ui.shared import alerts as say

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
    chat.QUESTION_HINTS["en"]: "Ihre Frage auf Englisch",
    chat.QUESTION_HINTS["de"]: "Frage eingeben und Enter drücken",
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
    chat.BROKE_OFF: "Die Antwort ist abgebrochen.",
    chat.BEGUN_ANEW: "Ihr früheres Gespräch gibt es nicht mehr; dies ist ein neues.",
    chat.BEGUN_UNKEPT: (
        "Sie haben nicht zugestimmt, dass mehr aufbewahrt wird; dies ist daher ein neues Gespräch. "
        "Das frühere bleibt, bis Sie es löschen."
    ),
    chat.ALREADY_KEPT: (
        "Sie haben nicht zugestimmt, dass hier mehr aufbewahrt wird. Bitte fragen Sie in einem "
        "neuen Gespräch."
    ),
    "Stopped before the first word.": "Vor dem ersten Wort angehalten.",
    "No answer: something went wrong. The question is kept; please try again.": (
        "Keine Antwort: Etwas ist schiefgegangen. Die Frage bleibt; bitte versuchen Sie es erneut."
    ),
    "The model ended its answer without a word.": "Das Modell hat nichts geantwortet.",
    chat.MARKS_FORGOTTEN: (
        "Welche Token entworfen waren, bleibt nur bis zum Neustart bekannt; die Summen sind "
        "gespeichert."
    ),
    chat.NOT_MEASURED: "Zu dieser Antwort ist keine Messung gespeichert.",
    "Colleague:": "Unser Team:",
    chat.SOURCES_READ: "Quellen dieser Antwort",
    chat.SOURCES_QUOTED: "In den Worten unserer Hilfeseite",
    chat.SOURCES_SHOWN: "Aus unseren Hilfeseiten",
    "not measured": "nicht gemessen",
    "no drafts verified": "keine Entwürfe geprüft",
    "plain: drafts not paying here": "einfach: Entwürfe lohnen sich hier nicht",
    chat.LIKE: "Gefällt mir",
    chat.DISLIKE: "Gefällt mir nicht",
    chat.BACK_TO_ASSISTANT: "Zurück zum Assistenten",
    # personal data
    "card number": "Kartennummer",
    "card numbers": "Kartennummern",
    "bank account number": "Kontonummer",
    "bank account numbers": "Kontonummern",
    "e-mail address": "E-Mail-Adresse",
    "e-mail addresses": "E-Mail-Adressen",
    "phone number": "Telefonnummer",
    "phone numbers": "Telefonnummern",
    "postal address": "Anschrift",
    "postal addresses": "Anschriften",
    "name": "Name",
    "names": "Namen",
    # orders
    chat.ORDER_UNKNOWN: (
        "Zu dieser Nummer gibt es keine Bestellung. Bitte prüfen Sie sie in Ihrer Bestätigung."
    ),
    "Being prepared": "Wird vorbereitet",
    "On its way": "Unterwegs",
    "Delivered": "Zugestellt",
    "Cancelled": "Storniert",
    "Return received": "Rücksendung eingetroffen",
    "Refunded": "Erstattet",
    "Expected": "Voraussichtlich",
    "Refund expected by": "Erstattung bis",
    "Refund paid": "Erstattet am",
    "Ordered": "Bestellt",
    "Prepared": "Vorbereitet",
    chat.TOTAL: "Summe",
    chat.CARRIER: "Versand mit",
    chat.TRACKING: "Sendungsnummer",
    "Monday": "Montag",
    "Tuesday": "Dienstag",
    "Wednesday": "Mittwoch",
    "Thursday": "Donnerstag",
    "Friday": "Freitag",
    "Saturday": "Samstag",
    "Sunday": "Sonntag",
    "January": "Januar",
    "February": "Februar",
    "March": "März",
    "April": "April",
    "May": "Mai",
    "June": "Juni",
    "July": "Juli",
    "August": "August",
    "September": "September",
    "October": "Oktober",
    "November": "November",
    "December": "Dezember",
    # what goes wrong
    say.QUEUE_FULL: "Gerade fragen sehr viele. Bitte senden Sie es gleich noch einmal.",
    say.ENGINE_STOPPED: (
        "Die Maschine ist angehalten und kann nicht antworten. Wer sie betreibt, muss sie neu "
        "starten."
    ),
    say.GONE: "Dieses Gespräch gibt es nicht mehr. Bitte beginnen Sie ein neues.",
    say.FAULT: (
        "Bei uns ist etwas schiefgegangen. Ihre Eingabe ist nicht verloren; bitte versuchen Sie es "
        "noch einmal."
    ),
    wording.STILL_ANSWERING: (
        "Die letzte Frage dieses Gesprächs wird noch beantwortet. Bitte warten Sie oder halten Sie "
        "sie an."
    ),
    wording.FAILED: "Beim Antworten ist etwas schiefgegangen. Bitte versuchen Sie es noch einmal.",
    wording.NO_REASON: "Die Antwort endete ohne Grund. Bitte versuchen Sie es noch einmal.",
    wording.MODEL_FAILED: (
        "Das Modell konnte diese Antwort nicht beenden. Bitte versuchen Sie es noch einmal."
    ),
    wording.QUEUE_FULL: (
        "Gerade werden sehr viele Kunden beantwortet. Bitte versuchen Sie es gleich noch einmal."
    ),
    wording.ENGINE_STOPPED: (
        "Die Antwortmaschine ist angehalten. Bitte versuchen Sie es gleich noch einmal."
    ),
    wording.NOT_SAVED: "Dieses Gespräch kann im Moment nicht gespeichert werden.",
    wording.A_PERSON_ANSWERED: (
        "Hier hat schon jemand aus unserem Team geantwortet, das lässt sich nicht mehr ändern."
    ),
    wording.EMPTY_TITLE: "Bitte zuerst einen Titel eingeben.",
    wording.UNKNOWN_TURN: "Diese Frage lässt sich nicht mehr ändern. Bitte stellen Sie sie neu.",
    wording.NO_QUESTION: "In diesem Gespräch gibt es noch keine Frage.",
    wording.NO_DESK: (
        "Die Betreuung ist im Moment nicht erreichbar. Bitte versuchen Sie es noch einmal oder "
        "rufen Sie uns an."
    ),
    # a person
    "the answer could not be finished": "die Antwort ließ sich nicht beenden",
    "there was no answer": "es gab keine Antwort",
    "the assistant says that it does not know": "der Assistent sagt, dass er es nicht weiß",
    "the answer repeats itself": "die Antwort wiederholt sich",
    "nothing in the help pages fits the question": "in den Hilfeseiten passt nichts zur Frage",
    "no order has the number that was named": "keine Bestellung hat die genannte Nummer",
    "the answer did not help": "die Antwort hat nicht geholfen",
    "You are next": "Sie sind als Nächstes an der Reihe",
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
    chat.NOTHING_NEW_KEPT: (
        "Sie haben nicht zugestimmt, dass wir Neues aufbewahren; der Titel bleibt, wie er ist."
    ),
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
    desk.SEND: "Antwort senden",
    desk.CLOSED: "Der Fall ist geschlossen.",
    desk.GONE: "Diesen Fall gibt es nicht mehr.",
    wording.HANDOFF_CLOSED: (
        "Dieser Fall ist geschlossen; der Kunde spricht wieder mit dem Assistenten."
    ),
    wording.EMPTY_REPLY: "Bitte zuerst eine Antwort schreiben.",
    "waits": "wartet",
    "is talked to": "im Gespräch",
    "closed": "geschlossen",
    "asked for a person": "möchte einen Menschen",
    "answers did not help": "Antworten halfen nicht",
    "assistant unsure": "Assistent unsicher",
    "The customer asked for a person.": "Der Kunde möchte mit einem Menschen sprechen.",
    "Two answers in a row did not help.": "Zwei Antworten nacheinander haben nicht geholfen.",
    "The assistant was not sure of its answer.": "Der Assistent war sich nicht sicher.",
    "Customer": "Kunde",
    "Assistant (AI)": "Assistent (KI)",
    "Colleague": "Unser Team",
    "being prepared": "wird vorbereitet",
    "on its way": "unterwegs",
    "delivered": "zugestellt",
    "cancelled": "storniert",
    "returned, the refund is on its way": "zurückgesandt, die Erstattung ist unterwegs",
    "refunded": "erstattet",
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
        "oder Ihr Konto. Er spricht Englisch: Auch die Vorschläge unten fragen auf Englisch.",
    ),
    (
        r"Ask (.+)'s AI assistant anything about orders, delivery, refunds or your account\. It "
        r"speaks German\.",
        "Fragen Sie den KI-Assistenten von $1 alles über Bestellungen, Lieferung, Erstattungen "
        "oder Ihr Konto.",
    ),
    (
        r"You are talking to a colleague now\. Your ticket is (.+)\.",
        "Sie sprechen jetzt mit einem Menschen aus unserem Team. Ihre Fallnummer ist $1.",
    ),
    (
        r"Ticket (.+) is closed\. The assistant answers again\.",
        "Fall $1 ist geschlossen. Der Assistent antwortet wieder.",
    ),
    (
        r"(.+)\. Your ticket is (\S+)\. A colleague will read a summary of what you wrote and "
        r"answer here\. For that this conversation is kept, redacted\. Until then the assistant "
        r"goes on helping\.",
        "{1}. Ihre Fallnummer ist $2. Jemand aus unserem Team liest eine Zusammenfassung und "
        "antwortet hier. Dafür wird dieses Gespräch geschwärzt aufbewahrt. Bis dahin hilft der "
        "Assistent weiter.",
    ),
    (r"You are number (\d+) in the queue", "Sie sind Nummer $1 in der Warteschlange"),
    (
        r"This may not help: (.+)\. Would you like to talk to a person\?",
        "Das hilft vielleicht nicht weiter: {1}. Möchten Sie mit einem Menschen sprechen?",
    ),
    (r"Order (\S+)", "Bestellung $1"),
    (
        r"(Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday), (\d+) (\w+)",
        "{1}, $2. {3}",
    ),
    (r"since (.+) UTC", "seit $1 UTC"),
    (
        r"The assistant gave (\d+) answers?: (\d+) disliked, (\d+) failed\.",
        "Antworten des Assistenten: $1, davon $2 ohne Gefallen und $3 fehlgeschlagen.",
    ),
    (r"Its last words: (.+)", "Seine letzten Worte: $1"),
    (r"Order (\S+): ([a-z, ]+)\. (Items: .+)", "Bestellung $1: {2}. {3}"),
    (r"Items: (.+?)\. Total: (.+?)\. (Ordered on .+)", "Artikel: {1}. Summe: {2}. {3}"),
    (r"Ordered on (\w+, \d+ \w+)\.", "Bestellt am {1}."),
    (r"(Ordered on \w+, \d+ \w+\.) (.+)", "{1} {2}"),
    (r"Expected on (\w+, \d+ \w+)\.", "Voraussichtlich da am {1}."),
    (r"Delivered on (\w+, \d+ \w+)\.", "Zugestellt am {1}."),
    (r"Cancelled on (\w+, \d+ \w+)\.", "Storniert am {1}."),
    (r"Refund expected by (\w+, \d+ \w+)\.", "Erstattung bis {1}."),
    (r"Refund paid on (\w+, \d+ \w+)\.", "Erstattet am {1}."),
    (r"(\w+(?: \w+){1,2}, \d+ \w+\.) (Carrier: .+)", "{1} {2}"),
    (r"Carrier: (.+), tracking number (.+)\.", "Versand mit $1, Sendungsnummer $2."),
    (r"There is no order (\S+) in the shop's records\.", "Bestellung $1 ist nicht bekannt."),
    # under an answer
    (r"(\d+) tok/s", "$1 Token/s"),
    (r"stopped", "angehalten"),
    (r"failed", "fehlgeschlagen"),
    (
        r"(\d+ %) of steps plain: drafts not paying here",
        "$1 der Schritte einfach: Entwürfe lohnen sich hier nicht",
    ),
    (r"prompt ([\d,]+) tokens?", "Prompt $1 Token"),
    (r"([\d,]+) tokens? from the prefix cache", "$1 Token aus dem Präfixspeicher"),
    (r"target passes (\d+)", "$1 Durchläufe des Zielmodells"),
    (
        r"(\d+) of (\d+) draft tokens accepted in (\d+) target passes",
        "$1 von $2 Entwurfstoken in $3 Durchläufen angenommen",
    ),
    (r"by depth (.+)", "nach Tiefe $1"),
    (
        r"(MLP speculator|n-gram of the prompt|past answers|looked up in our records|draft model"
        r"|Medusa heads|EAGLE-3 head|target model): (.+)",
        "{1}: {2}",
    ),
    (r"The answer was cut at (\d+) tokens\.", "Die Antwort wurde nach $1 Token abgeschnitten."),
    (
        r"(\d+) earlier turns? no longer fits? the model's memory\.",
        "Frühere Fragen, die nicht mehr in das Gedächtnis des Modells passen: $1.",
    ),
    (
        r"This setting does not work: (.+)\.",
        "Diese Einstellung geht nicht: $1.",
    ),
    (
        r"This question cannot be answered as asked: (.+)\.",
        "Diese Frage lässt sich so nicht beantworten: $1.",
    ),
    (
        r"This question has ([\d,]+) characters; at most ([\d,]+) can be sent\. Please shorten "
        r"it\.",
        "Diese Frage hat $1 Zeichen; höchstens $2 sind möglich. Bitte kürzen Sie sie.",
    ),
    (
        r"This question is too long: it has (\d+) tokens, and with what goes around it at most "
        r"(\d+) fit\. Please shorten it, or allow a shorter answer\.",
        "Diese Frage ist zu lang: Sie hat $1 Token, und höchstens $2 passen. Bitte kürzen Sie sie "
        "oder erlauben Sie nur eine kürzere Antwort.",
    ),
    (
        r"The longest answer must be under (\d+) tokens, the model's context; got (\d+)\.",
        "Die längste Antwort muss unter $1 Token bleiben, dem Kontext des Modells; es sind $2.",
    ),
    (
        r"The record could not be read or written: (.+)",
        "Die Aufzeichnung ließ sich nicht lesen oder schreiben: $1",
    ),
    (
        r"Value (\S+) is less than minimum value (\S+)\.",
        "Der Wert $1 ist kleiner als das Minimum $2.",
    ),
    (
        r"Value (\S+) is greater than maximum value (\S+)\.",
        "Der Wert $1 ist größer als das Maximum $2.",
    ),
    # personal data
    (
        r"(\d+) ((?:card|bank account|phone) numbers?|(?:e-mail|postal) address(?:es)?|names?)",
        "$1 {2}",
    ),
    (r"Hidden in the record: (.+)\.", "In der Aufzeichnung geschwärzt: {1}."),
)
