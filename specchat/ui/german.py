"""The interface in German: the catalogue that the page's script translates with.

The English text is the key. `PATTERNS` are for sentences with numbers in them: a regular expression
over the whole text, and the German with its groups as $1, $2. A text of parts joined by " · " is
translated part by part. What customers and the model say is never translated.
"""

from __future__ import annotations

from specchat.ui import german_chat

TEXTS: dict[str, str] = {
    # the page
    "Chat": "Chat",
    "Race": "Rennen",
    "Dashboard": "Auswertung",
    "Language": "Sprache",
    "Options": "Einstellungen",
    "Use via API": "Als API nutzen",
    "Loading...": "Lädt …",
    "No connection. What you typed is kept; this goes on when the server answers again.": (
        "Keine Verbindung. Ihre Eingaben bleiben; es geht weiter, sobald der Server antwortet."
    ),
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
    "draft model (double line)": "Entwurfsmodell (doppelt)",
    "Medusa heads (line above and below)": "Medusa-Köpfe (Linie oben und unten)",
    "EAGLE-3 head (line above)": "EAGLE-3-Kopf (Linie oben)",
    "MLP speculator": "MLP-Spekulator",
    "n-gram of the prompt": "N-Gramm der Frage",
    "past answers": "frühere Antworten",
    "draft model": "Entwurfsmodell",
    "Please type or pick a question to race first.": "Bitte zuerst eine Frage stellen oder wählen.",
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
    # dashboard
    "Time": "Zeit",
    "Mode": "Modus",
    "Model": "Modell",
    "Kind": "Art",
    "Scenario (races)": "Situation (Rennen)",
    "Speculator": "Spekulator",
    "Load": "Last",
    "Any": "Alle",
    "All time": "Gesamte Zeit",
    "Last hour": "Letzte Stunde",
    "Last 24 hours": "Letzte 24 Stunden",
    "Last 7 days": "Letzte 7 Tage",
    "Started at once": "Sofort begonnen",
    "Had to wait": "Musste warten",
    "Reading the record…": "Liest die Aufzeichnung …",
    "Engine, live": "Maschine, jetzt",
    "answers running": "Antworten laufen",
    "tokens/s, answers of the last minute": "Token/s, Antworten der letzten Minute",
    "of prompt tokens from the prefix cache": "der Fragetoken aus dem Präfixspeicher",
    "backend": "Rechenweg",
    "backend, still warming up": "Rechenweg, wärmt noch auf",
    "records written, none lost": "Einträge geschrieben, keiner verloren",
    "No turns yet": "Noch keine Antworten",
    "Ask a question in Chat or run a race in Race. Every answer leaves its evidence here within "
    "seconds.": "Stellen Sie im Chat eine Frage oder starten Sie ein Rennen. Jede Antwort "
    "hinterlässt hier nach Sekunden ihre Messwerte.",
    "No turn fits these filters": "Keine Antwort passt zu diesen Filtern",
    "Choose a longer time or set filters to Any.": "Längere Zeit oder Filter Alle wählen.",
    "No races yet": "Noch keine Rennen",
    "Run a race: only the same question asked both ways shows what speculation saves.": (
        "Starten Sie ein Rennen: Nur dieselbe Frage auf beide Arten zeigt, was Spekulation spart."
    ),
    "Turns, newest first": "Antworten, neueste zuerst",
    "Compare two configurations": "Zwei Konfigurationen vergleichen",
    "Savings calculator": "Sparrechner",
    "Chats": "Chats",
    "Answers per chat": "Antworten je Chat",
    "Price of the machine per hour": "Preis der Maschine je Stunde",
    "Extrapolation, not a measurement": "Hochrechnung, keine Messung",
    "Turns as CSV": "Antworten als CSV",
    "Turns as JSON": "Antworten als JSON",
    "Charts as PNG": "Diagramme als PNG",
    "Median": "Median",
    "End to end": "Gesamtzeit",
    "Time to first token": "Zeit bis zum ersten Token",
    "Time per output token": "Zeit je Token",
    "Tokens of the answer": "Token der Antwort",
    "Drafts accepted": "Entwürfe angenommen",
    "Comparison": "Vergleich",
    "Under load": "Unter Last",
    "Load test": "Lasttest",
    **german_chat.TEXTS,
}

PATTERNS: tuple[tuple[str, str], ...] = (
    (
        r"([\d.]+)x faster, (.+) saved, same answer ✓",
        "$1-mal so schnell, $2 gespart, gleiche Antwort ✓",
    ),
    (r"([\d.]+)x: slower here, (.+) lost, same answer ✓", "$1x: hier langsamer, $2 verloren, "
     "gleiche Antwort ✓"),
    (r"([\d.]+)x: about the same speed here, same answer ✓", "$1x: hier etwa gleich schnell, "
     "gleiche Antwort ✓"),
    (r"([\d.]+)x faster with speculation", "$1-mal so schnell mit Spekulation"),
    (r"([\d.]+)x: slower with speculation here", "$1x: hier mit Spekulation langsamer"),
    (r"([\d.]+)x: about the same speed", "$1x: etwa gleich schnell"),
    (r"The answers differ ✗, so the times cannot be compared",
     "Die Antworten weichen ab ✗, die Zeiten sind nicht vergleichbar"),
    (r"Median ([\d.]+)x, (.+) saved in all, same answer in (\d+) of (\d+)",
     "Median $1x, insgesamt $2 gespart, gleiche Antwort in $3 von $4"),
    (r"Median ([\d.]+)x, (.+) lost in all, same answer in (\d+) of (\d+)",
     "Median $1x, insgesamt $2 verloren, gleiche Antwort in $3 von $4"),
    (r"(\d+) of (\d+) races run, same answer in (\d+) of (\d+)",
     "$1 von $2 Rennen gelaufen, gleiche Antwort in $3 von $4"),
    (r"(\d+) drafted, (\d+) accepted: (\d+) tokens? in one pass\.",
     "$1 entworfen, $2 angenommen: $3 Token in einem Durchlauf."),
    (r"Pass (\d+) of (\d+), after (\d+) ms\. (\d+) drafted, (\d+) accepted: (\d+) tokens? in one "
     r"pass\.", "Durchlauf $1 von $2, nach $3 ms. $4 entworfen, $5 angenommen: $6 Token in einem "
     "Durchlauf."),
    (r"Pass (\d+) of (\d+), after (\d+) ms\. Nothing was drafted: (\d+) tokens? in one pass\.",
     "Durchlauf $1 von $2, nach $3 ms. Nichts entworfen: $4 Token in einem Durchlauf."),
    (r"([\d,]+) tokens?", "$1 Token"),
    (r"done", "fertig"),
    (r"end to end (.+)", "Gesamtzeit $1"),
    (r"(\d+ %) drafts accepted", "$1 der Entwürfe angenommen"),
    (r"plain ran first", "einfach lief zuerst"),
    (r"speculative ran first", "spekulativ lief zuerst"),
    (r"drafts by (.+)", "Entwürfe von $1"),
    (r"at most (\d+) nodes a step", "höchstens $1 Knoten je Schritt"),
    (r"at most (\d+) tokens", "höchstens $1 Token"),
    (r"temperature ([\d.]+)", "Temperatur $1"),
    (r"model (.+)", "Modell $1"),
    (r"hardware (.+)", "Hardware $1"),
    (r"speculators (.+)", "Spekulatoren $1"),
    (r"([\d.]+) s, ([\d,]+) tokens", "$1 s, $2 Token"),
    (r"([\d,]+) (shared)", "$1 geteilt"),
    (r"([\d,]+) (held)", "$1 belegt"),
    (r"([\d,]+) (cached)", "$1 im Speicher"),
    (r"([\d,]+) (free)", "$1 frei"),
    (r"Page map of the KV cache: ([\d,]+) pages of (\d+) tokens, one square is (?:up to )?(.+)",
     "Seitenkarte des KV-Speichers: $1 Seiten zu $2 Token, ein Feld sind höchstens $3"),
    (r"steps, (\d+) preemptions", "Schritte, $1 Verdrängungen"),
    (r"turns, ([\d,]+) races", "Antworten, $1 Rennen"),
    (r"of ([\d,]+) drafts accepted, 95 % interval (.+) to (.+)",
     "von $1 Entwürfen angenommen, 95-%-Intervall $2 bis $3"),
    (r"(\d+) of (\d+) races gave the same answer both ways",
     "$1 von $2 Rennen gaben beide Male dieselbe Antwort"),
    *german_chat.PATTERNS,
)  # fmt: skip
