"""The interface in German: the catalogue that the page's script translates with.

The English text is the key. `PATTERNS` are for sentences with numbers in them: a regular expression
over the whole text, and the German with its groups as $1, $2, or as {1}, {2} where a group is to be
translated too. A text of parts joined by " · " or "; " is translated part by part. What customers
and the model say is never translated.
"""

from __future__ import annotations

from specchat.ui.german import chat, dashboard, measurements

TEXTS: dict[str, str] = {
    # the page
    "Chat": "Chat",
    "Race": "Rennen",
    "Dashboard": "Auswertung",
    "Language": "Sprache",
    "Options": "Einstellungen",
    "Use via API": "Als API nutzen",
    "Loading...": "Lädt …",
    "Toggle Sidebar": "Seitenleiste ein- oder ausblenden",
    "Gradio footer navigation": "Fußzeile",
    "chatbot conversation": "Gespräch mit dem Assistenten",
    "Clear": "Leeren",
    "Copy message": "Nachricht kopieren",
    "Edit": "Bearbeiten",
    "Retry": "Noch einmal antworten",
    "Undo": "Rückgängig",
    "undo": "Rückgängig",
    "Submit": "Absenden",
    "Cancel": "Abbrechen",
    "Reset to default value": "Auf Standard zurücksetzen",
    "Copy table data": "Tabelle kopieren",
    "Fullscreen": "Vollbild",
    "Table actions": "Tabelle",
    "Enter text to search the table": "Text eingeben, um die Tabelle zu durchsuchen",
    "specchat: customer care, answered speculatively": (
        "specchat: Kundenservice, spekulativ beantwortet"
    ),
    # the connection
    "You are offline": "Sie sind offline",
    "Nothing you typed is lost. The page goes on by itself as soon as the network is back.": (
        "Ihre Eingaben bleiben erhalten. Es geht von selbst weiter, sobald das Netz wieder da ist."
    ),
    "The server does not answer": "Der Server antwortet nicht",
    "Nothing you typed is lost. The page goes on by itself as soon as it answers again.": (
        "Ihre Eingaben bleiben erhalten. Es geht von selbst weiter, sobald er wieder antwortet."
    ),
    "Connected again": "Wieder verbunden",
    # options
    "Speculative decoding": "Spekulatives Dekodieren",
    "Off: plain decoding. The answer is the same for the same seed.": (
        "Aus: einfaches Dekodieren. Bei gleichem Seed ist die Antwort dieselbe."
    ),
    "Temperature": "Temperatur",
    "0 always takes the likeliest word": "0 nimmt immer das wahrscheinlichste Wort",
    "Longest answer (tokens)": "Längste Antwort (Token)",
    "Seed": "Seed",
    "Empty: a new one each time": "Leer: jedes Mal ein neuer",
    "Speculators": "Spekulatoren",
    "Who may draft in the speculative lane": "Wer in der spekulativen Bahn entwerfen darf",
    "Draft nodes a step": "Entwurfsknoten je Schritt",
    "At most; the engine verifies fewer where more would not pay": (
        "Höchstens; es werden weniger geprüft, wo mehr sich nicht lohnt"
    ),
    # race
    "The same question, answered": "Dieselbe Frage,",
    "plain": "einfach",
    "and": "und",
    "speculative": "spekulativ",
    "on the same engine, one after the other in random order. Then both are replayed from a "
    "common start.": "beantwortet von derselben Maschine, nacheinander in zufälliger Reihenfolge. "
    "Danach laufen beide von einem gemeinsamen Start noch einmal ab.",
    "Type a question, or pick one below": "Frage eingeben oder unten wählen",
    "Question": "Frage",
    "Stop": "Anhalten",
    "Refund": "Erstattung",
    "Delivery": "Lieferung",
    "Account": "Konto",
    "Invoice": "Rechnung",
    "Complaint": "Beschwerde",
    "Race all five": "Alle fünf Rennen",
    "↻ Replay from a common start": "↻ Wiederholen vom gemeinsamen Start",
    "Speed": "Tempo",
    "to follow by eye": "zum Mitlesen",
    "Mark drafted tokens": "Entworfene Token markieren",
    "With letters": "Mit Buchstaben",
    "Plain": "Einfach",
    "Speculative": "Spekulativ",
    "waiting": "wartet",
    "Pass by pass": "Durchlauf für Durchlauf",
    "Previous pass": "Voriger Durchlauf",
    "Next pass": "Nächster Durchlauf",
    "Pass": "Durchlauf",
    "Draft tree": "Entwurfsbaum",
    "Plain lane": "Einfache Bahn",
    "Speculative lane": "Spekulative Bahn",
    "Plain answer": "Einfache Antwort",
    "Speculative answer": "Spekulative Antwort",
    "Inside the speculative lane": "In der spekulativen Bahn",
    "After a race: the tree that was proposed in each pass, and the path that was accepted.": (
        "Nach einem Rennen: der Baum, den jeder Durchlauf prüfte, und der angenommene Pfad."
    ),
    "Share this race": "Rennen teilen",
    "Copy link": "Link kopieren",
    "Save image": "Bild speichern",
    "Save JSON": "JSON speichern",
    "Link copied": "Link kopiert",
    "Copy the marked link": "Kopieren Sie den markierten Link",
    "Link to this race": "Link zu diesem Rennen",
    "Saved": "Gespeichert",
    "target model (no line)": "Zielmodell (keine Linie)",
    "MLP speculator (solid line)": "MLP-Spekulator (durchgezogen)",
    "n-gram of the prompt (dotted line)": "N-Gramm der Frage (gepunktet)",
    "past answers (dashed line)": "frühere Antworten (gestrichelt)",
    "looked up in our records (thick line)": "in unseren Daten gefunden (dick)",
    "looked up in our records": "in unseren Daten gefunden",
    "our help page, word for word (thick line)": "unsere Hilfeseite, wörtlich (dick)",
    "our help page, word for word": "unsere Hilfeseite, wörtlich",
    "said by the chat itself (thick line)": "vom Chat selbst gesagt (dick)",
    "said by the chat itself": "vom Chat selbst gesagt",
    "draft model (double line)": "Entwurfsmodell (doppelt)",
    "Medusa heads (line above and below)": "Medusa-Köpfe (Linie oben und unten)",
    "EAGLE-3 head (line above)": "EAGLE-3-Kopf (Linie oben)",
    "MLP speculator": "MLP-Spekulator",
    "n-gram of the prompt": "N-Gramm der Frage",
    "past answers": "frühere Antworten",
    "draft model": "Entwurfsmodell",
    "Please type or pick a question to race first.": "Bitte zuerst eine Frage stellen oder wählen.",
    "Temperature, longest answer, seed and nodes must be numbers.": (
        "Temperatur, längste Antwort, Seed und Knoten müssen Zahlen sein."
    ),
    "target model: its own token": "Zielmodell: eigenes Token",
    "target model": "Zielmodell",
    "Medusa heads": "Medusa-Köpfe",
    "EAGLE-3 head": "EAGLE-3-Kopf",
    "done": "fertig",
    "The race was stopped. Only races that had finished are stored.": (
        "Das Rennen wurde angehalten. Nur beendete Rennen sind gespeichert."
    ),
    "The first of the set runs…": "Das erste Rennen läuft …",
    "Scenario": "Situation",
    "Speedup": "Beschleunigung",
    "Same answer": "Gleiche Antwort",
    "✓ yes": "✓ ja",
    "✗ no": "✗ nein",
    "Races of the set": "Rennen der Reihe",
    # walk-through
    "Show me around": "Kurze Führung",
    "How a race works": "Wie ein Rennen läuft",
    "Pick a question": "Frage wählen",
    "Type one, pick a situation below, or race all five. Options set speculators, draft nodes, "
    "temperature and seed.": "Eingeben, unten eine Situation wählen oder alle fünf Rennen starten. "
    "Einstellungen: Spekulatoren, Entwurfsknoten, Temperatur und Seed.",
    "Watch both lanes": "Beide Bahnen verfolgen",
    "The plain lane gives one token a pass. The speculative lane checks several drafted tokens in "
    "one pass. Same seed, same answer.": "Die einfache Bahn liefert ein Token je Durchlauf. Die "
    "spekulative prüft mehrere entworfene Token auf einmal. Gleicher Seed, gleiche Antwort.",
    "See who drafted": "Sehen, wer entwarf",
    "Underlined tokens were drafted and then accepted by the target model. Every source has its "
    "own line and letter.": "Unterstrichene Token wurden entworfen und vom Zielmodell angenommen. "
    "Jede Quelle hat ihre eigene Linie und ihren Buchstaben.",
    "Look inside a pass": "In einen Durchlauf schauen",
    "After a race, step through every pass: the tree that was proposed, the path that was "
    "accepted, the token the target chose itself.": "Nach einem Rennen jeden Durchlauf sehen: den "
    "Entwurfsbaum, den angenommenen Pfad und das Token, das das Zielmodell selbst wählte.",
    "Back": "Zurück",
    "Next": "Weiter",
    "Close": "Schließen",
    **chat.TEXTS,
    **dashboard.TEXTS,
    **measurements.TEXTS,
}

PATTERNS: tuple[tuple[str, str], ...] = (
    # the page
    (r"(.+) customer care", "Kundenservice von $1"),
    (r"Speculator (\S+) is not used: (.+)", "Der Spekulator $1 wird nicht genutzt: $2"),
    (r"Select example (\d+): (.+)", "Beispiel $1 wählen: {2}"),
    (r"bot's message", "Assistent"),
    (r"bot's message: ([\s\S]+)", "Assistent: $1"),
    (r"user's message: ([\s\S]+)", "Sie: $1"),
    (r"(?:number input|range slider) for (.+)", "{1}"),
    # race
    (
        r"Shown (\d+) times slower than it was\. The clocks count real time\.",
        "$1-mal langsamer gezeigt, als es war. Die Uhren zählen echte Zeit.",
    ),
    (
        r"([\d.]+)x faster, (.+) saved, same answer ✓",
        "$1-mal so schnell, $2 gespart, gleiche Antwort ✓",
    ),
    (
        r"([\d.]+)x: slower here, (.+) lost, same answer ✓",
        "$1x: hier langsamer, $2 verloren, gleiche Antwort ✓",
    ),
    (
        r"([\d.]+)x: about the same speed here, same answer ✓",
        "$1x: hier etwa gleich schnell, gleiche Antwort ✓",
    ),
    (
        r"The answers differ ✗, so the times cannot be compared",
        "Die Antworten weichen ab ✗, die Zeiten sind nicht vergleichbar",
    ),
    (
        r"Too short to compare: the answer has (\d+) tokens?",
        "Zu kurz für einen Vergleich: Die Antwort hat $1 Token",
    ),
    (
        r"Median ([\d.]+)x, (.+) saved in all, same answer in (\d+) of (\d+)",
        "Median $1x, insgesamt $2 gespart, gleiche Antwort in $3 von $4",
    ),
    (
        r"Median ([\d.]+)x, (.+) lost in all, same answer in (\d+) of (\d+)",
        "Median $1x, insgesamt $2 verloren, gleiche Antwort in $3 von $4",
    ),
    (
        r"(\d+) of (\d+) races run, same answer in (\d+) of (\d+)",
        "$1 von $2 Rennen gelaufen, gleiche Antwort in $3 von $4",
    ),
    (
        r"(\d+) races, none can be compared, same answer in (\d+) of (\d+)",
        "$1 Rennen, keines vergleichbar, gleiche Antwort in $2 von $3",
    ),
    (
        r"(\d+) drafted, (\d+) accepted: (\d+) tokens? in one pass\.",
        "$1 entworfen, $2 angenommen: $3 Token in einem Durchlauf.",
    ),
    (
        r"Nothing was drafted: (\d+) tokens? in one pass\.",
        "Nichts entworfen: $1 Token in einem Durchlauf.",
    ),
    (
        r"Pass (\d+) of (\d+), after (\d+) ms\. (.+)",
        "Durchlauf $1 von $2, nach $3 ms. {4}",
    ),
    (r"(.+): accepted", "{1}: angenommen"),
    (r"(.+): rejected", "{1}: abgelehnt"),
    (r"([\d,]+) tokens?", "$1 Token"),
    (r"end to end (.+)", "Gesamtzeit $1"),
    (r"(\d+ %) drafts accepted", "$1 der Entwürfe angenommen"),
    (r"plain ran first", "einfach lief zuerst"),
    (r"speculative ran first", "spekulativ lief zuerst"),
    (r"drafts by nobody", "niemand entwirft"),
    (r"drafts by (.+)", "Entwürfe von $1"),
    (r"at most (\d+) nodes a step", "höchstens $1 Knoten je Schritt"),
    (r"seed (\d+)", "Seed $1"),
    (
        r"the engine was still warming up, so both will be faster",
        "die Maschine wärmte noch auf, beide werden also schneller",
    ),
    (
        r"(\d+) other answers ran at the start, so the times are not undisturbed",
        "zu Beginn liefen $1 andere Antworten, die Zeiten sind also nicht ungestört",
    ),
    (r"(plain|speculative): ([\d.]+) s, ([\d,]+) tokens", "{1}: $2 s, $3 Token"),
    *chat.PATTERNS,
    *dashboard.PATTERNS,
    *measurements.PATTERNS,
)
